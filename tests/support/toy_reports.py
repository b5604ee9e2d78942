"""Folders of toy studies and ablations, as the commands leave them."""

from pathlib import Path

from evaluation.ablation import parse
from serving.studies import ablations, results
from tests.support.toy_runs import Remembering
from tests.support.toy_studies import PICKS, READS, SMALL, done, small, toy_ablation, toy_study, worded


def study_folder(home: Path, **changes: object) -> Path:
    """Two sets, two arms, two students, two shuffles."""
    work = toy_study(small(**changes), home)
    results.leave(work, done(work), home / "out", SMALL)
    return home / "out"


def readings_folder(home: Path) -> Path:
    """The LLM labels: three factors on two sets."""
    ablation = parse(READS)
    work = toy_ablation(ablation, home, Remembering(worded))
    ablations.leave(ablation, work, done(work), home / "out", READS)
    return home / "out"


def picks_folder(home: Path) -> Path:
    """The LLM selects: two factors on one set."""
    ablation = parse(PICKS)
    work = toy_ablation(ablation, home, Remembering(worded))
    ablations.leave(ablation, work, done(work), home / "out", PICKS)
    return home / "out"
