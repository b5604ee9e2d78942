"""From a request to a recorded run: checked, with its models named, before anything is started."""

from dataclasses import dataclass

from agent.errors import StoreError
from serving.connect import Setting
from serving.models.resolve import Loaded
from serving.problem import Refused
from serving.runs import running, wishes
from serving.runs.store import OPEN, Store, StoredRun
from serving.runs.wishes import Wish
from serving.service.desk import Desk
from serving.settings import Settings


@dataclass(frozen=True)
class Commissioned:
    run: StoredRun
    new: bool
    """False where the same run was there already."""


def commission(wish: Wish, desk: Desk) -> Commissioned:
    """Records the run that a wish amounts to; the one that is there where it is known.

    Raises:
        BadInput: the wish cannot be carried out, or the LLM cannot tell its label words apart.
        EngineError: the LLM would say none of these words.
        ModelError: what students start from cannot be had here.
        Refused: 503 while the LLM is not there; 429 where too many runs are unfinished.
    """
    wishes.check(wish)
    served, chat = desk.llm.ready() if wishes.asks_llm(wish) else (None, None)
    if chat is not None and not wish.caps.of_llm:  # a cap counts every request, and there is no run yet
        running.demand_words(wish, chat)
    job = wishes.plan(wish, served, _encoder(desk.settings))
    if (known := _known(desk.store, job.id)) is not None:
        return Commissioned(known, new=False)
    unfinished = sum(len(desk.store.list(limit=desk.settings.queued_runs, state=state)) for state in OPEN)
    if unfinished >= desk.settings.queued_runs:
        what = f"{unfinished} runs are unfinished, and the service takes {desk.settings.queued_runs}"
        raise Refused(429, what, "let one finish, or cancel one", {"Retry-After": "60"})
    running.keep_inputs(job, wish, desk.settings)
    folder = desk.settings.home / "runs" / job.id / "results"
    return Commissioned(desk.store.begin(job.id, job.model_dump_json(), str(folder), "service"), new=True)


def _known(store: Store, id_: str) -> StoredRun | None:
    try:
        return store.get(id_)
    except StoreError:
        return None


def _encoder(settings: Settings) -> Loaded:
    return Setting(settings, lambda _line: None).models().resolve(settings.encoder)
