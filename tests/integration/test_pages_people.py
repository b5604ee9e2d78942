"""People at the pages: signed out, too late, in two windows, many labels, over picks; what the page of a run says."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.test_pages import answers, begin, clean, waiting
from tests.integration.test_runs_http import begun, over, uploaded
from tests.support.browser import CHROMIUM, browser
from tests.support.cli import thresher, weather_answer, weather_lean
from tests.support.fake_openai import FakeOpenAI
from tests.support.server import Server

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
def llm() -> Iterator[FakeOpenAI]:
    with FakeOpenAI(answer=weather_answer, lean=weather_lean) as fake:
        yield fake


@pytest.fixture
def server(tmp_path: Path, llm: FakeOpenAI) -> Iterator[Server]:
    with Server(tmp_path / "home", llm.url) as started:
        yield started


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_who_is_signed_out_loses_no_label(server: Server, page: Page, tmp_path: Path) -> None:
    run = waiting(server, tmp_path / "in", budget=6, recipe="random", reads=0)
    begin(page, server, run, "Ada")
    home = {"THRESHER_HOME": str(tmp_path / "home")}
    made = thresher("keys", "make", "Ada", "--scope", "review", cwd=tmp_path, **home)
    key = next(word for word in made.stdout.split() if word.startswith("thresher_"))
    held = {"Authorization": f"Bearer {key}"}
    before = page.locator("#text").inner_text()
    page.keyboard.press("1")
    expect(page.locator("#state")).to_contain_text("You are signed out")
    progress = httpx.get(f"{server.url}/v1/runs/{run}/review", headers=held, timeout=30)
    assert progress.json()["done"] == 0
    page.locator("#state a").click()
    page.get_by_label("API key").fill(key)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.url}/runs/{run}/review")
    expect(page.locator("#text")).not_to_be_empty()
    expect(page.locator("#text")).not_to_have_text(before)
    progress = httpx.get(f"{server.url}/v1/runs/{run}/review", headers=held, timeout=30)
    assert progress.json()["done"] == 1
    page.goto(f"{server.url}/runs/{run}")
    clean(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{server.url}/login")
    page.goto(f"{server.url}/runs/{run}")
    assert page.url.endswith(f"/login?next=%2Fruns%2F{run}")


def test_an_answer_after_its_time_is_told_back_and_the_first_of_two_windows_stands(
    llm: FakeOpenAI, page: Page, tmp_path: Path
) -> None:
    with Server(tmp_path / "home", llm.url, THRESHER_REVIEW_LEASE="1") as server:
        run = waiting(server, tmp_path / "in", budget=6, recipe="random", reads=0)
        begin(page, server, run, "Ada")
        before = page.locator("#text").inner_text()
        time.sleep(1.2)
        taken = httpx.post(f"{server.url}/v1/runs/{run}/review", json={"who": "Grace"}, timeout=30).json()
        assert taken["text"] == before, "what ran out goes to the next who asks"
        page.keyboard.press("1")
        expect(page.locator("#notice")).to_contain_text("this text went to somebody else; the answer was the label")
        expect(page.locator("#text")).not_to_have_text(before)
        assert answers(server, run)["done"] == 0
        other = page.context.new_page()
        other.goto(f"{server.url}/runs/{run}/review")
        expect(other.locator("#text")).to_have_text(page.locator("#text").inner_text())
        page.keyboard.press("1")
        expect(page.locator("#notice")).to_be_empty()
        expect(page.locator("#text")).not_to_have_text(other.locator("#text").inner_text())
        other.keyboard.press("2")
        expect(other.locator("#notice")).to_contain_text("“sunny” stands, not “rainy”")
        assert answers(server, run)["done"] == 1


def test_many_labels_have_keys_whatever_capslock_says_and_undo_marks_what_was_said(server: Server, page: Page) -> None:
    rows = "text\n" + "".join(f"weather report number {n}\n" for n in range(20))
    sent = {"content": rows.encode(), "headers": {"Content-Type": "text/csv"}}
    data = httpx.post(f"{server.url}/v1/datasets", timeout=30, **sent).json()["id"]
    task = {"name": "many", "labels": [{"name": f"kind {n}"} for n in range(1, 13)], "guidelines": "First.\n\nSecond."}
    made = {"task": task, "data": data, "budget": 8, "recipe": "random", "students": ["svm"], "reads": 0}
    run = begun(server, made).json()["id"]
    assert over(server, run, "waiting", "failed")["state"] == "waiting"
    begin(page, server, run, "Ada")
    clean(page)
    lines = page.locator("aside .lines")
    assert lines.inner_text() == "First.\n\nSecond."
    before = page.locator("#text").inner_text()
    spot = page.locator("[data-label]").first.bounding_box()
    page.keyboard.press("Shift+C")
    expect(page.locator("#text")).not_to_have_text(before)
    assert page.locator("[data-label]").first.bounding_box() == spot, "the buttons stay where they are"
    page.keyboard.press("u")
    expect(page.locator("[aria-pressed=true]")).to_have_attribute("data-label", "kind 11")
    page.keyboard.press("Shift+B")
    expect(page.locator("#text")).not_to_have_text(before)
    page.keyboard.press("u")
    expect(page.locator("[aria-pressed=true]")).to_have_attribute("data-verdict", "bad_text")
    assert page.evaluate("document.activeElement.id") == "item-heading"


def test_who_has_answered_all_that_one_person_can_is_told_that_others_have_to(
    server: Server, page: Page, tmp_path: Path
) -> None:
    run = waiting(server, tmp_path / "in", budget=8, recipe="random", reads=0, asked={"overlap": 2})
    begin(page, server, run, "Ada")
    for done in (1, 2):
        page.keyboard.press("1")
        expect(page.locator("#progress")).to_have_js_property("value", done)  # also where no other text follows
    state = page.locator("#state")
    expect(state).to_contain_text("You have answered all that you can: 2 of the 4 answers of round 1 have to come from")
    httpx.post(f"{server.url}/v1/runs/{run}/review", json={"who": "Bob"}, timeout=30).raise_for_status()
    expect(state).to_contain_text("1 of the 4 answers of round 1 have to come from somebody else. Others hold 1 more")
    httpx.post(f"{server.url}/v1/runs/{run}/review", json={"who": "Eve"}, timeout=30).raise_for_status()
    expect(state).to_contain_text("Others hold the last 2 of 4 texts of round 1.")
    clean(page)


def test_picks_are_kept_and_struck_by_key_and_then_labelled(server: Server, page: Page, tmp_path: Path) -> None:
    wish = uploaded(server, tmp_path / "in")
    run = begun(server, {**wish, "people": "queue", "asked": {"experts": True, "blind_share": 0}}).json()["id"]
    asked = over(server, run, "waiting", "failed")["asked"]
    while asked["kind"] != "picks":  # the first round may be chosen without the LLM
        for _ in range(asked["total"] - asked["done"]):
            text = httpx.post(f"{server.url}/v1/runs/{run}/review", json={"who": "Bob"}, timeout=30).json()
            body = {"token": text["token"], "label": "sunny"}
            httpx.post(f"{server.url}/v1/runs/{run}/labels", json=body, timeout=30).raise_for_status()
        asked = over(server, run, "waiting", "failed", "done")["asked"]
    page.goto(f"{server.url}/runs/{run}")
    expect(page.locator("[role=status]")).to_contain_text(f"looked over 0 of {asked['total']} picks")
    page.get_by_role("link", name="Look over the LLM's picks").click()
    page.get_by_label("Your name").fill("Eve")
    page.keyboard.press("Enter")
    expect(page.locator("#text")).not_to_be_empty()
    clean(page)
    first = page.locator("#text").inner_text()
    page.keyboard.press("k")
    expect(page.locator("#text")).not_to_have_text(first)
    page.keyboard.press("u")
    expect(page.locator("#text")).to_have_text(first)
    expect(page.locator("#keep")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    page.keyboard.type("two films, k")
    clean(page)
    page.keyboard.press("Enter")
    picks = f"{server.url}/v1/runs/{run}/picks"
    expect(page.locator("#state")).to_contain_text("1 of" if asked["total"] > 1 else "All")
    for _ in range(50):
        found = httpx.get(picks, timeout=30).json()["items"]
        if found[0]["kept"] is False:
            break
        time.sleep(0.1)
    assert (found[0]["kept"], found[0]["reason"], found[0]["who"]) == (False, "two films, k", "Eve")
    page.get_by_role("button", name="Keep all that are left").click()
    link = page.get_by_role("link", name="Label them")
    expect(link).to_be_visible(timeout=60_000)
    link.click()
    expect(page.locator("#text")).not_to_be_empty()
    assert {pick["kept"] for pick in httpx.get(picks, timeout=30).json()["items"]} == {True, False}
    page.keyboard.press("1")
    expect(page.locator("#me")).to_have_text("Eve")


def test_a_runs_page_says_what_people_are_at_also_after_a_click(server: Server, page: Page, tmp_path: Path) -> None:
    run = waiting(server, tmp_path / "in", budget=6, recipe="random", reads=0)
    page.goto(f"{server.url}/runs/{run}")
    status = page.locator("[role=status]")
    total = answers(server, run)["total"]
    expect(status).to_contain_text(f"0 of {total} labels in round 1")
    clean(page)
    page.locator("#spent").click()
    text = httpx.post(f"{server.url}/v1/runs/{run}/review", json={"who": "Bob"}, timeout=30).json()
    body = {"token": text["token"], "label": "sunny", "seconds": 90}
    httpx.post(f"{server.url}/v1/runs/{run}/labels", json=body, timeout=30).raise_for_status()
    expect(status).to_contain_text(f"1 of {total} labels in round 1")
    expect(page.locator(".facts")).to_contain_text("1 of 6")
    assert httpx.get(f"{server.url}/v1/runs/{run}", timeout=30).json()["human_labels"] == 1


def test_the_page_of_a_run_at_work_is_clean_and_goes_on_by_itself(
    llm: FakeOpenAI, server: Server, page: Page, tmp_path: Path
) -> None:
    body = {**uploaded(server, tmp_path / "in"), "people": "simulated"}
    llm.latency = 0.3
    run = begun(server, body).json()["id"]
    over(server, run, "running", "failed", "done")
    page.goto(f"{server.url}/runs/{run}")
    expect(page.locator(".state")).to_have_text("running")
    expect(page.locator("#progress")).to_be_visible(timeout=30_000)
    clean(page)
    llm.latency = 0.0
    expect(page.locator(".state")).to_have_text("done", timeout=90_000)
    expect(page.locator("svg[role=img] .student circle")).to_have_count(1)
    expect(page.locator("svg[role=img] .scout circle")).to_have_count(5)
    expect(page.locator(".legend li")).to_have_text(["student (svm)", "scout (linear)"])
    expect(page.locator("#curve ~ p")).to_contain_text("the dot without a line is the student")
    clean(page)
