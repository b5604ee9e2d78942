"""A client of the service: `Client("http://127.0.0.1:8010")`, then `datasets`, `runs`, `review`, `picks`, and roles.

Requests are sent again only where that does no harm; problems arrive as the exceptions of `serving.calls`. Importing
it loads neither the service nor the method; the roles load what their answers are made of when they are first used.
"""

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import httpx
from pydantic import BaseModel

from serving.bodies import as_json, file_pieces, quoted, row_lines, told
from serving.calls import (
    ATTEMPTS,
    Busy,
    Calls,
    Conflict,
    Denied,
    Invalid,
    NotThere,
    ServerFault,
    ServiceError,
    Unreachable,
    at,
    pages,
)
from serving.client_people import PickCalls, ReviewCalls
from serving.shapes import (
    DataSetList,
    DataSetShown,
    ExampleList,
    ExampleShown,
    SeenEvent,
    SeenRound,
    SeenRun,
)

if TYPE_CHECKING:
    from serving.roles.annotate import AnnotatedAll
    from serving.roles.generate import Generated
    from serving.roles.select import Selected
    from serving.runs.plan import Forecast
    from serving.runs.view import History

__all__ = [
    "Busy",
    "Client",
    "Conflict",
    "Denied",
    "Invalid",
    "NotThere",
    "ServerFault",
    "ServiceError",
    "Unreachable",
]

Asked = Mapping[str, Any] | BaseModel
NOT_MODIFIED = 304
MEDIA = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
}


class Client:
    """One service. Usable with `with`; any number of threads may share it.

    Args:
        url: where the service listens, without `/v1`.
        key: an API key; none is needed on the loopback interface of a service without keys.
        timeout: seconds without a byte after which a request is given up.
        http: an `httpx.Client` of one's own instead, with the service's base URL.
        again: seconds before a request is sent again; doubled each time, shortened at random by up to a half.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float = 300.0,
        http: httpx.Client | None = None,
        again: float = 0.5,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        patience = httpx.Timeout(timeout, connect=5.0)
        own = http or httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=patience)
        self._calls = Calls(own, again)
        self.datasets = DataSetCalls(self._calls)
        self.runs = RunCalls(self._calls)
        self.review = ReviewCalls(self._calls)
        self.picks = PickCalls(self._calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._calls.close()

    def ready(self, timeout: float = 0.0, *, poll: float = 0.5) -> None:
        """Returns when database and LLM answer. Raises Busy, with what is missing, after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            try:
                self._calls.send("GET", "/ready", repeatable=False)
                return
            except Busy:
                if time.monotonic() + poll > end:
                    raise
                time.sleep(poll)

    def select(self, request: Asked) -> "Selected":
        """Which texts to label next. A mapping, or a `serving.roles.select.SelectRequest`."""
        from serving.roles.select import Selected

        return Selected.model_validate_json(self._asked("select", request))

    def annotate(self, request: Asked) -> "AnnotatedAll":
        """A label, or an abstention, for each text. A mapping, or a `serving.roles.annotate.AnnotateRequest`."""
        from serving.roles.annotate import AnnotatedAll

        return AnnotatedAll.model_validate_json(self._asked("annotate", request))

    def generate(self, request: Asked) -> "Generated":
        """New texts. A mapping, or a `serving.roles.generate.GenerateRequest`."""
        from serving.roles.generate import Generated

        return Generated.model_validate_json(self._asked("generate", request))

    def plan(self, request: Asked) -> "Forecast":
        """What a run would take. A mapping with the fields of `runs.create`."""
        from serving.runs.plan import Forecast

        return Forecast.model_validate_json(self._asked("plan", request))

    def _asked(self, role: str, request: Asked) -> bytes:
        # Equal questions are answered from the ledger: asked twice, they cost once.
        return self._calls.send("POST", f"/v1/{role}", repeatable=True, **as_json(request)).content


