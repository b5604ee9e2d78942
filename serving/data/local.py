"""Local copies of data sets: `<folder>/<card>/train.jsonl`, `test.jsonl`, and a `meta.json` held against them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from agent.errors import BadInput
from evaluation.datasets import DataCard, Fetched, Record
from evaluation.sources import LocalCopy, Side
from serving.data.missing import Missing
from serving.models.wheels import file_hash
from serving.runs.formats import ENDINGS, file_rows

_SIDES: tuple[Side, ...] = ("train", "test", "all")
_META_BYTES = 1 << 20


class Meta(BaseModel):
    """What a copy says about itself, of that what can be checked."""

    name: str
    labels: dict[str, str] = {}
    sizes: dict[str, int] = {}


def copy(card: DataCard, source: LocalCopy, folder: Path) -> Fetched:
    """The tables of the copy under `folder`.

    Raises:
        Missing: there is no folder of the card's name.
        BadInput: files are missing, twice there or damaged, or the copy's own `meta.json` speaks of another set, of
            other labels or of another number of rows.
    """
    base = folder / card.name
    if not base.is_dir():
        raise Missing(f"no folder {card.name!r} in {folder}")
    paths = _paths(base)
    tables: dict[Side, list[Record]] = {side: list(file_rows(path)) for side, path in paths.items()}
    files = {path.name: file_hash(path) for path in paths.values()}
    meta = base / "meta.json"
    if meta.is_file():
        _check(card, source, _meta(meta), tables, meta)
        files[meta.name] = file_hash(meta)
    return Fetched(source, tables, files)


def _paths(base: Path) -> dict[Side, Path]:
    found: dict[Side, Path] = {}
    for side in _SIDES:
        here = [path for path in (base / f"{side}{ending}" for ending in ENDINGS) if path.is_file()]
        if len(here) > 1:
            raise BadInput(f"{base} holds {here[0].name} and {here[1].name}", "keep one of them")
        found.update((side, path) for path in here)
    if set(found) not in ({"train", "test"}, {"train"}, {"all"}):
        held = ", ".join(path.name for path in found.values()) or "none of them"
        raise BadInput(f"{base} holds {held}", "give train.jsonl and test.jsonl, or all.jsonl where there is no split")
    return found


def _meta(path: Path) -> Meta:
    with path.open("rb") as file:
        data = file.read(_META_BYTES + 1)
    if len(data) > _META_BYTES:
        raise BadInput(f"{path} is longer than {_META_BYTES:,} bytes", "it is no description of a data set")
    try:
        return Meta.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise BadInput(f"{path}: {where}: {first['msg']}", "correct it, or take it away") from error


def _check(card: DataCard, source: LocalCopy, meta: Meta, tables: Mapping[Side, Sequence[Record]], path: Path) -> None:
    if meta.name != card.name:
        raise BadInput(f"{path} describes {meta.name!r}, not {card.name!r}", "put it into the folder of its own name")
    theirs = {source.fields.names.get(label, label) for label in meta.labels}
    different = theirs ^ {label.name for label in card.labels} if theirs else set[str]()
    if different:
        what = f"{path} and the card differ in the labels {', '.join(sorted(different))}"
        raise BadInput(what, "the copy is of another version of the set")
    for side, table in tables.items():
        if meta.sizes.get(side, len(table)) != len(table):
            what = f"{path} promises {meta.sizes[side]:,} {side} rows, found {len(table):,}"
            raise BadInput(what, "the copy is not complete: get it anew")
