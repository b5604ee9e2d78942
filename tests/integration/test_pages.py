"""The pages in a real browser, over a real server: labelled by keyboard alone, through what goes wrong."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from evaluation.records import Comparison, RunSummary
from evaluation.report import page as report
from tests.integration.test_runs_http import begun, over, uploaded
from tests.support.browser import CHROMIUM, browser
from tests.support.cli import weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.server import Server
from tests.unit.evaluation.made_up import comparison, summary

pytestmark = [
    pytest.mark.student,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    # Playwright's own event loop leaves its transports to the collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as llm, Server(tmp_path / "home", llm.url) as started:
        yield started


def waiting(server: Server, folder: Path, **fields: object) -> str:
    """A run that waits for people."""
    run = begun(server, {**uploaded(server, folder), "people": "queue", **fields}).json()["id"]
    assert over(server, run, "waiting", "failed")["state"] == "waiting"
    return run


def clean(page: Page) -> None:
    """No violation of an accessibility rule."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def begin(page: Page, server: Server, run: str, who: str) -> None:
    page.goto(f"{server.url}/runs/{run}/review")
    page.get_by_label("Your name").fill(who)
    page.keyboard.press("Enter")
    expect(page.locator("#text")).not_to_be_empty()


def answers(server: Server, run: str) -> dict[str, object]:
    return httpx.get(f"{server.url}/v1/runs/{run}/review", timeout=30).json()


def test_a_round_is_labelled_by_keyboard_alone_and_the_run_goes_on_by_itself(
    server: Server, chromium: Browser, tmp_path: Path
) -> None:
    run = waiting(server, tmp_path / "in", budget=30, recipe="random", reads=0)
    page = chromium.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("console", lambda said: broken.append(said.text) if said.type == "error" else None)
    begin(page, server, run, "Ada")
    clean(page)
    for n in range(30):
        expect(page.locator("#text")).not_to_be_empty(timeout=30_000)  # between two rounds the page waits by itself
        before = page.locator("#text").inner_text()
        page.keyboard.press("1" if "bright" in before or "sun" in before else "2")
        if n == 4:  # another mind: the last text comes back, with what was said of it
            expect(page.locator("#text")).not_to_have_text(before)
            page.keyboard.press("u")
            expect(page.locator("#text")).to_have_text(before)
            expect(page.locator("[data-label][aria-pressed=true]")).to_have_count(1)
            page.keyboard.press("2")
        expect(page.locator("#text")).not_to_have_text(before)
    done = over(server, run)
    assert (done["state"], done["human_labels"]) == ("done", 30)
    assert broken == []
    page.goto(f"{server.url}/runs/{run}")
    expect(page.locator(".state")).to_have_text("done")
    expect(page.locator("svg circle")).not_to_have_count(0)
    clean(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out at 390 px"
    page.goto(f"{server.url}/runs/{run}/review")
    page.get_by_role("link", name="Read its report").click()
    expect(page).to_have_title(re.compile(f"weather: report of run {run}"))
    clean(page)


def test_nothing_is_lost_or_doubled_by_reloads_second_windows_and_offline_moments(
    server: Server, chromium: Browser, tmp_path: Path
) -> None:
    run = waiting(server, tmp_path / "in", budget=10, recipe="random", reads=0)
    ada, grace = chromium.new_context(), chromium.new_context()
    one, two = ada.new_page(), grace.new_page()
    begin(one, server, run, "Ada")
    begin(two, server, run, "Grace")
    assert one.locator("#text").inner_text() != two.locator("#text").inner_text()

    held = one.locator("#text").inner_text()
    one.reload()
    expect(one.locator("#text")).to_have_text(held)
    expect(one.locator("#other")).to_have_text("not Ada?")

    one.evaluate("() => { for (let i = 0; i < 5; i++) document.querySelector('[data-label]').click(); }")
    expect(one.locator("#text")).not_to_have_text(held)
    assert answers(server, run)["done"] == 1, "five clicks at once are one label"

    ada.set_offline(True)
    one.keyboard.press("1")
    expect(one.locator("#state")).to_contain_text("cannot be reached")
    assert answers(server, run)["done"] == 1
    ada.set_offline(False)
    expect(one.locator("#text")).not_to_be_empty(timeout=15_000)
    assert answers(server, run)["done"] == 2

    one.goto(f"{server.url}/")
    one.go_back()
    expect(one.locator("#text")).not_to_be_empty()
    assert answers(server, run)["done"] == 2
    ada.close()
    grace.close()


def test_what_a_text_says_stays_text(server: Server, chromium: Browser, tmp_path: Path) -> None:
    hostile = (
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> \u202e ' \" {{ 7*7 }}"
    )
    rows = [{"id": f"t{i}", "text": f"{hostile} number {i}"} for i in range(6)]
    body = "\n".join(json.dumps(row) for row in rows)
    headers = {"Content-Type": "application/x-ndjson"}
    data = httpx.post(f"{server.url}/v1/datasets", content=body.encode(), headers=headers, timeout=30).json()["id"]
    task = {
        "name": "<b>bold</b>",
        "labels": [{"name": "<i>yes</i>"}, {"name": "no"}],
        "guidelines": "<script>1</script>",
    }
    made = {"task": task, "data": data, "budget": 4, "recipe": "random", "students": ["svm"], "reads": 0}
    run = begun(server, made).json()["id"]
    assert over(server, run, "waiting")["state"] == "waiting"
    page = chromium.new_page()
    begin(page, server, run, "Ada")
    assert page.locator("#text").inner_text().startswith("<script>document.title=")
    assert page.locator("[data-label]").first.inner_text().endswith("<i>yes</i>")
    for path in ("/", f"/runs/{run}"):
        page.goto(f"{server.url}{path}")
        assert "owned" not in page.title()
        assert page.get_by_text("<b>bold</b>").count() >= 1
        clean(page)


def test_every_page_is_clean_empty_and_refused(server: Server, chromium: Browser) -> None:
    page = chromium.new_page()
    for path, said in (
        ("/", "There are no runs yet"),
        ("/docs", "/v1/runs"),
        ("/login", "API key"),
        ("/runs/none", "none"),
    ):
        page.goto(f"{server.url}{path}")
        expect(page.locator("main")).to_contain_text(said)
        clean(page)


@pytest.mark.parametrize("record", [comparison(), summary()], ids=["comparison", "run"])
def test_a_report_is_clean_with_all_its_parts(chromium: Browser, record: Comparison | RunSummary) -> None:
    page = chromium.new_page()
    page.set_content(report(record))
    clean(page)
