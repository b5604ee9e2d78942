"""A study as its page shows it: what came of it over all sets, each set, costs, and how it was done."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import starmap

from evaluation import diagrams, figures, selecting, study_method
from evaluation.asides import chosen
from evaluation.contrasts import Result, Verdict
from evaluation.document import Block, Document, Figure, Pairs, Section
from evaluation.findings import Tone, points
from evaluation.overall import AXES, FULL, HEIGHT, Overall, notes, ranked, sheet
from evaluation.palette import Ink, palette
from evaluation.ranks_figure import critical_difference_svg
from evaluation.raw_rows import Row
from evaluation.records import Cell
from evaluation.shuffles import BY_T, ENOUGH, LEAST
from evaluation.study_figures import arms, curve_figure, reached_figure
from evaluation.study_record import StudyLeft
from evaluation.table import Sheet, count, mean
from evaluation.targets import SAVED, TITLE, early, forecasts, reached, spared
from evaluation.verdicts import COVERS, named, of, sides, told


def study_document(left: StudyLeft, curves: Sequence[Row]) -> Document:
    """The whole page. `curves` are the rows of `evaluation.overall.curve_rows`."""
    overall = left.overall
    inks = palette(tuple(arms(overall).values()))
    results = overall.results()
    tone, finding = _finding(results)
    many = len(overall.sets) > 1
    sections = [_together(overall, results, inks)]
    sections += [_set(overall, name, curves, inks, alone=not many) for name in overall.sets]
    sections += [
        Section(
            "costs", "What it cost", (Block(sheet=_costs(overall), note=_COSTS), study_method.time_block(left.record))
        ),
        _selectors(overall),
        study_method.data_section(left.record),
        study_method.method_section(left.record, _settings(left)),
        study_method.prompt_section(left.record),
        study_method.caveat_section(left.record, _caveats(left), len(left.record.unfinished)),
        study_method.files_section(),
    ]
    return Document(
        title=f"Study {left.record.study.name}" + (f": {left.record.study.about}" if left.record.study.about else ""),
        tone=tone,
        finding=finding,
        sentences=tuple(line for line in told(results)[1:] if not line.startswith(" ")),
        facts=_facts(left),
        sections=tuple(sections),
        inks=tuple(inks.values()),
    )


_COSTS = (
    "Means over the cells of whole shuffles. An answer that was already in the ledger counts with what it cost when it "
    "was first asked, so that arms are charged alike, whichever ran first."
)
_LINES = (
    "Bands: 95 % intervals over shuffles, of the arms that a contrast names; each holds for its "
    "amount alone, and is cut where it would leave the picture."
)


def _finding(results: Sequence[Result]) -> tuple[Tone, str]:
    verdicts: list[Verdict] = [each.verdict for each in results]
    if not verdicts:
        return "unknown", "No contrast was named before the run: everything is descriptive."
    words: dict[Verdict, str] = {
        "gain": "a gain",
        "loss": "a loss",
        "none": "no evidence of a gain",
        "unknown": "undefined",
    }
    tone: Tone = results[0].verdict if len(set(verdicts)) == 1 else "mixed"
    if len(verdicts) == 1:
        return tone, f"1 contrast was named before the run: {words[verdicts[0]]}."
    said = ", ".join(f"{word} in {verdicts.count(verdict)}" for verdict, word in words.items() if verdict in verdicts)
    return tone, f"{len(verdicts)} contrasts were named before the run: {said}."


def _facts(left: StudyLeft) -> Pairs:
    record, study = left.record, left.record.study
    n = [n for row in record.shuffles.values() for n in row.values()]
    shuffles = f"{min(n)}" if min(n) == max(n) else f"{min(n)} to {max(n)}"
    return (
        (f"{len(study.sets)}", "data set" if len(study.sets) == 1 else "data sets"),
        (f"{len(study.arms)}", "arms"),
        (f"{len(study.students)}", "student" if len(study.students) == 1 else "students"),
        (shuffles, "whole shuffles"),
        (f"{study.budget}", "labels of people an arm"),
        (f"{record.done:,}", "cells"),
    )


def _together(overall: Overall, results: Sequence[Result], inks: Mapping[str, Ink]) -> Section:
    many = len(overall.sets)
    sets = "1 data set" if many == 1 else f"mean over {many} data sets, each counting once"
    what = "shuffles" if many == 1 else "data sets"
    at = f"At {overall.study.budget} labels of people; {sets}; n is the number of whole shuffles."
    drawn = [Figure(f"budget-{s.name}", reached_figure(overall, s.name, inks)) for s in overall.study.students]
    effects = [(named(each.contrast), each.overall, True) for each in results]
    forest = figures.forest("Named contrasts", "Named contrasts in points", effects)
    lines = told(results)
    ranks = overall.ranks()
    return Section(
        "results",
        "What each arm reached" if many == 1 else "All data sets together",
        (
            Block(
                figures=_known(drawn),
                caption=f"Dot: mean. Bar: 95 % interval. Ticks: single {what}. Bars of two arms may overlap although "
                "the arms differ, since they are compared shuffle by shuffle: see the contrasts.",
                sheet=sheet(overall),
                note=" ".join(filter(None, [at, HEIGHT, FULL if overall.full else "", COVERS])),
            ),
            Block(title="The arms", bullets=tuple(notes(overall))),
            Block(
                title="Contrasts",
                lines=lines[:1],
                figures=_known([Figure("contrasts", forest)]),
                caption="Filled: named before the run and tested.",
                sheet=_set_by_set(results) if many > 1 else None,
                note="The sets one by one are descriptive." if many > 1 and results else "",
            ),
            Block(
                title="Ranks",
                bullets=tuple(starmap(ranked, ranks.items())),
                figures=tuple(
                    Figure(f"ranks-{student}", critical_difference_svg(found)) for student, found in ranks.items()
                ),
            ),
        ),
    )


def _set_by_set(results: Sequence[Result]) -> Sheet:
    """Each contrast over all sets, and in each of them."""
    sets = [name for name, _ in results[0].by_set] if results else []
    measures = {of(each.contrast.measure) for each in results}
    alike = len(measures) == 1

    def row(result: Result) -> tuple[str, ...]:
        found = (result.overall, *(there for _, there in result.by_set))
        name = sides(*result.contrast.sides) if alike else named(result.contrast)
        return name, *(points(each).replace(" points", "") for each in found)

    what = f"{measures.pop()}, in points" if alike else "in points"
    return Sheet((what, "all sets", *sets), tuple(map(row, results)))


def _set(overall: Overall, name: str, curves: Sequence[Row], inks: Mapping[str, Ink], *, alone: bool) -> Section:
    """One set: curves over labels and costs; beside others also its own table and contrasts, which are descriptive."""
    study, here, own = overall.study, overall.sets[name], overall.alone(name)
    if not here.cells:
        return Section(f"set-{name}", name, (Block(lines=("No shuffle is whole.",)),))
    rows = [row for row in curves if row["data"] == name]
    students = [each.name for each in study.students]
    over = {axis: [curve_figure(own, name, rows, each, axis, inks) for each in students] for axis in AXES}
    costs = [each for axis in AXES if axis != "labels" for each in over[axis]]
    targets = reached(here, study.pairs, study.targets)
    saved = spared(here, study.contrasts, study.targets)
    beside = [] if alone else [Block(sheet=sheet(own))]
    return Section(
        f"set-{name}",
        f"{name}: learning curves" if alone else name,
        (
            Block(figures=_known(over["labels"]), caption=f"Means over whole shuffles on the test part. {_LINES}"),
            *beside,
            Block(title="Over what was spent", figures=_known(costs), caption=_LINES),
            Block(title=TITLE, sheet=replace(targets, left=len(targets.head)), note="".join(early(targets))),
            Block(title=SAVED, sheet=replace(saved, left=len(saved.head))),
            Block(
                title="Labels saved, forecast",
                bullets=tuple(s.strip() for s in forecasts(here, study.contrasts) if s.strip()),
            ),
        ),
    )


def _known(drawn: Sequence[Figure]) -> tuple[Figure, ...]:
    return tuple(each for each in drawn if each.svg)


def _costs(overall: Overall) -> Sheet:
    head = ("arm", "student", "labels", "human min", "LLM calls", "tokens in", "cached", "tokens out", "LLM s")
    noted = list(dict.fromkeys(name for each in overall.comparisons for cell in each.cells for name in cell.notes))
    rows = [(arm, student, cells) for arm, student in overall.pairs if (cells := overall.cells(arm, student))]
    found = [
        (arm, student or "(LLM itself)", *_cost(cells), *(_note(cells, n) for n in noted))
        for arm, student, cells in rows
    ]
    return Sheet((*head, *noted), tuple(found), left=2)


def _cost(cells: Sequence[Cell]) -> tuple[str, ...]:
    return (
        count(mean(cells, lambda cell: cell.cost.human_labels)),
        f"{mean(cells, lambda cell: cell.cost.human_seconds) / 60:.1f}",
        count(mean(cells, lambda cell: cell.cost.calls)),
        count(mean(cells, lambda cell: cell.cost.tokens_in)),
        count(mean(cells, lambda cell: cell.cost.cached_tokens)),
        count(mean(cells, lambda cell: cell.cost.tokens_out)),
        count(mean(cells, lambda cell: cell.cost.seconds)),
    )


def _note(cells: Sequence[Cell], name: str) -> str:
    """Mean over the cells that have it."""
    known = [cell.notes[name] for cell in cells if name in cell.notes]
    return f"{sum(known) / len(known):,.4g}" if known else "–"


def _selectors(overall: Overall) -> Section:
    """How the LLM chose, arm by arm; nothing where it chose nothing."""
    blocks: list[Block] = []
    for arm, student in overall.pairs:
        cells = [
            cell
            for cell in overall.cells(arm, student)
            if cell.filled_share is not None or cell.quartiles or "read" in cell.notes
        ]
        if not cells:
            continue
        known = [cell.quartiles for cell in cells if cell.quartiles is not None]
        drawn = ""
        if known:
            first, second, third, last = (sum(column) / len(known) for column in zip(*known, strict=True))
            drawn = diagrams.quartiles((first, second, third, last), f"{arm}, {student}")
        figure = Figure(f"quartiles-{arm}-{student}", drawn)
        blocks.append(
            Block(title=f"{arm}, {student}", bullets=tuple(chosen(cells)), figures=_known([figure]), small=True)
        )
    balance = [
        Block(title=f"{name}: own picks by gold label", sheet=selecting.classes(overall, name)) for name in overall.sets
    ]
    table = Block(sheet=selecting.sheet(overall), note=selecting.LEGEND if blocks else "")
    return Section("selector", "How the LLM chose", (table, *balance, *blocks) if blocks else ())


def _settings(left: StudyLeft) -> Pairs:
    record, study = left.record, left.record.study
    n = "; ".join(f"{name}: " + ", ".join(f"{s} {k}" for s, k in row.items()) for name, row in record.shuffles.items())
    trainings = ", ".join(f"{s.name} {s.trainings or study.trainings}" for s in study.students)
    full = "; ".join(
        f"{name}: " + ", ".join(f"{s} {a:.1%}" for s, a in row.items()) for name, row in record.of_full.items()
    )
    return (
        ("whole shuffles", n),
        ("trainings of each shuffle", trainings),
        ("pool and test part, texts", f"{study.pool:,} and {study.test:,}"),
        ("rows used", study.part),
        ("people", f"simulated from gold, {study.people.noise:.0%} wrong answers, {study.people.seconds:g} s a label"),
        ("texts the LLM labels", str(study.llm.reads)),
        ("accuracy with every gold label of the pool", full),
    )


def _caveats(left: StudyLeft) -> list[str]:
    record = left.record
    found = [COVERS]
    fewest = min((n for row in record.shuffles.values() for n in row.values()), default=ENOUGH)
    if fewest < ENOUGH:
        found.append(BY_T)
    if fewest < LEAST:
        found.append("With five shuffles or fewer of one set no sign-flip test can reach p < 0.05.")
    for student in record.study.students:
        if (student.trainings or record.study.trainings) == 1:
            found.append(
                f"{student.name}: each shuffle was trained on once, so that its spread holds that of training."
            )
    return found
