"""Which colour and dash each arm has in every figure of a report."""

from collections import defaultdict
from dataclasses import dataclass

from evaluation.records import Arm, Role

# Told apart by people with the common colour deficiencies, together with the dashes; (on white, on a dark ground).
_COLOURS: dict[Role, tuple[tuple[str, str], ...]] = {
    "agent": (("#c2410c", "#fb923c"), ("#be185d", "#f472b6")),
    "control": (("#7c3aed", "#b59cff"), ("#a21caf", "#e879f9")),
    "machine": (("#0f766e", "#2dd4bf"), ("#4d7c0f", "#a3e635"), ("#0e7490", "#22d3ee")),
    "classic": (("#1d4ed8", "#7aa8ff"), ("#0369a1", "#38bdf8"), ("#475569", "#a8b3c4"), ("#4338ca", "#a5b4fc")),
    "ablation": (("#a16207", "#eab308"), ("#92400e", "#d6a36b"), ("#b91c1c", "#f87171")),
}
_DASHES = ("", "6 3", "2 3", "9 3 2 3")


@dataclass(frozen=True)
class Ink:
    """How one arm is drawn."""

    variable: str
    """Name of the CSS variable that a page sets."""
    light: str
    dark: str
    dash: str = ""
    width: float = 1.6

    @property
    def colour(self) -> str:
        """For a style attribute; the colour for white ground where no page sets the variable."""
        return f"var(--{self.variable},{self.light})"

    def stroke(self, extra: str = "") -> str:
        dash = f";stroke-dasharray:{self.dash}" if self.dash else ""
        return f"stroke:{self.colour};stroke-width:{self.width:g}{dash};{extra}"


def palette(arms: tuple[Arm, ...]) -> dict[str, Ink]:
    """By name of the arm. Arms of one role share a family of colours; the arm under test is drawn thickest."""
    taken: dict[Role, int] = defaultdict(int)
    inks: dict[str, Ink] = {}
    for number, arm in enumerate(arms):
        rank = taken[arm.role]
        taken[arm.role] += 1
        colours = _COLOURS[arm.role]
        light, dark = colours[rank % len(colours)]
        thick = {"agent": 2.8, "control": 2.2}.get(arm.role, 1.6)
        # Once the colours are used up, the dashes move on, so that no pair comes twice before all are taken.
        inks[arm.name] = Ink(f"arm{number}", light, dark, _dash(arm.role, rank + rank // len(colours)), thick)
    return inks


def _dash(role: Role, rank: int) -> str:
    first = {"agent": 0, "control": 0, "classic": 0, "machine": 2, "ablation": 1}[role]
    return _DASHES[(first + rank) % len(_DASHES)]
