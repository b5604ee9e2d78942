"""Requests at a fixed rate on a service that holds many texts, and uploads of two sizes: how long, how much memory.

The rate is offered whatever the answers do (an open loop): each request has its moment, and its time counts from that
moment, so that a slow answer shows in all that had to wait behind it. What the service does not offer is left out and
said.

    python -m evaluation.bench.load --examples 100000 --rate 100 --seconds 30
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

PROGRAM = "from serving.cli import main; main()"
SMALL = 10_000
WARM = 8.0
"""Seconds of requests before those that count: a service that has just started still loads what talks to the LLM."""
TASK: dict[str, Any] = {"name": "films", "labels": [{"name": "positive"}, {"name": "negative"}]}
WORDS = "the film is a long and winding story of two friends who lose their way in a city of rain and find it again"


@dataclass
class Timed:
    """What one kind of request took, in milliseconds from the moment it was due."""

    name: str
    took: list[float] = field(default_factory=list[float])
    failed: int = 0

    def line(self) -> str:
        found = sorted(self.took) or [float("nan")]
        p50, p99 = found[len(found) // 2], found[min(len(found) - 1, int(len(found) * 0.99))]
        return f"{self.name:28} {len(self.took):6} {p50:9.1f} {p99:9.1f} {found[-1]:9.1f} {self.failed:7}"


def texts(n: int) -> Iterator[bytes]:
    """A CSV file of `n` sentences of about 100 characters."""
    yield b"id,text,label\n"
    for start in range(0, n, 500):
        rows = (
            f"r{i},{WORDS} no. {i},{'positive' if i % 2 else 'negative'}\n" for i in range(start, min(n, start + 500))
        )
        yield "".join(rows).encode()


@contextmanager
def service(home: Path, port: int, llm: str = "http://127.0.0.1:9", **variables: str) -> Generator[tuple[str, int]]:
    """Address and process id of a service in another process, which is stopped in the end."""
    home.mkdir(parents=True, exist_ok=True)
    named = {"THRESHER_HOME": str(home), "THRESHER_ENGINE_URL": llm, "THRESHER_RATE": "0", **variables}
    with (home / "log").open("ab") as log:
        command = [sys.executable, "-c", PROGRAM, "serve", "--port", str(port)]
        child = subprocess.Popen(command, env={**os.environ, **named}, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _ready(url, child, home / "log")
            yield url, child.pid
        finally:
            child.terminate()
            child.wait(60)


def _ready(url: str, child: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        if child.poll() is not None:
            sys.exit(log.read_text(encoding="utf-8"))
        try:
            httpx.get(f"{url}/openapi.json")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    sys.exit("the service does not answer")


def upload(url: str, n: int) -> tuple[str, float]:
    """Id of a data set of `n` texts, and the seconds that it took."""
    begun = time.monotonic()
    response = httpx.post(
        f"{url}/v1/datasets?name=load-{n}", content=texts(n), headers={"content-type": "text/csv"}, timeout=600
    )
    response.raise_for_status()
    return response.json()["id"], time.monotonic() - begun


def memory(pid: int, what: str) -> float:
    """`VmRSS` or `VmHWM` (its peak) of a process, MiB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{what}:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else float("nan")


def queued(url: str, data: str, **wanted: Any) -> str:
    """A run that was begun; empty, with the reason printed, where the service does not take it."""
    wish = {"task": TASK, "data": data, "recipe": "random", "students": ["svm"], "people": "queue", **wanted}
    response = httpx.post(f"{url}/v1/runs", json=wish, timeout=120)
    if response.is_error:
        print(f"no run: HTTP {response.status_code} {response.text[:300]}")
        return ""
    return response.json()["id"]


