"""The design of an ablation: which combinations of levels are run, and which effects they can show.

An effect is a sum over the cells of the design with weights that sum to 0:

- *main effect* of a level: mean of the cells with it minus mean of the cells with the factor's first level (the
  reference), over all levels of the other factors;
- *interaction* of two levels: by how much the one effect differs where the other level stands instead of its reference,
  `(y_ab - y_a0) - (y_0b - y_00)`, each a mean over the other factors. (Textbooks on two-level designs halve it.)
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Literal

import numpy as np

from agent.errors import BadInput
from evaluation.metrics import Floats
from prompts.messages import Frozen

Level = str | int | float
Factors = Mapping[str, Sequence[Level]]
"""Levels by factor; the first one is the reference."""
Combination = dict[str, Level]
"""One cell of a design: a level for each factor."""
Fraction = Literal["full", "half", "one-at-a-time"]
"""`half`: every second cell of a design of two-level factors, by the parity of their levels (defining relation
I = AB…, resolution = number of factors). `one-at-a-time`: the references, and every cell that differs from them in one
factor; it shows no interaction."""

LEAST_HALF = 4
"""With three factors, half a design takes every main effect for an interaction of the other two."""


class Contrast(Frozen):
    """A main effect (one part) or an interaction (two parts): factors with the level that is held against the first."""

    parts: tuple[tuple[str, Level], ...]

    @property
    def order(self) -> int:
        return len(self.parts)


def combined(factors: Factors, fraction: Fraction = "full") -> tuple[Combination, ...]:
    """The cells of the design; the last factor changes fastest.

    Raises:
        BadInput: half a design of fewer than four factors, or of one that has other than two levels.
    """
    whole = tuple(dict(zip(factors, levels, strict=True)) for levels in product(*factors.values()))
    if fraction == "one-at-a-time":
        return tuple(cell for cell in whole if len(changed(cell, factors)) <= 1)
    if fraction == "full":
        return whole
    odd = [name for name, levels in factors.items() if len(levels) != 2]
    if odd or len(factors) < LEAST_HALF:
        what = f"{odd[0]!r} has {len(factors[odd[0]])} levels" if odd else f"there are {len(factors)} factors"
        raise BadInput(
            f"half a design needs {LEAST_HALF} factors or more of two levels each; {what}", "take fraction = 'full'"
        )
    return tuple(cell for cell in whole if len(changed(cell, factors)) % 2 == 0)


def changed(cell: Combination, factors: Factors) -> tuple[str, ...]:
    """The factors that are not at their reference."""
    return tuple(name for name, level in cell.items() if level != factors[name][0])


def main_effects(factors: Factors) -> tuple[Contrast, ...]:
    return tuple(Contrast(parts=((name, level),)) for name, levels in factors.items() for level in levels[1:])


def interactions(factors: Factors) -> tuple[Contrast, ...]:
    """Of every two factors."""
    pairs = combinations(main_effects(factors), 2)
    return tuple(Contrast(parts=(*a.parts, *b.parts)) for a, b in pairs if a.parts[0][0] != b.parts[0][0])


def possible(factors: Factors, fraction: Fraction) -> tuple[Contrast, ...]:
    """Every effect that the design can show, alone or mixed up with another: main effects first."""
    return main_effects(factors) + (() if fraction == "one-at-a-time" else interactions(factors))


def weights(contrast: Contrast, factors: Factors, fraction: Fraction) -> Floats:
    """(cells,): what each cell counts for in the effect; they sum to 0."""
    design = combined(factors, fraction)
    own = {name for name, _ in contrast.parts}
    aside = fraction == "one-at-a-time"  # cells that differ elsewhere are no comparison
    kept = [not aside or set(changed(cell, factors)) <= own for cell in design]
    found = np.zeros(len(design))
    for taken in product((True, False), repeat=contrast.order):
        wanted = {
            name: level if take else factors[name][0] for (name, level), take in zip(contrast.parts, taken, strict=True)
        }
        here = np.array(
            [
                keep and all(cell[name] == level for name, level in wanted.items())
                for cell, keep in zip(design, kept, strict=True)
            ]
        )
        found += math.prod(1 if take else -1 for take in taken) * here / here.sum()
    return found


def aliases(contrast: Contrast, factors: Factors, fraction: Fraction) -> tuple[Contrast, ...]:
    """Main effects and interactions of two that this design cannot tell from it: their weights are proportional."""
    if fraction != "half":
        return ()
    own = weights(contrast, factors, fraction)
    return tuple(
        other
        for other in possible(factors, fraction)
        if other != contrast and _cosine(own, weights(other, factors, fraction)) > 1 - 1e-9
    )


def named(contrast: Contrast, factors: Factors) -> str:
    """`mode: no-cot - cot`, or `mode (no-cot) x advice (strategies)`."""
    if contrast.order == 1:
        name, level = contrast.parts[0]
        return f"{name}: {level} - {factors[name][0]}"
    return " x ".join(f"{name} ({level})" for name, level in contrast.parts)


def read_effect(text: str, factors: Factors) -> tuple[Contrast, ...]:
    """The effects that a name in a file stands for: `mode`, `mode=no-cot`, `mode x advice`, `mode=no-cot x advice`.

    A factor without a level means all of its levels but the first.

    Raises:
        BadInput: an unknown factor or level, a reference level, or not one or two different factors.
    """
    parts = [_part(part.strip(), text, factors) for part in text.split(" x ")]
    names = [part[0][0] for part in parts]
    if len(parts) > 2 or len(set(names)) < len(names):
        raise BadInput(
            f"the effect {text!r} is not of one factor or of two different ones", "write it as 'mode x advice'"
        )
    return tuple(Contrast(parts=each) for each in product(*parts))


def _part(text: str, whole: str, factors: Factors) -> list[tuple[str, Level]]:
    name, _, level = text.partition("=")
    if name not in factors:
        raise BadInput(
            f"the effect {whole!r} names the factor {name!r}, and there is none", f"known: {', '.join(factors)}"
        )
    others = factors[name][1:]
    found = [each for each in others if not level or str(each) == level]
    if not found:
        what = f"the effect {whole!r} names the level {level!r}"
        raise BadInput(what, f"{name} is held against {factors[name][0]!r}: take {', '.join(map(str, others))}")
    return [(name, each) for each in found]


def _cosine(a: Floats, b: Floats) -> float:
    return abs(float(a @ b)) / math.sqrt(float(a @ a) * float(b @ b))
