"""How the small students lie on disk: `student.json` says what it is, `arrays.npz` holds the numbers. No pickles."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from agent.domain import Task
from agent.errors import ModelError
from agent.protocols import Floats
from prompts.messages import Frozen


class Card(Frozen):
    """What `student.json` says."""

    kind: str
    labels: tuple[str, ...]
    encoder: str = ""
    encoder_folder: str = ""
    vocabulary: tuple[str, ...] = ()
    max_length: int | None = None
    """Tokens that a student of its own encoder reads of a text."""
    precision: Literal["float32", "bfloat16"] = "float32"


def write_student(folder: Path, card: Card, arrays: Mapping[str, Floats]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "arrays.npz").open("wb") as out:
        save: Any = np.savez  # its annotation takes any name for `allow_pickle`
        save(out, **arrays)
    (folder / "student.json").write_text(card.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_card(folder: Path, kind: str, task: Task) -> Card:
    """Raises ModelError where the folder holds no student of this kind, or one for other labels."""
    try:
        card = Card.model_validate_json((folder / "student.json").read_bytes())
    except (OSError, ValueError) as e:
        raise ModelError(f"{folder} holds no readable student", "train it again") from e
    if card.kind != kind:
        raise ModelError(
            f"{folder} holds a student of the kind {card.kind!r}, not {kind!r}", "load it with its own kind"
        )
    if card.labels != task.names:
        raise ModelError(f"{folder} classifies {', '.join(card.labels)}", f"this task has {', '.join(task.names)}")
    return card


def read_arrays(folder: Path, *names: str) -> dict[str, NDArray[np.float64]]:
    """Raises ModelError where one is missing."""
    try:
        # Opened here, since NumPy leaves a file open that turns out to be no archive.
        with (folder / "arrays.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: np.asarray(stored[name], np.float64) for name in names}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as e:
        raise ModelError(f"{folder} holds no readable arrays.npz with {', '.join(names)}", "train it again") from e
