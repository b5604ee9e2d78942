"""Studies: paired, done once, the same whoever does the cells."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import ColumnElement, select

from agent.errors import BadInput
from agent.loop import Outcome
from evaluation.rebuild import told
from evaluation.records import Comparison
from evaluation.study import Planned, parse
from evaluation.study_record import StudyLeft, StudyRecord
from evaluation.walltime import Worked
from serving.commands import study as command
from serving.database import reading, writing
from serving.runs import running
from serving.runs.job import Cell
from serving.runs.schema import steps
from serving.runs.store import NoRun
from serving.runs.worker import Look, Worker
from serving.studies import hands
from serving.studies.folders import load
from serving.studies.hand import Bundle, Done, Hand, Spent
from serving.studies.hands import Finished, Own
from serving.studies.jobs import Item
from serving.studies.reports import replay
from serving.studies.results import leave
from serving.studies.runner import Ready, carry_out, needs_llm, ready, recorded
from serving.system import machine
from tests.support.toy_runs import Remembering
from tests.support.toy_studies import SMALL, done, screen, small, toy_study


def by_plan(work: Ready, ended: dict[str, Done]) -> dict[Planned, Done]:
    return {item.plan: ended[item.key] for item in work.items if item.plan}


def test_every_arm_of_a_shuffle_sees_the_same_order_and_seed_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[Planned, tuple[list[str], list[str]]] = {}
    study = small(sets=["weather"])
    work = toy_study(study, tmp_path)
    plain = Worker.outcome

    def looked(self: Worker, cell: Cell, observe: Look | None = None, scouted: Look | None = None) -> Outcome:
        outcome = plain(self, cell, observe, scouted)
        (plan,) = [item.plan for item in work.items if item.job == self.job]
        assert plan is not None
        seen[plan] = list(outcome.pool.columns.ids), [p.example.id for p in outcome.batches[0].picks]
        return outcome

    monkeypatch.setattr(Worker, "outcome", looked)
    done(work)
    assert len(seen) == 8
    for shuffle in (0, 1):
        found = [told for plan, told in seen.items() if plan.shuffle == shuffle]
        assert all(told == found[0] for told in found), "whatever the arm and the student"
    orders = {plan.shuffle: told for plan, told in seen.items()}
    assert orders[0][0] != orders[1][0]
    assert set(orders[0][0]) == set(orders[1][0]), "the pool of a set is fixed"
    assert orders[0][1] != orders[1][1]


class Dying(Own):
    """Hands that are killed after some cells."""

    left = 0

    def finished(self, patience: float) -> Finished:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return super().finished(patience)


def dying(cells: int) -> Callable[[Bundle], Dying]:
    def make(bundle: Bundle) -> Dying:
        made = Dying(bundle)
        made.left = cells
        return made

    return make


def test_a_killed_study_does_only_what_is_missing_and_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = small()
    whole = toy_study(study, tmp_path / "whole")
    expected = by_plan(whole, done(whole).done)
    with pytest.raises(KeyboardInterrupt):
        carry_out(toy_study(study, tmp_path / "killed"), dying(5), screen())
    again = toy_study(study, tmp_path / "killed")
    assert len(recorded(again)) == 5
    measured: list[str] = []
    plain = Hand.do

    def counted(self: Hand, item: Item) -> Done:
        measured.append(item.key)
        return plain(self, item)

    monkeypatch.setattr(Hand, "do", counted)
    ended = done(again)
    assert len(measured) == len(set(measured)) == len(again.items) - 5
    assert {p: d.record for p, d in by_plan(again, ended.done).items()} == {p: d.record for p, d in expected.items()}
    measured.clear()
    done(toy_study(study, tmp_path / "killed"))
    assert not measured


def test_time_and_machines_are_those_of_all_processes_whichever_came_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def last() -> tuple[Worked, str]:
        work = toy_study(small(), tmp_path)
        text = leave(work, done(work), tmp_path / "out")
        assert replay(tmp_path / "out").differences == 0
        return StudyRecord.model_validate_json((tmp_path / "out" / "study.json").read_text()).worked, text

    monkeypatch.setattr(machine, "line", lambda: "2 cores, 24 GiB")
    with pytest.raises(KeyboardInterrupt):
        carry_out(toy_study(small(), tmp_path), dying(5), screen())
    monkeypatch.setattr(machine, "line", lambda: "16 cores, 126 GiB")
    whole, text = last()
    assert whole.machines == {"2 cores, 24 GiB": 5, "16 cores, 126 GiB": 11}
    assert f"16 of 16 cells, whole; cells took {whole.took} of wall time; on 2 cores, 24 GiB: 5 cells; on 16" in text
    work = toy_study(small(), tmp_path)
    spans = [each.spent.span for each in recorded(work).values() if each.spent]
    seconds = [(each.ended - each.begun).total_seconds() for each in spans if each]
    assert whole.wall is not None
    assert max(seconds) <= whole.wall <= sum(seconds) + 1e-3
    monkeypatch.setattr(machine, "line", lambda: "1 core, 1 GiB")
    assert last() == (whole, text), "a process that does no cell changes nothing"


def spent_of(work: Ready, item: Item) -> ColumnElement[bool]:
    return (steps.c.run == work.bundle.run) & (steps.c.key == f"{item.key}/spent")


def test_cells_that_recorded_no_machine_are_counted_as_such(tmp_path: Path) -> None:
    """As a store of an earlier version holds them: `spent` without machine and time, or none at all."""
    work = toy_study(small(), tmp_path)
    done(work)
    first, second, *rest = work.items
    with writing(work.store.engine) as connection:
        connection.execute(
            steps.update().where(spent_of(work, first)).values(value='{"seconds":2.5,"parts":{"training":1.5}}')
        )
        connection.execute(steps.delete().where(spent_of(work, second)))
    again = toy_study(small(), tmp_path)
    assert len(recorded(again)) == len(again.items), "what is recorded of the time is no part of a cell's key"
    ended = done(again)
    assert ended.done[first.key].spent == Spent(seconds=2.5, parts={"training": 1.5})
    text = leave(again, ended, tmp_path / "out")
    assert "16 of 16 cells, whole; cells took at least " in text
    assert f": {len(rest)} cells; machine not recorded: 2 cells\n" in text
    assert replay(tmp_path / "out").differences == 0
    kept = Comparison.model_validate_json((tmp_path / "out" / f"{first.data}.json").read_text())
    assert kept.seconds is None
    assert kept.machine.endswith("machine not recorded: 2 cells")


def test_cells_brought_from_the_store_of_another_machine_keep_their_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "line", lambda: "16 cores, 126 GiB")
    there = toy_study(small(), tmp_path / "there")
    with pytest.raises(KeyboardInterrupt):
        carry_out(there, dying(3), screen())
    with reading(there.store.engine) as connection:
        rows = [dict(row) for row in connection.execute(select(steps)).mappings()]
    monkeypatch.setattr(machine, "line", lambda: "2 cores, 24 GiB")
    here = toy_study(small(), tmp_path / "here")
    with writing(here.store.engine) as connection:
        connection.execute(steps.insert(), rows)
    ended = done(here)
    leave(here, ended, tmp_path / "out")
    record = StudyRecord.model_validate_json((tmp_path / "out" / "study.json").read_text())
    assert record.worked.machines == {"16 cores, 126 GiB": 3, "2 cores, 24 GiB": 13}


def test_more_shuffles_and_arms_keep_what_was_done(tmp_path: Path) -> None:
    done(toy_study(small(), tmp_path))
    arms = [{"strategy": {"kind": kind}} for kind in ("random", "margin", "entropy")]
    more = toy_study(small(shuffles=3, arms=arms, points=[16]), tmp_path)
    assert len(recorded(more)) == 0, "other points are other curves"
    more = toy_study(small(shuffles=3, arms=arms, targets=[0.9], minutes=1.0, about="more"), tmp_path)
    assert len(recorded(more)) == len(toy_study(small(), tmp_path).items) == 16


def test_the_time_limit_keeps_whole_shuffles(tmp_path: Path) -> None:
    study = small(sets=["weather"], shuffles=3, minutes=1.0)
    work = toy_study(study, tmp_path)
    moments = iter([0.0, *[1.0] * 6, *[61.0] * 9])  # up after six of twelve cells: a shuffle is four
    ended = carry_out(work, Own, screen(), clock=lambda: next(moments))
    assert ended.late
    assert 4 < len(ended.done) < 8
    text = leave(work, ended, tmp_path / "out")
    record = StudyRecord.model_validate_json((tmp_path / "out" / "study.json").read_text())
    kept = Comparison.model_validate_json((tmp_path / "out" / "weather.json").read_text())
    assert record.ended == "ended by its time limit of 1 minute"
    assert (record.planned, record.done) == (12, len(ended.done))
    assert record.shuffles["weather"]["svm"] in (1, 2)
    for student, n in record.shuffles["weather"].items():
        assert {c.seed for c in kept.cells if c.student == student} == set(range(n))
        assert f"{student} {n}" in text
    rest = done(toy_study(study, tmp_path))
    assert not rest.late
    assert len(rest.done) == 12


def test_cells_of_a_shuffle_that_is_not_whole_are_kept_and_are_in_no_table(tmp_path: Path) -> None:
    study = small(sets=["weather"], minutes=1.0)
    work = toy_study(study, tmp_path)
    moments = iter([0.0, *[1.0] * 5, *[61.0] * 9])
    ended = carry_out(work, Own, screen(), clock=lambda: next(moments))
    assert len(ended.done) == 5, "a shuffle of one student is two cells"
    leave(work, ended, tmp_path / "out")
    with (tmp_path / "out" / "cells.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["whole"] for row in rows] == ["True"] * 8 + ["False"] * 2
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "1 cell of a shuffle that is not whole is in no table." in page
    assert replay(tmp_path / "out").differences == 0


def test_an_llm_is_asked_nothing_twice_and_by_one_cell_at_a_time(tmp_path: Path) -> None:
    arms = [{"strategy": {"kind": "random"}}, {"recipe": "machine-only"}, {"recipe": "random-and-machine"}]
    study = small(
        sets=["weather"], arms=arms, contrasts=[], llm={"reads": 12, "test_reads": 6, "sample": 12}, full=True
    )
    chat = Remembering()
    work = toy_study(study, tmp_path, chat)
    ended = done(work)
    assert len(ended.done) == 12 + 2 + 1
    assert max(chat.sent.values()) == 1
    text = leave(work, ended, tmp_path / "out")
    assert "the LLM itself, zero-shot" in text
    assert "of full" in text
    assert "Seconds of the LLM are those of the machine" not in text
    assert text.count("\nLLM: ") == 1
    machines = {"2 cores": 3, "16 cores": 12}
    left = load(tmp_path / "out")
    assert isinstance(left, StudyLeft)
    record = left.record.model_copy(update={"worked": left.record.worked.model_copy(update={"machines": machines})})
    assert "Seconds of the LLM are those of the machine that did a cell" in told(replace(left, record=record))
    kept = Comparison.model_validate_json((tmp_path / "out" / "weather.json").read_text())
    assert [c.arm for c in kept.cells if not c.student] == ["zero-shot"]
    raw = pq.read_table(tmp_path / "out" / "cells.parquet").to_pylist()
    assert {(row["arm"], row["student"]) for row in raw if row["arm"] in ("full", "zero-shot")} == {
        ("full", "svm"),
        ("full", "linear"),
        ("zero-shot", ""),
    }
    again = Remembering()
    done(toy_study(study, tmp_path, again))
    assert not again.sent


def test_a_contrast_with_the_llm_is_undefined_where_time_ran_out_before_a_set(tmp_path: Path) -> None:
    named = {"a": "margin", "b": "zero-shot", "student": "svm", "b_student": ""}
    study = small(contrasts=[named], llm={"test_reads": 30, "sample": 12}, students=["svm"], minutes=1.0)
    moments = iter([0.0, *[1.0] * 4, *[61.0] * 9])
    work = toy_study(study, tmp_path, Remembering())
    ended = carry_out(work, Own, screen(), clock=lambda: next(moments))
    assert {item.data for item in work.items if item.plan and item.key in ended.done} == {"weather"}
    text = leave(work, ended, tmp_path / "out")
    assert re.search(r"margin \(svm\) - zero-shot \(LLM itself\), accuracy at the budget: .*; undefined: ", text)
    assert replay(tmp_path / "out").differences == 0


LIMITED = {"learner": {"kind": "in-context"}, "arms": ["random"]}


@pytest.mark.parametrize("students", [["linear", LIMITED], [LIMITED, "linear"]], ids=["second", "first"])
def test_an_llm_that_is_a_student_is_connected_wherever_it_stands(tmp_path: Path, students: list[object]) -> None:
    study = small(sets=["weather"], shuffles=1, students=students, contrasts=[], llm={"sample": 12})
    chat = Remembering()
    work = toy_study(study, tmp_path, chat if needs_llm(study) else None)
    ended = done(work)
    assert {(p.arm, p.student) for p in by_plan(work, ended.done)} == {
        ("random", "linear"),
        ("margin", "linear"),
        ("random", "in-context"),
    }
    assert chat.sent
    assert "in-context" in leave(work, ended, tmp_path / "out")


def test_a_study_of_other_students_needs_no_llm() -> None:
    assert not needs_llm(small())


PATRON = """
[[arms]]
name = "patron"
steps = [{ query = { kind = "read", reads = 40, then = { kind = "patron" } }, size = 16 }]

