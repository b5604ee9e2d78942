"""`thresher export`: the labels of a run, for another program."""

import sys
from pathlib import Path
from typing import Annotated

import typer

FORMATS = "jsonl, csv, parquet, label-studio or argilla"


def export(
    run: Annotated[str, typer.Argument(help="Id of the run, or its folder.")],
    format_: Annotated[str, typer.Option("--format", help=f"{FORMATS}.")] = "jsonl",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; standard output where absent.")
    ] = None,
) -> None:
    """Write the labels of a run as they stand, with what people changed since, in the format of another program."""
    from agent.errors import BadInput
    from serving import settings
    from serving.exchange.files import LABEL_MEDIA, LabelFormat, exported, labels_as
    from serving.runs import wiring
    from serving.runs.reviews import Reviews
    from serving.runs.running import pool_of
    from serving.runs.so_far import rows_of

    formats: dict[str, LabelFormat] = {each: each for each in LABEL_MEDIA}
    kind = formats.get(format_)
    if kind is None:
        raise BadInput(f"--format {format_!r} is no format of labels", FORMATS)
    made = settings.load()
    store = wiring.open_store(made)
    stored = store.find(Path(run).name, str(Path(run).resolve()))
    pool = pool_of(stored.id, made)
    rows = exported(rows_of(store, stored, pool), Reviews(store.engine), stored.id, pool, kind)
    pieces = labels_as(rows, kind)
    if out is None:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
    else:
        beside = out.with_name(f".{out.name}.part")
        with beside.open("wb") as file:
            file.writelines(pieces)
        beside.replace(out)
