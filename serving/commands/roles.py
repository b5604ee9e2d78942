"""`thresher select`, `annotate` and `generate`: the three roles on files, JSONL out."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel

    from agent.protocols import ChatModel, Columns, Embedder
    from serving.roles.means import Means, Usage
    from serving.runs.tables import Table

H = TypeVar("H", bound="BaseModel")
TaskFile = Annotated[Path, typer.Argument(help="Task file (TOML): labels and guidelines.")]
Data = Annotated[Path, typer.Argument(help="Texts: .csv, .tsv, .jsonl or .parquet.")]
Prompt = Annotated[str, typer.Option(help="Id of the prompt; the role's own where none is named.")]
Slots = Annotated[list[str] | None, typer.Option("--slot", help="A filling, as name=filling; several times.")]
Column = Annotated[str, typer.Option("--text", help="Column of the text.")]
Out = Annotated[Path | None, typer.Option("--out", help="File for the JSONL; standard output where none is named.")]


def select(
    task: TaskFile,
    data: Data,
    k: Annotated[int, typer.Option("-k", min=1, help="How many texts are wanted.")] = 8,
    strategy: Annotated[str, typer.Option(help="Instead of the LLM: a kind, or a strategy as JSON.")] = "",
    prompt: Prompt = "",
    slot: Slots = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the order of the lists and every random choice.")] = 0,
    text: Column = "text",
    out: Out = None,
) -> None:
    """Choose texts to label next. Rows of the file that have a label count as labelled already."""
    import json

    named, table = _read(task, data, text)

    from serving.roles.lines import picks
    from serving.roles.select import SelectHead
    from serving.roles.select import select as choose

    chosen = {"strategy": json.loads(strategy) if strategy.startswith("{") else {"kind": strategy}} if strategy else {}
    labelled = [_given(table, row, label=True) for row in _rows(table, labelled=True)]
    given = {"task": named, "k": k, "prompt": prompt, "slots": _slots(slot), "labelled": labelled, "seed": seed}
    head = _checked(SelectHead, {**given, **chosen})
    left = table.columns.take(_rows(table, labelled=False))
    with _means(table.columns) as means:
        found = choose(head, left, means)
    _write(picks(found)[:-1], out)
    _told(found.usage, found.prompts, f"{len(found.picks)} of {len(left)} texts chosen by {found.by}")


def annotate(
    task: TaskFile,
    data: Data,
    prompt: Prompt = "annotate/label",
    slot: Slots = None,
    sample: Annotated[bool, typer.Option("--sample/--no-sample", help="Calibrate by random texts of the file.")] = True,
    rationale: Annotated[bool, typer.Option("--rationale", help="Also ask for a reason.")] = False,
    text: Column = "text",
    out: Out = None,
) -> None:
    """Label every text with the LLM. From 100 texts on, 200 random ones calibrate its probabilities."""
    named, table = _read(task, data, text)

    from serving.roles import annotate as role
    from serving.roles.given import LEAST_SAMPLE

    n = len(table.columns)
    sampled = {"sample_of": str(data)} if sample and n >= LEAST_SAMPLE else {}
    given = {"task": named, "prompt": prompt, "slots": _slots(slot), "rationale": rationale, **sampled}
    head = _checked(role.AnnotateHead, given)
    with _means(table.columns) as means:
        ready = role.prepare(head, means)

        def answers() -> Generator[role.Annotated]:
            for start in range(0, n, role.BATCH):
                yield from ready.batch(table.columns.take(range(start, min(start + role.BATCH, n))))

        _write((each.model_dump_json().encode() + b"\n" for each in answers()), out)
    _told(ready.chat.usage(), ready.prompts, f"{n} texts; calibration {ready.calibration}")


def generate(
    task: TaskFile,
    label: Annotated[list[str], typer.Option("--label", help="A label to write for; several times.")],
    n: Annotated[int, typer.Option("-n", min=1, help="Texts that the LLM is asked for, in all.")] = 8,
    known: Annotated[Path | None, typer.Option(help="Texts that nothing written may repeat.")] = None,
    prompt: Prompt = "",
    slot: Slots = None,
    seed: Annotated[int, typer.Option(min=0, help="Of which examples each request shows.")] = 0,
    text: Column = "text",
    out: Out = None,
) -> None:
    """Write texts with the LLM. Known texts that have one of the labels are shown to it as examples."""
    from agent.protocols import Columns
    from serving.roles.generate import GenerateHead
    from serving.roles.generate import generate as write
    from serving.roles.lines import candidates
    from serving.runs.tables import read_task

    named, table = (read_task(task), None) if known is None else _read(task, known, text)
    there = table.columns if table else Columns([], [])
    gaps = [{"label": each, "examples": _examples(table, each)} for each in label]
    given = {"task": named, "n": n, "gaps": gaps, "prompt": prompt, "slots": _slots(slot), "seed": seed}
    head = _checked(GenerateHead, given)
    with _means(there) as means:
        found = write(head, there, means)
    _write(candidates(found)[:-1], out)
    _told(found.usage, found.prompts, f"{len(found.accepted)} accepted, {len(found.rejected)} rejected")


def _read(task: Path, data: Path, text: str) -> "tuple[object, Table]":
    from serving.runs.tables import read_table, read_task

    named = read_task(task)
    return named, read_table(data, named, text=text)


def _checked(kind: type[H], given: dict[str, object]) -> H:
    """Raises BadInput where the options do not make a request."""
    from pydantic import ValidationError

    from agent.errors import BadInput

    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = str(first["msg"]).removeprefix("Value error, ")
        raise BadInput(f"{where + ': ' if where else ''}{message}", "correct that option") from error


def _slots(given: list[str] | None) -> dict[str, str]:
    from agent.errors import BadInput

    pairs = [each.partition("=") for each in given or ()]
    wrong = [name for name, equals, filling in pairs if not (name and equals and filling)]
    if wrong:
        raise BadInput(f"the slot {wrong[0]!r} has no filling", "write it as --slot name=filling")
    return {name: filling for name, _, filling in pairs}


def _rows(table: "Table", *, labelled: bool) -> list[int]:
    return [row for row, id_ in enumerate(table.columns.ids) if (id_ in table.gold) is labelled]


def _given(table: "Table", row: int, *, label: bool) -> dict[str, object]:
    columns = table.columns
    b = columns.texts_b[row] if columns.texts_b is not None else None
    known = {"label": table.gold[columns.ids[row]]} if label else {}
    return {"id": columns.ids[row], "text": columns.texts[row], "text_b": b, **known}


def _examples(table: "Table | None", label: str) -> list[str]:
    if table is None:
        return []
    found = [t for i, t in zip(table.columns.ids, table.columns.texts, strict=True) if table.gold.get(i) == label]
    return found[:64]


@contextmanager
def _means(pool: "Columns") -> "Generator[Means]":
    """The LLM and the encoder of the settings, connected where they are first needed; `pool` is sampled from."""
    from agent.seeds import generator
    from serving import settings
    from serving.connect import Setting
    from serving.llm.ledger import LedgeredChat
    from serving.roles.means import Means
    from serving.runs import wiring
    from serving.system.progress import Bars

    opened: list[LedgeredChat] = []
    with Bars() as bars:
        setting = Setting(settings.load(), bars.say, bars, bars.beat)

        def chat() -> "ChatModel":
            store = wiring.open_store(setting.settings)
            opened.append(wiring.chat(setting.settings, wiring.connect(setting), store))
            return opened[-1]

        def embedder() -> "Embedder":
            return wiring.encoder(setting)[1]

        def sample(_name: str) -> "Columns":
            return pool.take(sorted(map(int, generator(0, "sample").permutation(len(pool))[:200])))

        try:
            yield Means(chat=chat, embedder=embedder, sample=sample)
        finally:
            for each in opened:
                each.close()


def _write(lines: Iterable[bytes], out: Path | None) -> None:
    """To the file, whole or not at all; else to standard output as they come."""
    if out is None:
        for line in lines:
            typer.echo(line.decode(), nl=False)
        return
    from serving.system import atomic

    atomic.write(out, b"".join(lines).decode())


def _told(usage: "Usage", prompts: Sequence[str], line: str) -> None:
    spent = (
        f"{usage.requests} requests ({usage.recorded} more answered by the ledger), {usage.prompt_tokens} prompt and"
    )
    typer.echo(f"{line}; {spent} {usage.generated_tokens} generated tokens, {usage.seconds:.1f} s", err=True)
    for prompt in prompts:
        typer.echo(f"prompt {prompt}", err=True)
