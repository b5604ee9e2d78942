"""What was found, in sentences. The rule was fixed before any number was seen; a loss is said as plainly as a gain."""

import math
from dataclasses import dataclass
from typing import Literal

from agent.query.diagnose import MOST_FILLED
from evaluation.compare import Difference, Estimate, holm
from evaluation.curves import Evidence
from evaluation.records import Arm, Cell, Comparison, Role
from evaluation.shuffles import Effect

Tone = Literal["gain", "none", "loss", "mixed", "unknown"]

_WORDS: dict[str, str] = {"classic": "the best arm without an LLM", "control": "random people with as many LLM labels"}
_NAMED: tuple[Role, ...] = ("classic", "control")


@dataclass(frozen=True)
class Finding:
    """The method under test beside one other arm, with one student, at the budget."""

    student: str
    focus: Arm
    other: Arm
    difference: Difference
    named: bool
    """True for the comparisons that the headline rests on; the others are descriptive."""
    p: float
    """Corrected for the number of named comparisons; as it is for the others."""

    @property
    def tone(self) -> Tone:
        if math.isnan(self.p):
            return "unknown"
        if self.p >= 0.05 or not self.difference.evidence:
            return "none"
        return "gain" if self.difference.mean > 0 else "loss"


@dataclass(frozen=True)
class Headline:
    tone: Tone
    title: str
    sentences: tuple[str, ...]


def agent(comparison: Comparison) -> Arm | None:
    """The method under test: the first arm of that role."""
    return next((arm for arm in comparison.arms if arm.role == "agent"), None)


def shown(comparison: Comparison, arm: Arm, student: str) -> str:
    """The arm's printed name; an LLM selector whose picks the fallback made, in the mean over seeds, bears its name."""
    cells = comparison.of(arm.name, student)
    renamed = [cell.renamed for cell in cells if cell.renamed not in (None, arm.name)]
    return f"{renamed[0]} (was {arm.shown})" if renamed and filled_share(cells) > MOST_FILLED else arm.shown


def filled_share(cells: tuple[Cell, ...]) -> float:
    """Mean over the cells of the share of LLM picks that the fallback made; nan where no LLM picked."""
    shares = [cell.filled_share for cell in cells if cell.filled_share is not None]
    return sum(shares) / len(shares) if shares else math.nan


def findings(comparison: Comparison, evidence: Evidence) -> tuple[Finding, ...]:
    """The method under test against every other arm with the headline's student.

    Two comparisons are named in advance: against the best arm without an LLM, and against random people with the same
    LLM labels; their p-values are corrected together (Holm). The best classic arm is the one with the highest mean on
    the test set itself, which favours that arm and not ours.
    """
    focus = agent(comparison)
    if focus is None or not comparison.students:
        return ()
    student = comparison.students[0]
    others = [arm for arm in comparison.arms if arm.name != focus.name]
    made = [(arm, _beside(comparison, evidence, focus, arm, student)) for arm in others]
    known = [(arm, difference) for arm, difference in made if difference is not None]
    named = {best.name for best in (_best(comparison, evidence, role, student) for role in _NAMED) if best}
    corrected = iter(holm([difference.p for arm, difference in known if arm.name in named]))
    return tuple(
        Finding(
            student=student,
            focus=focus,
            other=arm,
            difference=difference,
            named=arm.name in named,
            p=next(corrected) if arm.name in named else difference.p,
        )
        for arm, difference in known
    )


def headline(comparison: Comparison, found: tuple[Finding, ...], evidence: Evidence) -> Headline:
    """One line that says whether the method under test won, and the numbers under it."""
    focus, named = agent(comparison), [each for each in found if each.named]
    if focus is None or not named:
        return Headline(
            "unknown", "No arm is under test here, or none stands beside it: all numbers are descriptive.", ()
        )
    student = found[0].student
    own = evidence.estimate(focus.name, student)
    name = shown(comparison, focus, student)
    first = (
        f"{_capital(name)} reaches {percent(own)} accuracy on {comparison.test_size or 'the'} test "
        f"{comparison.item}s with {comparison.budget} human labels ({student}, {_seeds(own.n)})."
    )
    tone = _overall(tuple(each.tone for each in named))
    sentences = (
        first,
        *(_sentence(comparison, each, evidence) for each in named),
        *_machine(found),
    )
    return Headline(tone, _title(tone, name, comparison.budget, named), sentences)


