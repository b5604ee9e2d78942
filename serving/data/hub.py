"""Data sets of the Hugging Face hub, with the library `datasets` (the extra `hub`)."""

import importlib
from pathlib import Path
from typing import Any

import httpx

from evaluation.datasets import Fetched, Record
from evaluation.sources import Fields, HubSet, Side
from serving.data.missing import Missing


def hub_set(source: HubSet, cache: Path, token: str | None = None) -> Fetched:
    """The tables of a data set of the hub. Classes that it stores as numbers come back by their names.

    Raises:
        Missing: the library is not installed, or the hub cannot be reached or has no such set, configuration or split.
    """
    try:
        library: Any = importlib.import_module("datasets")
    except ImportError as error:
        raise Missing("the library `datasets` is not installed: pip install 'thresher[hub]'") from error
    tables: dict[Side, list[Record]] = {}
    for side, split in source.splits.items():
        try:
            table = library.load_dataset(
                source.repository,
                name=source.config or None,
                split=split,
                revision=source.revision,
                cache_dir=str(cache),
                token=token,
            )
        # What the library raises for a network, a repository, a configuration and a file that are not there or damaged.
        except (OSError, ValueError, RuntimeError, httpx.HTTPError, library.exceptions.DatasetsError) as error:
            reason = " ".join(str(error).split())[:200]
            raise Missing(f"{source.repository} cannot be read: {type(error).__name__} {reason}") from error
        tables[side] = _records(table, source.fields)
    return Fetched(source, tables)


def _records(table: Any, fields: Fields) -> list[Record]:
    held = [name for name in fields.needed if name in table.column_names]
    names = getattr(table.features.get(fields.label), "names", None)
    rows: list[dict[str, object]] = table.select_columns(held).to_list()
    if names is not None:
        for row in rows:
            row[fields.label] = _named(names, row[fields.label])
    return [dict(row) for row in rows]


def _named(names: list[str], number: object) -> object:
    """The name of a class; a number that has none, such as the -1 of secret labels, stays as it is."""
    return names[number] if isinstance(number, int) and 0 <= number < len(names) else number