[llm]
reads = 12
sample = 24
"""


def test_an_arm_by_the_llms_probabilities_trains_on_people_alone_and_survives_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = parse(SMALL + PATRON).model_copy(update={"sets": ("weather",), "full": False})
    learned: dict[str, list[bool]] = {}
    plain = Worker.outcome

    def looked(self: Worker, cell: Cell, observe: Look | None = None, scouted: Look | None = None) -> Outcome:
        outcome = plain(self, cell, observe, scouted)
        if cell.arm == "patron":
            learned[f"{self.job.learners[0].name} {cell.seed}"] = outcome.pool.labelled().human.tolist()
            assert outcome.batches[0].by.startswith("patron after reads by llm:")
        return outcome

    monkeypatch.setattr(Worker, "outcome", looked)
    whole = toy_study(study, tmp_path / "whole", Remembering())
    expected = by_plan(whole, done(whole).done)
    assert learned == dict.fromkeys(("svm 0", "svm 1", "linear 0", "linear 1"), [True] * 16)
    records = {plan: each.record for plan, each in expected.items()}
    asked = [record for record in records.values() if record.arm == "patron"]
    assert [(point.human_labels, point.machine_labels) for r in asked for point in r.curve] == [(16, 0)] * 4
    assert all(r.cost.calls >= 40 and r.notes["read"] == 40 and r.notes["unread"] == 0 for r in asked)
    chat = Remembering()
    with pytest.raises(KeyboardInterrupt):
        carry_out(toy_study(study, tmp_path / "killed", chat), dying(5), screen())
    again = toy_study(study, tmp_path / "killed", chat)
    assert {plan: each.record for plan, each in by_plan(again, done(again).done).items()} == records
    assert max(chat.sent.values()) == 1
    leave(again, done(again), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("texts that the LLM read so that a strategy could choose, all rounds: 80<") == 2
    assert replay(tmp_path / "out").differences == 0


def test_results_are_whole(tmp_path: Path) -> None:
    work = toy_study(small(trainings=2), tmp_path)
    text = leave(work, done(work), tmp_path / "out", SMALL)
    found = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert found == [
        "cells.csv",
        "cells.parquet",
        "curves.csv",
        "curves.parquet",
        "figures",
        "manifest.json",
        "report.html",
        "storms.json",
        "study.json",
        "study.toml",
        "tables.txt",
        "weather.json",
    ]
    assert "margin - random (svm), accuracy at the budget: " in text
    assert "mean over 2 data sets" in text
    with (tmp_path / "out" / "cells.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 32 * 2, "two points in each cell"
    assert {row["whole"] for row in rows} == {"True"}
    assert pq.read_table(tmp_path / "out" / "cells.parquet").num_rows == len(rows)
    over = pq.read_table(tmp_path / "out" / "curves.parquet").to_pylist()
    assert {(row["axis"], row["amount"]) for row in over} >= {("labels", 16.0), ("minutes", 16 * 8 / 60)}
    record = StudyRecord.model_validate_json((tmp_path / "out" / "study.json").read_text())
    assert record.study == work.study
    assert record.shuffles == {name: {"svm": 2, "linear": 2} for name in ("weather", "storms")}
    kept = Comparison.model_validate_json((tmp_path / "out" / "storms.json").read_text())
    assert {(c.seed, c.training) for c in kept.cells} == {(s, t) for s in (0, 1) for t in (0, 1)}
    assert all(len(p.predictions or ()) == 30 for c in kept.cells for p in c.curve)


def test_five_sets_leave_a_picture_of_ranks(tmp_path: Path) -> None:
    arms = [{"strategy": {"kind": kind}} for kind in ("random", "margin", "entropy")]
    names = ["weather", "storms", "tides", "clouds", "winds"]
    work = toy_study(small(sets=names, shuffles=1, students=["svm"], arms=arms), tmp_path)
    text = leave(work, done(work), tmp_path / "out")
    assert "Mean ranks, svm: " in text
    assert (tmp_path / "out" / "figures" / "ranks-svm.svg").read_text(encoding="utf-8").startswith("<svg")


def test_nothing_is_written_for_a_set_of_pairs(tmp_path: Path) -> None:
    arms = [{"strategy": {"kind": "random"}}, {"recipe": "agent"}]
    work = toy_study(small(sets=["weather"], contrasts=[]), tmp_path)
    plain = work.bundle.sets["weather"].pool
    table = replace(plain, columns=replace(plain.columns, texts_b=plain.columns.texts))
    bundle = replace(work.bundle, sets={"weather": replace(work.bundle.sets["weather"], pool=table)})
    with pytest.raises(BadInput, match="the recipe 'agent' writes single texts"):
        ready(small(sets=["weather"], contrasts=[], arms=arms), bundle, work.weights, tmp_path)
    assert ready(small(sets=["weather"]), bundle, work.weights, tmp_path).items


def test_a_study_is_no_run_of_a_service(tmp_path: Path) -> None:
    work = toy_study(small(), tmp_path)
    assert work.store.list() == []
    with pytest.raises(NoRun, match="there is no run 'study-small'"):
        work.store.get("study-small")

    class Where:
        settings = work.bundle.settings

    with pytest.raises(BadInput, match="'study-small' is a study"):
        running.recall("study-small", Where())  # pyright: ignore


def test_the_command_checks_a_file_before_it_starts_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.study(Path("quick"), check=True)
    said = capsys.readouterr().out
    assert "60 cells" in said
    assert "tested: margin - random (linear), accuracy at the budget, 10 shuffles\n" in said
    few = tmp_path / "few.toml"
    few.write_text(command.text_of(command.ready(Path("quick")), "a study").replace("shuffles = 10", "shuffles = 4"))
    command.study(few, check=True)
    assert "4 shuffles; too few: no corrected p can be below 0.250" in capsys.readouterr().out
    with pytest.raises(BadInput, match="there is no study file"):
        command.study(tmp_path / "none.toml", check=True)
    with pytest.raises(BadInput, match="--jobs is for this machine"):
        command.study(Path("quick"), jobs=2, on="ray", check=True)
    assert hands.maker("here", 1) is Own
