"""Whether the runs of a design differ in its factors and in nothing else, read off their specifications beforehand."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agent.errors import BadInput
from evaluation.ablation_design import Combination

_NAMES = re.compile(r"(^|\.)(arms\.0\.(arm|recipe)\.name|prompts(\.\d+)?)$")
"""What only says which levels there are: names, and fingerprints of the prompts with their slots."""
_MOVES = {
    "batch": r"\.steps\.\d+\.size$",
    "shots": r"\.shown$",
    "verbaliser": r"^task\.labels\.\d+\.(word|description)$",
    "order": r"\.order$|^task\.labels\.",
}
"""What a factor may move in a specification, where that is not the key of its own name or the slot."""


def demand_alike(specs: Sequence[Mapping[str, object]], design: Sequence[Combination], names: Sequence[str]) -> None:
    """Raises BadInput where two runs of the same data and shuffle differ in something that no factor accounts for.

    Whatever differs must follow from the levels of the factors that may move it: runs that agree in those agree there.
    Two cells whose runs do the same are refused as well, since their difference would be 0 by construction.

    Args:
        specs: what decides each run, one a cell of the design, as JSON objects.
        design: the levels of each cell.
        names: what cells are called in the message.
    """
    flat = [{path: value for path, value in _leaves(spec, "") if not _NAMES.search(path)} for spec in specs]
    factors = list(design[0]) if design else []
    for path in sorted(set().union(*flat)):
        values = [each.get(path) for each in flat]
        if all(value == values[0] for value in values):
            continue
        owners = [name for name in factors if re.search(_MOVES.get(name, rf"\.(slots\.)?{name}$"), path)]
        seen: dict[tuple[object, ...], int] = {}
        for i, value in enumerate(values):
            first = seen.setdefault(tuple(design[i][name] for name in owners), i)
            if values[first] != value:
                why = f"though their levels of {' and '.join(owners)} agree" if owners else "which is no factor"
                what = f"{names[first]!r} and {names[i]!r} differ in {path}, {why}: {values[first]!r} and {value!r}"
                raise BadInput(what, "cells of an ablation differ in its factors only")
    _demand_different(flat, names)


_IDLE = {"strength": ("calibration", "none"), "shown_labels": ("slots.context", "none")}
"""A setting that does nothing while another one beside it is at that level (which is that of no key, too)."""


def _at_work(flat: Mapping[str, object]) -> dict[str, object]:
    """A specification without what does nothing in it."""
    found: dict[str, object] = {}
    for path, value in flat.items():
        place, _, name = path.rpartition(".")
        switch, off = _IDLE.get(name, ("", None))
        if not switch or flat.get(f"{place}.{switch}", off) != off:
            found[path] = value
    return found


def _demand_different(flat: Sequence[Mapping[str, object]], names: Sequence[str]) -> None:
    doing = [_at_work(each) for each in flat]
    for i, one in enumerate(doing):
        for j in range(i):
            if doing[j] == one:
                raise BadInput(
                    f"{names[j]!r} and {names[i]!r} are the same run on these data",
                    "take levels that differ there, such as other label words than the names",
                )


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every number and word in a JSON value with where it stands."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{i}")
    else:
        yield path, value
