"""Hands at work side by side: in this process, in processes on this machine, or on the machines of a Ray cluster."""

import signal
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from agent.errors import BadInput, StoreError, ThresherError
from serving.settings import Settings
from serving.studies.hand import Bundle, Done, Hand
from serving.studies.jobs import Item
from serving.system.machine import give_way

Finished = list[tuple[Item, Done]]


class Hands(Protocol):
    """Some hands. At most `width` items are under way at once."""

    width: int

    def submit(self, item: Item) -> None: ...

    def finished(self, patience: float) -> Finished:
        """What was done since the last call, after at most `patience` seconds. Raises what a hand raised."""
        ...

    def stop(self) -> None:
        """Whatever is under way ends; what it has recorded stays."""
        ...


class Own:
    """One hand, in this process."""

    width = 1

    def __init__(self, bundle: Bundle) -> None:
        self._hand, self._items = Hand(bundle), list[Item]()

    def submit(self, item: Item) -> None:
        self._items.append(item)

    def finished(self, patience: float) -> Finished:
        del patience
        done = [(item, self._hand.do(item)) for item in self._items]
        self._items.clear()
        return done

    def stop(self) -> None:
        self._hand.close()


class Processes:
    """Hands in processes of their own. They end with this one, at the latest after the cell that they are at."""

    def __init__(self, bundle: Bundle, width: int) -> None:
        self.width = width
        context = get_context("spawn")  # a fork would copy threads of torch and of the database in whatever state
        self._free = list[Connection]()
        self._busy = dict[Connection, Item]()
        self._processes = dict[Connection, BaseProcess]()
        for _ in range(width):
            ours, theirs = context.Pipe()
            process = context.Process(target=serve, args=(theirs, bundle), daemon=True)
            process.start()
            theirs.close()
            self._processes[ours] = process
            self._free.append(ours)

    def submit(self, item: Item) -> None:
        connection = self._free.pop()
        self._busy[connection] = item
        connection.send(item)

    def finished(self, patience: float) -> Finished:
        found: Finished = []
        for connection in wait(list(self._busy), patience):
            assert isinstance(connection, Connection)
            item = self._busy.pop(connection)
            found.append((item, self._answer(connection, item)))
            self._free.append(connection)
        return found

    def _answer(self, connection: Connection, item: Item) -> Done:
        try:
            said = connection.recv()
        except EOFError as error:
            process = self._processes[connection]
            process.join(5)
            what = f"the process that did {item.told()} has ended (exit code {process.exitcode})"
            raise StoreError(what, "what was done is recorded: start the study again") from error
        return _done(said)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for connection, process in self._processes.items():
            process.join()
            connection.close()


class Answering:
    """A hand elsewhere, which answers with what ended its cell: not every wire carries what is raised whole."""

    def __init__(self, bundle: Bundle) -> None:
        self._hand = Hand(bundle)

    def do(self, item: Item) -> Done | ThresherError:
        try:
            return self._hand.do(item)
        except ThresherError as error:
            return error


def serve(connection: Connection, bundle: Bundle) -> None:
    """What such a process does, until its parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    give_way()
    hand = Answering(bundle)
    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            return
        answer = hand.do(item)
        try:
            connection.send(answer)
        except OSError:  # the parent is gone; what was done is recorded
            return


class OnRay:
    """Hands as actors of a Ray cluster: the one that RAY_ADDRESS names, else one on this machine alone."""

    def __init__(self, bundle: Bundle) -> None:
        self._ray: Any = import_module("ray")
        self._ray.init(ignore_reinit_error=True, log_to_driver=False)
        self.width = int(self._ray.cluster_resources().get("CPU", 1))
        shared = self._ray.put(bundle)
        actor: Callable[..., Any] = self._ray.remote(num_cpus=1)(Answering).remote
        self._free: list[Any] = [actor(shared) for _ in range(self.width)]
        self._busy: dict[Any, tuple[Any, Item]] = {}

    def submit(self, item: Item) -> None:
        actor = self._free.pop()
        self._busy[actor.do.remote(item)] = actor, item

    def finished(self, patience: float) -> Finished:
        if not self._busy:
            return []
        ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=patience)
        found: Finished = []
        for reference in ready:
            actor, item = self._busy.pop(reference)
            found.append((item, self._answer(reference, item)))
            self._free.append(actor)
        return found

    def _answer(self, reference: Any, item: Item) -> Done:
        try:
            said = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:  # its machine is gone, or its process was killed
            what = f"Ray lost the hand that did {item.told()}: {type(error).__name__}"
            raise StoreError(what, "what was done is recorded: start the study again") from error
        return _done(said)

    def stop(self) -> None:
        for actor in [*self._free, *(actor for actor, _ in self._busy.values())]:
            self._ray.kill(actor)
        self._ray.shutdown()


def _done(said: Done | ThresherError) -> Done:
    if isinstance(said, Done):
        return said
    raise said


def maker(on: str, width: int) -> Callable[[Bundle], Hands]:
    """What makes the hands: one in this process, several beside it, or those of a cluster."""
    if on == "ray":
        return OnRay
    return Own if width == 1 else lambda bundle: Processes(bundle, width)


def demand_cluster(settings: Settings) -> None:
    """Raises BadInput where there is no Ray, or the store is a file, which hands on other machines cannot reach.

    That they find the encoder's weights and reach the LLM's server is not looked at.
    """
    if find_spec("ray") is None:
        raise BadInput("Ray cannot be imported here", "pip install 'thresher[ray]'")
    if not settings.database.startswith("postgres"):
        what = "hands on several machines share one database, and this one is a file"
        raise BadInput(what, "set THRESHER_DATABASE=postgresql://…")