class DataSetCalls:
    """Uploaded texts."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def upload(self, data: str | Path | Iterable[Mapping[str, Any]], name: str = "", **columns: str) -> DataSetShown:
        """A file (.csv, .tsv, .jsonl, .parquet), or rows, each with `text` and perhaps `id`, `text_b` and `label`.

        A .json file is one of another tool: `format="label-studio"` or `format="argilla"`.

        Args:
            columns: which columns are meant where they are called otherwise, as in `text="body"`.

        Raises:
            Invalid: a row cannot be used; nothing was stored.
        """
        path = Path(data) if isinstance(data, str | Path) else None
        if path is not None and path.suffix.lower() not in MEDIA:
            raise Invalid(0, f"{path} ends in {path.suffix!r}", f"give a file that ends in {', '.join(MEDIA)}")
        given = {
            "params": {"name": name or (path.stem if path else ""), **columns},
            "headers": {"content-type": MEDIA[path.suffix.lower()] if path else MEDIA[".jsonl"]},
            "content": lambda: file_pieces(path) if path else row_lines(cast(Iterable[Mapping[str, Any]], data)),
        }
        repeatable = path is not None or isinstance(data, list | tuple)  # others are used up by the first attempt
        response = self._calls.send("POST", "/v1/datasets", repeatable=repeatable, **given)
        return DataSetShown.model_validate_json(response.content)

    def list(self) -> Iterator[DataSetShown]:
        """The newest first."""
        for page in pages(self._calls, "/v1/datasets"):
            yield from DataSetList.model_validate_json(page).items

    def get(self, data_set: str) -> DataSetShown:
        return DataSetShown.model_validate_json(self._calls.send("GET", f"/v1/datasets/{quoted(data_set)}").content)

    def examples(self, data_set: str) -> Iterator[ExampleShown]:
        """All texts, in the order of the file."""
        for page in pages(self._calls, f"/v1/datasets/{quoted(data_set)}/examples"):
            yield from ExampleList.model_validate_json(page).items


class RunCalls:
    """Runs, from their creation to what they leave."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(self, request: Asked, key: str | None = None) -> SeenRun:
        """Queues a run. With the same `key` (one is made up where none is given) it is the same run."""
        given = as_json(request)
        given["headers"]["Idempotency-Key"] = key or uuid.uuid4().hex
        return self._run("POST", "/v1/runs", repeatable=True, **given)

    def list(self, state: str | None = None) -> Iterator[SeenRun]:
        """The newest first."""
        for page in pages(self._calls, "/v1/runs", {"state": state} if state else {}):
            yield from (SeenRun.model_validate(each) for each in json.loads(page)["items"])

    def get(self, run: str) -> SeenRun:
        return self._run("GET", at(run))

    def wait(self, run: str, timeout: float | None = None, *, poll: float = 1.0, people: bool = False) -> SeenRun:
        """The run when it is over; with `people` also when it waits for them. Raises TimeoutError."""
        end = None if timeout is None else time.monotonic() + timeout
        found, tag = None, ""
        while True:
            asked = self._calls.send("GET", at(run), headers={"If-None-Match": tag} if tag else {})
            if found is None or asked.status_code != NOT_MODIFIED:
                found, tag = SeenRun.model_validate_json(asked.content), asked.headers.get("ETag", "")
            if found.over or (people and found.state == "waiting"):
                return found
            if end is not None and time.monotonic() + poll > end:
                raise TimeoutError(f"run {run} is {found.state} after {timeout:g} seconds")
            time.sleep(poll)

    def events(self, run: str, after: int = 0) -> Iterator[SeenEvent]:
        """What happens, as it happens, until the run is over. A connection that breaks is made again where it was."""
        failed = 0
        while True:
            try:
                headers = {"Accept": "text/event-stream", **({"Last-Event-ID": str(after)} if after else {})}
                with self._calls.stream(f"{at(run)}/events", headers=headers) as response:
                    for event in told(response.iter_lines()):
                        failed, after = 0, event.seq or after
                        yield event
            except (Unreachable, Busy):
                failed += 1
                if failed >= ATTEMPTS:
                    raise
            else:
                if self.get(run).over:
                    return
            self._calls.pause()

    def cancel(self, run: str) -> SeenRun:
        return self._run("POST", f"{at(run)}/cancel", repeatable=True)

    def resume(self, run: str) -> SeenRun:
        return self._run("POST", f"{at(run)}/resume", repeatable=True)

    def labels(self, run: str) -> Iterator[dict[str, Any]]:
        """A row for each labelled text: label, confidence, provenance, history."""
        with self._calls.stream(f"{at(run)}/labels", params={"format": "jsonl"}) as response:
            for line in response.iter_lines():
                if line:
                    yield json.loads(line)

    def save_labels(self, run: str, to: str | Path, tool: Literal["label-studio", "argilla"] | None = None) -> Path:
        """The labels as a file, .jsonl, .csv or .parquet by its name, or as the JSON of another tool."""
        to = Path(to)
        return self._calls.save(f"{at(run)}/labels", to, params={"format": tool or to.suffix.removeprefix(".")})

    def model(self, run: str, to: str | Path) -> Path:
        """The trained student, a gzipped tar file."""
        return self._calls.save(f"{at(run)}/model", Path(to))

    def report(self, run: str) -> str:
        """The report, HTML."""
        return self._calls.send("GET", f"{at(run)}/report").text

    def figures(self, run: str) -> dict[str, Any]:
        """The numbers of the report: the fields of an `evaluation.records.Comparison` or `RunSummary`."""
        return self._calls.send("GET", f"{at(run)}/report", params={"format": "json"}).json()

    def record(self, run: str) -> dict[str, Any]:
        """What was done, with what."""
        return self._calls.send("GET", f"{at(run)}/record").json()

    def history(self, run: str) -> "History":
        """Rounds and learning curve so far."""
        from serving.runs.view import History

        return History.model_validate_json(self._calls.send("GET", f"{at(run)}/history").content)

    def round(self, run: str, index: int) -> SeenRound:
        """What a round chose, and why. Raises NotThere while it has chosen nothing."""
        return SeenRound.model_validate_json(self._calls.send("GET", f"{at(run)}/rounds/{index}").content)

    def _run(self, method: str, path: str, **given: Any) -> SeenRun:
        return SeenRun.model_validate_json(self._calls.send(method, path, **given).content)
