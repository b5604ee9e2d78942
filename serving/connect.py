"""From settings to an LLM that answers: weights, engine and probe, or the servers that the user names."""

from pathlib import Path

from pydantic import ValidationError

from agent.errors import EngineError
from prompts.messages import Frozen
from serving.engine import server
from serving.engine.environment import Converter, Environment, build_for
from serving.engine.options import choose
from serving.engine.server import Engine, Launch
from serving.engine.state import Place, State
from serving.llm.probe import Honours, probe
from serving.models.hub import Hub
from serving.models.resolve import Loaded, Models
from serving.settings import Settings
from serving.system import atomic
from serving.system.machine import inspect
from serving.system.process import Identity
from serving.system.progress import Beat, Watch, unheard, unwatched


class Served(Frozen):
    """An LLM that answers; a run stores its name and weights.

    Of a server that is not ours nobody knows variant and hash.
    """

    urls: tuple[str, ...]
    model: str
    """The name to ask for."""
    variant: str | None
    source: str | None
    hash: str | None
    """SHA-256 of the weights."""
    dtype: str | None
    honours: Honours

    def __str__(self) -> str:
        known = f"{self.variant}, from {self.source}, SHA-256 {self.hash[:12]}…" if self.hash else "weights unknown"
        return f"{self.model} ({known}) at {', '.join(self.urls)}"


class Probed(Frozen):
    """What one engine process was found to honour."""

    process: Identity
    honours: Honours


class Setting:
    """What the settings make: models, environment and engine, with one place to talk to the user.

    Args:
        say: takes lines.
        watch: takes progress in bytes.
        beat: takes progress of unknown size.
    """

    def __init__(self, settings: Settings, say: atomic.Say, watch: Watch = unwatched, beat: Beat = unheard) -> None:
        self.settings = settings
        self.say = say
        self.watch = watch
        self.beat = beat
        self.place = Place(folder=self.folder, port=settings.port)

    @property
    def folder(self) -> Path:
        return self.settings.cache / "engine"

    def environment(self) -> Environment:
        return Environment(self.folder, build_for(inspect(), self.settings.gpu), index=self.settings.torch_index)

    def models(self) -> Models:
        asked = self.settings
        hub = Hub("" if asked.hub_offline else asked.hub, asked.hub_token)
        return Models(asked.cache, hub, self._convert, say=self.say, watch=self.watch)

    def up(self, model: Loaded) -> Engine:
        """The engine with that model, started if need be."""

        def launch() -> Launch:
            machine = inspect()
            options = choose(machine, model.path, gpu=build_for(machine, self.settings.gpu).gpu)
            return Launch.vllm(self.environment().ensure(self.say, self.beat), options)

        patience = self.settings.engine_timeout
        return server.up(model, self.place, launch, say=self.say, beat=self.beat, patience=patience)

    def connect(self, name: str = "") -> Served:
        """An LLM that answers. What it does not honour is said, line by line.

        Args:
            name: the model; empty: the settings' own, or the only one that the user's servers serve.

        Raises:
            ModelError: the weights cannot be had.
            EngineError: the engine cannot be started, or a server does not answer.
        """
        served = self._theirs(name) if self.settings.urls else self._ours(name or self.settings.model)
        self.say(f"LLM: {served}")
        for line in served.honours.shortcomings():
            self.say(f"note: {line}")
        return served

    def _ours(self, name: str) -> Served:
        model = self.models().resolve(name)
        running = self.up(model)
        state = self.place.read()
        dtypes = [choice for choice in state.choices if choice.startswith("dtype = ")] if state else []
        dtype = dtypes[0].removeprefix("dtype = ").split()[0] if dtypes else None
        return Served(
            urls=(running.url,),
            model=running.served,
            variant=model.variant,
            source=model.source,
            hash=model.hash,
            dtype=dtype,
            honours=self._honours(running, state),
        )

    def _honours(self, running: Engine, state: State | None) -> Honours:
        """What our engine honours: asked once in its life, which a busy machine makes a matter of seconds."""
        kept = self.place.probed
        found = _probed(kept)
        if found is not None and state is not None and found.process == state.process:
            return found.honours
        honours = probe(running.url, model=running.served)
        if state is not None:
            atomic.write(kept, Probed(process=state.process, honours=honours).model_dump_json() + "\n")
        return honours

    def _theirs(self, name: str) -> Served:
        asked = self.settings
        key = asked.api_key.get_secret_value() if asked.api_key else ""
        wanted = name or (asked.model if "model" in asked.model_fields_set else "")
        served = server.check(asked.urls, key, wanted)
        honours = [probe(url, asked.api_key, model=served) for url in asked.urls]
        different = [url for url, one in zip(asked.urls, honours, strict=True) if one != honours[0]]
        if different:
            what = f"replicas differ in what they honour: {asked.urls[0]} and {different[0]}"
            raise EngineError(what, "give replicas of one server, or a single URL")
        return Served(
            urls=asked.urls, model=served, variant=None, source=None, hash=None, dtype=None, honours=honours[0]
        )

    def _convert(self, source: Path, folder: Path, watch: Watch) -> None:
        Converter(self.environment(), self.say, self.beat)(source, folder, watch)


def _probed(path: Path) -> Probed | None:
    """What was found before; None where nothing was, or by a version that asked other things."""
    try:
        return Probed.model_validate_json(path.read_bytes()) if path.is_file() else None
    except ValidationError:
        return None
