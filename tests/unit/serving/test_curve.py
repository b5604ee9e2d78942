"""The curves of a run's page: the student's, the scout's, on one scale, with a legend where there are two."""

import re
from pathlib import Path

from fastapi.testclient import TestClient

from evaluation.records import Point
from serving.app import create_app
from serving.pages.curve import BOTTOM, LEFT, RIGHT, TOP, curve
from serving.settings import Settings
from tests.support.toy_jobs import toy_job


def point(labels: int, right: int, of: int = 20) -> Point:
    return Point(human_labels=labels, accuracy=right / of, macro_f1=0.5, predictions=(0,) * of)


def test_nothing_measured_is_nothing_drawn() -> None:
    assert curve((), 8) is None
    assert curve((Point(human_labels=8),), 8, (Point(human_labels=4),)) is None


def test_both_lie_on_one_scale_with_the_student_on_top() -> None:
    drawn = curve((point(8, 18),), 8, (point(2, 10), point(4, 14)))
    assert drawn is not None
    assert drawn.kinds == ["scout", "student"]
    scout, student = drawn.lines
    assert [spot.x for spot in scout.dots + student.dots] == [LEFT + (RIGHT - LEFT) * n / 8 for n in (2, 4, 8)]
    heights = [spot.y for spot in scout.dots + student.dots]
    assert heights == sorted(heights, reverse=True)
    ends = [(bar.y, float(bar.text)) for line in drawn.lines for bar in line.bars]
    assert min(high for _, high in ends) == TOP
    assert max(low for low, _ in ends) == BOTTOM
    assert all(low > spot > high for (low, high), spot in zip(ends, heights, strict=True))
    assert (bool(scout.band), student.band) == (True, "")
    assert drawn.said == (
        "Accuracy over people's labels. The student: 8 labels: 90.0%. The scout: 2 labels: 50.0%; 4 labels: 70.0%."
    )


def test_a_curve_alone_is_drawn_as_the_student() -> None:
    for drawn in (curve((point(4, 10), point(8, 12)), 8), curve((), 8, (point(4, 10),))):
        assert drawn is not None
        assert len(drawn.lines) == 1
    assert curve((point(4, 10),), 8).kinds == ["student"]  # type: ignore[union-attr]


def shown(home: Path, recipe: str, points: dict[str, Point]) -> str:
    client = TestClient(create_app(Settings(home=home, cache=home, engine_url="http://127.0.0.1:9")))
    desk, job = client.app.state.desk, toy_job(recipe)
    desk.store.begin(job.id, job.model_dump_json(), str(home), "service")
    for key, value in points.items():
        desk.store.journal(job.id, f"{job.main.key()}/").step(key, Point, lambda value=value: value)
    page = client.get(f"/runs/{job.id}").text
    desk.database.dispose()
    return page


def test_the_page_tells_scout_and_student_apart(tmp_path: Path) -> None:
    both = shown(tmp_path / "1", "agent", {"0/scout": point(2, 10), "1/scout": point(4, 14), "1/test": point(4, 18)})
    assert re.findall(r"(student|scout) \(([^)]*)\)", both) == [("student", "svm"), ("scout", "linear")]
    assert "The dashed line is the scout; the dot without a line is the student" in both
    assert 'aria-label="Accuracy over people&#39;s labels. The student: 4 labels: 90.0%. The scout: ' in both
    assert both.count('class="bar"') == 3
    early = shown(tmp_path / "2", "agent", {"0/scout": point(2, 10)})
    assert re.findall(r"(student|scout) \(([^)]*)\)", early) == [("scout", "linear")]
    old = shown(tmp_path / "3", "agent", {"4/test": point(8, 10)})
    assert ("Only that one is measured." in old, "legend" in old) == (True, False)
    plain = shown(tmp_path / "4", "random", {"0/test": point(4, 10), "1/test": point(8, 12)})
    assert ("scout" in plain, "legend" in plain) == (False, False)
