"""People who answer through a file: the run writes what it wants labelled, somebody fills it in, the run goes on."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.annotate.human import NOTHING
from agent.domain import Annotation, Example, Task
from agent.errors import BadInput, Waiting
from agent.protocols import Response
from serving.runs.tables import read_cells
from serving.system.atomic import write

UNDECIDED = "?"
"""What a person writes who cannot decide; it costs a label as well."""


class FilePeople:
    """Answers from `round-N.csv` in a folder: columns id, text, label. The machine's opinion is not in it."""

    def __init__(self, folder: Path, task: Task, name: str = "file") -> None:
        self._folder, self._task, self._name = folder, task, name

    def answers(
        self, examples: Sequence[Example], index: int, suggested: Mapping[str, Annotation] = NOTHING
    ) -> dict[str, Response]:
        """By example id. Raises Waiting while a label is missing, BadInput for one that the task does not have."""
        del suggested  # the file is filled in blind
        path = self._folder / f"round-{index}.csv"
        given = self._given(path)
        missing = tuple(e.id for e in examples if not given.get(e.id))
        if missing:
            self._write(path, examples, given)
            raise Waiting(missing, f"fill the column `label` in {path}")
        return {e.id: Response(self._label(path, e.id, given[e.id]), name=self._name) for e in examples}

    def _given(self, path: Path) -> dict[str, str]:
        if not path.exists():
            return {}
        rows = read_cells(path)
        if rows and not {"id", "label"} <= rows[0].keys():
            raise BadInput(f"{path} has lost its columns `id` and `label`", "put them back, or delete the file")
        return {row["id"]: row["label"].strip() for row in rows}

    def _label(self, path: Path, id_: str, text: str) -> str | None:
        if text == UNDECIDED:
            return None
        names = self._task.names
        alike = [text] if text in names else [name for name in names if name.casefold() == text.casefold()]
        if len(alike) != 1:
            hint = f"use one of {', '.join(names)}, or {UNDECIDED} for cannot decide"
            raise BadInput(f"{path}: {id_!r} is labelled {text!r}, no label of the task", hint)
        return alike[0]

    def _write(self, path: Path, examples: Sequence[Example], given: dict[str, str]) -> None:
        """Keeps what is filled in already."""
        lines = _Lines()
        pairs = any(e.text_b is not None for e in examples)
        writer = csv.writer(lines)
        writer.writerow(["id", "text", *(["text_b"] if pairs else []), "label"])
        for e in examples:
            writer.writerow([e.id, e.text, *([e.text_b or ""] if pairs else []), given.get(e.id, "")])
        write(path, "".join(lines))


class _Lines(list[str]):
    """What a CSV writer writes to."""

    def write(self, text: str) -> None:
        self.append(text)