def waits(url: str, run: str, patience: float = 300.0) -> bool:
    """Whether a run comes to wait for people."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = httpx.get(f"{url}/v1/runs/{run}", timeout=60).json()
        if found["state"] not in ("queued", "running"):
            print(f"the run is {found['state']}: {found['why']}")
            return found["state"] == "waiting"
        time.sleep(0.2)
    return False


def fill(url: str, data: str, runs: int) -> None:
    """Runs for the list, over a data set of their own, each stopped at once."""
    for n in range(runs):
        run = queued(url, data, budget=8, name=f"run {n}")
        httpx.post(f"{url}/v1/runs/{run}/cancel", timeout=60)


Send = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


def kinds(data: str, run: str) -> dict[str, Send]:
    """What is asked in turn, by its name in the table."""

    def get(path: str) -> Send:
        return lambda http, _n: http.get(path)

    found = {
        "list: data sets": get("/v1/datasets?limit=50"),
        "status: a data set": get(f"/v1/datasets/{data}"),
        "list: texts, a late page": get(f"/v1/datasets/{data}/examples?limit=50&after=90000"),
    }
    if run:
        found |= {
            "list: runs": get("/v1/runs?limit=50"),
            "status: a run": get(f"/v1/runs/{run}"),
            "lease: the next text": lambda http, n: http.post(f"/v1/runs/{run}/review", json={"who": f"person-{n}"}),
            "lease a text and label it": lambda http, n: _labelled(http, run, f"other-{n}"),
        }
    return found


async def _labelled(http: httpx.AsyncClient, run: str, who: str) -> httpx.Response:
    """Two requests: a text, and the answer to it."""
    taken = await http.post(f"/v1/runs/{run}/review", json={"who": who})
    if taken.status_code != 200:
        return taken
    answer = {"token": taken.json()["token"], "label": TASK["labels"][0]["name"]}
    return await http.post(f"/v1/runs/{run}/labels", json=answer)


async def offer(url: str, asked: dict[str, Send], rate: float, seconds: float) -> tuple[list[Timed], float]:
    """Requests in turn at their moments; what they took, and the rate at which answers came."""
    timed, tasks = [Timed(name) for name in asked], list[asyncio.Task[None]]()
    late = Timed("(this program was late by)")  # what the machine, busy with others, adds to the times above
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60) as http:
        begun = time.monotonic()
        for n in range(int(rate * seconds)):
            due = begun + n / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            late.took.append(1000 * (time.monotonic() - due))
            which = n % len(timed)
            tasks.append(asyncio.create_task(one(http, list(asked.values())[which], n, timed[which], due)))
        await asyncio.gather(*tasks)
        return [*timed, late], len(tasks) / (time.monotonic() - begun)


async def one(http: httpx.AsyncClient, send: Send, n: int, timed: Timed, due: float) -> None:
    try:
        response = await send(http, n)
    except httpx.TransportError:
        timed.failed += 1
        return
    timed.failed += response.is_error
    timed.took.append(1000 * (time.monotonic() - due))


def sizes(folder: Path, port: int, n: int) -> str:
    """Uploads to a fresh service each; the database of the larger one stays in `folder / "large"`."""
    data = ""
    for name, rows in (("small", SMALL), ("large", n)):
        with service(folder / name, port) as (url, pid):
            before = memory(pid, "VmRSS")
            data, seconds = upload(url, rows)
            peak = memory(pid, "VmHWM")
            print(
                f"upload of {rows:>9,} texts: {seconds:6.1f} s, memory {before:.0f} MiB before, {peak:.0f} MiB at most"
            )
    return data


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--port", type=int, default=8019)
    parser.add_argument("--budget", type=int, default=2_000, help="labels that the run asks people for")
    parser.add_argument("--runs", type=int, default=50, help="further runs in the list")
    options = parser.parse_args(arguments)
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the start")
    with tempfile.TemporaryDirectory(prefix="thresher-load-") as name:
        data = sizes(Path(name), options.port, options.examples)
        with service(Path(name) / "large", options.port) as (url, _):
            run = queued(url, data, budget=options.budget)
            if run and waits(url, run):
                fill(url, upload(url, 100)[0], options.runs)
            asked = kinds(data, run)
            asyncio.run(offer(url, asked, options.rate / 2, WARM))
            timed, rate = asyncio.run(offer(url, asked, options.rate, options.seconds))
    print(f"offered {options.rate:g} requests/s for {options.seconds:g} s, answered {rate:.1f}/s")
    print(f"{'ms from the moment it was due':28} {'n':>6} {'p50':>9} {'p99':>9} {'max':>9} {'failed':>7}")
    for each in timed:
        print(each.line())
    print(f"load average {os.getloadavg()[0]:.1f} at the end (with this program and the service)")


if __name__ == "__main__":
    main()
