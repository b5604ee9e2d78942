"""From cells to what people read."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agent.exchange import ChatRequest
from agent.recipe import WeightsUsed
from agent.scripted import Scripted
from evaluation.asides import asides
from evaluation.records import Comparison, RunSummary
from serving.runs.job import People
from serving.runs.outputs import Record
from serving.runs.results import FILES, _settings, caveats, label_audit, leave, report_of, told
from serving.runs.worker import Worker
from tests.support.toy_jobs import toy_job, toy_worker
from tests.support.toy_runs import Remembering, answer


def record(worker: Worker) -> Record:
    return Record(id=worker.job.id, thresher="0", job=worker.job, cells=worker.run(), seconds=61.0, made="2030-01-01")


def test_one_arm_is_a_summary_and_several_with_a_test_set_are_a_comparison(tmp_path: Path) -> None:
    one = toy_worker(toy_job("agent"), tmp_path / "1")
    several = toy_worker(toy_job("agent", "random", test_reads=20), tmp_path / "2")
    untested = toy_worker(toy_job("agent", "random", tested=False), tmp_path / "3")
    kinds = [type(report_of(w, record(w), w.outcome(w.job.main))) for w in (one, several, untested)]
    assert kinds == [RunSummary, Comparison, RunSummary]


def test_a_summary_adds_up(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path)
    outcome = worker.outcome(worker.job.main)
    summary = report_of(worker, record(worker), outcome)
    assert isinstance(summary, RunSummary)
    assert sum(each.human + each.confirmed for each in summary.labels) == 8
    machine = sum(each.machine for each in summary.labels)
    assert machine == (~outcome.pool.labelled().human).sum()
    assert summary.generated == (outcome.pool.labelled().generated).sum()
    assert summary.cost.human_labels == 8
    assert summary.cost.calls > 24
    assert sum(summary.by.values()) + summary.abstained == len(outcome.pool.standing())
    assert [m.role for m in summary.models] == ["LLM"]
    assert any("Coder" in caveat for caveat in summary.caveats)
    assert any("simulated" in caveat for caveat in summary.caveats)


def test_a_comparison_holds_gold_and_a_prediction_for_every_test_text(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent", "random", test_reads=20), tmp_path)
    found = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(found, Comparison)
    assert len(found.gold) == found.test_size == 30
    assert {arm.name for arm in found.arms} == {"agent", "random", "zero-shot"} == {cell.arm for cell in found.cells}
    assert all(len(cell.curve[-1].predictions or ()) == 30 for cell in found.cells)


def test_the_audit_is_against_gold_where_people_are_simulated_and_against_people_otherwise(tmp_path: Path) -> None:
    simulated = toy_worker(toy_job("agent"), tmp_path / "1")
    outcome = simulated.outcome(simulated.job.main)
    against_gold = label_audit(simulated, outcome.pool)
    assert against_gold is not None
    read = {a.example for a in outcome.pool.annotations if a.provenance == "machine" and a.answer.calibrated}
    assert against_gold.n == len({id_ for id_ in read if id_ in simulated.table.gold})
    real = toy_worker(toy_job("agent", people="file"), tmp_path / "2")
    against_people = label_audit(real, outcome.pool)
    assert against_people is not None
    assert against_people.n < against_gold.n
    none = toy_worker(toy_job("random"), tmp_path / "3")
    assert label_audit(none, none.outcome(none.job.main).pool) is None


class Well(HTMLParser):
    """Notes elements that are opened and not closed in order."""

    VOID = frozenset({"meta", "link", "br", "hr", "img", "input", "path", "line", "circle", "rect", "polyline"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [f"{tag} {value}" for name, value in attrs if name == "src" or (tag == "link" and name == "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("names", [("agent",), ("agent", "random")])
def test_everything_is_left_in_the_folder(names: tuple[str, ...], tmp_path: Path) -> None:
    worker = toy_worker(toy_job(*names), tmp_path / "work")
    said = leave(worker, record(worker), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(FILES)
    assert str(tmp_path / "out") in said
    page = Well()
    page.feed((tmp_path / "out" / "report.html").read_text(encoding="utf-8"))
    assert page.open == []
    assert page.loads == [], "the page is self-contained"
    lines = (tmp_path / "out" / "labels.jsonl").read_text(encoding="utf-8").splitlines()
    people = [line for line in map(json.loads, lines) if line["provenance"] == "human"]
    assert len(people) == 8


def test_left_twice_is_left_alike(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path / "work")
    made = record(worker)
    leave(worker, made, tmp_path / "out")
    first = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    leave(worker, made, tmp_path / "out")
    second = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert first.keys() == second.keys()
    assert {path.name for path in first if first[path] != second[path]} <= {"arrays.npz"}


def test_a_run_in_a_few_lines(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path)
    summary = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(summary, RunSummary)
    lines = told(summary).splitlines()
    assert "people gave 8" in lines[0]
    assert lines[1] == "stopped: rounds: 5 of 5 rounds are done"
    assert lines[-1].endswith("of the test texts right")
    assert "filled by the fallback: 0%" in lines[2]
    assert lines[3].startswith("lists: ")
    assert lines[3].endswith("shown, 0 with a reply that was no choice")


def deaf(request: ChatRequest) -> Scripted:
    """Labels and writes, but does not choose."""
    said = answer(request)
    return "I would rather not." if isinstance(said, str) and said.startswith("Selected") else said


def test_a_run_whose_llm_chose_nothing_says_so_and_bears_the_name_of_its_fallback(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path, Remembering(deaf))
    summary = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(summary, RunSummary)
    lines = told(summary)
    assert lines.startswith("random (was agent): the fallback made more than 20%")
    assert "filled by the fallback: 100%" in lines
    assert re.search(r"^not one of \d+ lists got a reply with a choice", lines, re.MULTILINE)


def test_the_lines_of_a_comparison_hold_the_filled_share_where_the_llm_chose_nothing(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent", "random", test_reads=20), tmp_path, Remembering(deaf))
    report = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(report, Comparison)
    assert "filled by the fallback: 100%" in asides(report)
    assert "not one of " in asides(report)


def test_rejected_texts_and_refused_lists_are_counted(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent"), tmp_path)
    summary = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(summary, RunSummary)
    assert summary.notes["rejected"] == summary.rejected
    notes = {**summary.notes, "lists": 6.0, "asked_again": 2.0, "refused": 3.0, "chosen": 9.0, "rejected": 5.0}
    lines = told(summary.model_copy(update={"notes": notes, "filled_share": 0.25})).splitlines()
    assert "lists: 8 shown, 3 with a reply that was no choice" in lines
    assert "generated texts that were rejected: 5" in lines
    more = told(summary.model_copy(update={"notes": {**notes, "unwritten": 4.0}})).splitlines()
    assert "generated texts that were rejected: 5; requests that brought none: 4" in more
    assert any(line.endswith("filled by the fallback: 25%") for line in lines)


@pytest.mark.parametrize(
    ("people", "said"),
    [
        (People(kind="simulated"), "simulated from gold"),
        (People(kind="file"), "a person, through a file"),
        (People(kind="queue", overlap=3, blind=0.25), "people, 3 for each text, through the review queue; suggestions"),
    ],
)
def test_a_report_says_who_answered(tmp_path: Path, people: People, said: str) -> None:
    job = toy_job("random").model_copy(update={"people": people})
    settings = _settings(job)
    assert settings["people"].startswith(said)
    simulated = any("People are simulated" in line for line in caveats(job))
    assert simulated == (people.kind == "simulated")


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        ("Qwen2.5-Coder-1.5B-Instruct, Q4_K_M unpacked to float32", "quantised to four bits."),
        ("Qwen2.5-Coder-7B-Instruct", "not the plain instruct model."),
        ("Qwen2.5-7B-Instruct", ""),
    ],
)
def test_a_coder_variant_is_named_for_what_it_is(variant: str, said: str) -> None:
    llm = WeightsUsed(name="qwen", variant=variant, source="local", hash="0")
    found = [line for line in caveats(toy_job("agent").model_copy(update={"llm": llm})) if line.startswith("The LLM")]
    assert [line.startswith(f"The LLM is {variant}: ") and line.endswith(said) for line in found] == [True] * bool(said)
    assert not any("0.5B" in line for line in found)


def test_choices_that_two_students_share_are_counted_once(tmp_path: Path) -> None:
    worker = toy_worker(toy_job("agent", "random"), tmp_path)
    report = report_of(worker, record(worker), worker.outcome(worker.job.main))
    assert isinstance(report, Comparison)
    also = [cell.model_copy(update={"student": "another"}) for cell in report.cells]
    assert asides(report.model_copy(update={"cells": (*report.cells, *also)})) == asides(report)