def counted(n: int, what: str) -> str:
    """`1 shuffle`, `3 shuffles`."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def percent(value: Estimate | Effect) -> str:
    """`81.2 % [78.0, 84.1]`, the mean and its interval."""
    if math.isnan(value.mean):
        return "–"
    if math.isnan(value.low):
        return f"{100 * value.mean:.1f} %"
    return f"{100 * value.mean:.1f} % [{100 * value.low:.1f}, {100 * value.high:.1f}]"


def points(value: Difference | Effect) -> str:
    """`+3.1 points [-0.4, +6.6]`."""
    if math.isnan(value.mean):
        return "–"
    if math.isnan(value.low):
        return f"{100 * value.mean:+.1f} points"
    return f"{100 * value.mean:+.1f} points [{100 * value.low:+.1f}, {100 * value.high:+.1f}]"


def _best(comparison: Comparison, evidence: Evidence, role: Role, student: str) -> Arm | None:
    """The arm of that role with the highest mean at the budget; the first one declared where means are equal."""
    arms = [arm for arm in comparison.arms if arm.role == role and comparison.of(arm.name, student)]
    means = {arm.name: evidence.mean(arm.name, student) for arm in arms}
    arms = [arm for arm in arms if not math.isnan(means[arm.name])]
    return max(arms, key=lambda arm: means[arm.name], default=None)


def _beside(comparison: Comparison, evidence: Evidence, focus: Arm, arm: Arm, student: str) -> Difference | None:
    for theirs in (student, ""):
        if comparison.of(arm.name, theirs):
            return evidence.difference(focus.name, arm.name, student, b_student=theirs)
    return None


def _overall(tones: tuple[Tone, ...]) -> Tone:
    if len(set(tones)) == 1:
        return tones[0]
    if "loss" in tones:
        return "mixed" if "gain" in tones else "loss"
    return "mixed" if "gain" in tones else "none"


def _title(tone: Tone, name: str, budget: int, named: list[Finding]) -> str:
    at = f"at {budget} human labels"
    those = "both named alternatives" if len(named) > 1 else "the named alternative"
    titles: dict[Tone, str] = {
        "gain": f"{_capital(name)} is better than {those} {at}.",
        "none": f"No evidence of a gain from {name} {at}{_leaning(named, those)}.",
        "loss": f"{_capital(name)} does worse than a named alternative {at}.",
        "mixed": f"{_capital(name)} does not come out the same way against the two named alternatives {at}.",
        "unknown": f"Not enough seeds to say whether {name} gains anything {at}.",
    }
    return titles[tone]


def _leaning(named: list[Finding], those: str) -> str:
    if all(each.difference.mean > 0 for each in named):
        return f": it is ahead of {those}, by no more than chance may explain"
    if all(each.difference.mean < 0 for each in named):
        return f": it is behind {those}, by no more than chance may explain"
    return ""


def _sentence(comparison: Comparison, finding: Finding, evidence: Evidence) -> str:
    other = evidence.estimate(finding.other.name, finding.student)
    name = shown(comparison, finding.other, finding.student)
    p = "" if math.isnan(finding.p) else f", corrected p {p_value(finding.p)}"
    against = f"Against {_WORDS[finding.other.role]}, {name} at {percent(other)}"
    return f"{against}: {points(finding.difference)}{p}; {verdict(finding)}."


def verdict(finding: Finding) -> str:
    """What the comparison shows, in words that agree with the interval printed beside them."""
    if finding.tone == "none" and finding.difference.evidence:
        return "no evidence of a difference once corrected for the number of comparisons"
    words: dict[Tone, str] = {
        "gain": "a gain" if finding.named else "ahead",
        "loss": "a loss" if finding.named else "behind",
        "none": "no evidence of a difference",
        "mixed": "",
        "unknown": "too few seeds for an interval",
    }
    return words[finding.tone]


def _machine(found: tuple[Finding, ...]) -> tuple[str, ...]:
    """Said only where labels that cost no person come out at least as good."""
    rivals = [each for each in found if each.other.role == "machine" and each.difference.mean <= 0]
    if not rivals:
        return ()
    best = min(rivals, key=lambda each: each.difference.mean)
    name = best.other.shown
    return (f"With no person at all, {name} does as well or better: {points(best.difference)} (descriptive).",)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _seeds(n: int) -> str:
    return "one seed" if n == 1 else f"mean of {n} seeds"


def p_value(value: float) -> str:
    """`= 0.012`, or `< 0.001`."""
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
