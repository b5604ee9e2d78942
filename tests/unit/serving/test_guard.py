"""The edge of the service: keys, bounds, origins; every refusal is a problem document."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.settings import Settings


@pytest.fixture
def make(tmp_path: Path) -> Iterator[object]:
    def made(**fields: object) -> TestClient:
        given = {"home": tmp_path / "home", "cache": tmp_path / "cache", "engine_url": "http://127.0.0.1:9", **fields}
        return TestClient(create_app(Settings.model_validate(given)), raise_server_exceptions=False)

    return made


def problem(answer: object, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    return f"{body['detail']}; {body['hint']}"


def test_without_keys_this_machine_may_do_everything_and_with_one_nobody_comes_in_without(make) -> None:
    client = make()
    assert client.get("/v1/runs").status_code == 200
    keys = client.app.state.desk.keys
    reader = {"Authorization": f"Bearer {keys.make('reader', ['read'])}"}
    assert "thresher keys make" in problem(client.get("/v1/runs"), 401)
    assert client.get("/v1/runs", headers=reader).status_code == 200
    assert "may not run" in problem(client.post("/v1/runs/x/cancel", headers=reader), 403)
    admin = {"Authorization": f"Bearer {keys.make('chief', ['admin'])}"}
    problem(client.post("/v1/runs/x/cancel", headers=admin), 404)
    wrong = {"Authorization": "Bearer thresher_0000000000000000_" + "a" * 43}
    assert "not known" in problem(client.get("/v1/runs", headers=wrong), 401)
    assert "not known" in problem(client.get("/v1/runs", headers={"Authorization": "Basic YTpi"}), 401)
    assert client.get("/health").json() == {"status": "alive"}
    for scope, other in (("review", "run"), ("run", "review")):
        held = {"Authorization": f"Bearer {keys.make(scope, [scope])}"}
        assert client.get("/v1/runs", headers=held).status_code == 200, "whoever works with runs may look at them"
        refused = {"run": "/v1/runs/x/cancel", "review": "/v1/runs/x/review"}[other]
        assert f"may not {other}" in problem(client.post(refused, headers=held), 403)


def test_a_body_beyond_its_bound_is_refused_declared_or_not(make) -> None:
    client = make(body_bytes=64 * 1024)
    assert "65,536" in problem(
        client.post("/v1/datasets", content=b"x" * 70_000, headers={"Content-Type": "text/csv"}), 413
    )
    assert "4,096" in problem(client.post("/v1/runs", content=b"x" * 5_000), 413)

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    assert "4,096" in problem(client.post("/v1/runs", content=pieces(), headers={"Content-Type": "text/json"}), 413)
    gzipped = {"Content-Encoding": "gzip"}
    assert "compressed" in problem(client.post("/v1/runs", content=b"x", headers=gzipped), 415)


def test_who_asks_too_fast_is_told_when_to_come_again(make) -> None:
    client = make(rate=2.0)
    codes = [client.get("/health").status_code for _ in range(8)]
    assert codes[:4] == [200] * 4
    assert 429 in codes
    refused = client.get("/health")
    while refused.status_code != 429:
        refused = client.get("/health")
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["retryable"] is True


def test_only_lines_and_uploads_may_be_as_long_as_a_body_can_be(make) -> None:
    client = make(body_bytes=64 * 1024)
    long = b"x" * 5_000
    assert "4,096" in problem(client.post("/v1/select", content=long, headers={"Content-Type": "text/json"}), 413)
    lines = {"Content-Type": "application/x-ndjson; charset=utf-8"}
    assert client.post("/v1/select", content=long, headers=lines).status_code == 422


def test_guesses_at_a_key_are_counted_together_and_a_good_key_by_itself(make) -> None:
    client = make(rate=2.0)
    good = {"Authorization": f"Bearer {client.app.state.desk.keys.make('Ada', ['read'])}"}
    assert client.get("/v1/runs", headers=good).status_code == 200
    codes = [client.get("/v1/runs", headers={"Authorization": f"Bearer guess-{n}"}).status_code for n in range(12)]
    assert set(codes[:3]) == {401}
    assert 429 in codes
    assert client.get("/v1/runs", headers=good).status_code == 200, "the address is worn out, the key is not"


def test_a_website_in_a_browser_of_this_machine_changes_nothing_and_reaches_nothing_by_another_name(make) -> None:
    client = make()

    def sent(**headers: str) -> object:
        return client.post("/v1/runs/x/cancel", headers={name.replace("_", "-"): v for name, v in headers.items()})

    assert "evil.example" in problem(sent(Origin="https://evil.example"), 403)
    assert "may change nothing" in problem(sent(Origin="null"), 403)
    assert "may change nothing" in problem(sent(Origin="http://testserver", Sec_Fetch_Site="cross-site"), 403)
    assert "may change nothing" in problem(sent(Sec_Fetch_Site="same-site"), 403), "another port is another program"
    assert "may change nothing" in problem(sent(Cookie="thresher_key=x"), 403), "a browser says where it is"
    problem(sent(Origin="http://testserver"), 404)
    problem(sent(Sec_Fetch_Site="same-origin", Origin="null"), 404)
    problem(sent(), 404)
    assert "evil.example" in problem(client.get("/v1/runs", headers={"Host": "evil.example"}), 421)
    assert "may change nothing" in problem(
        client.post("/login", data={"key": "x"}, headers={"Origin": "http://a"}), 403
    )


def test_signing_in_leaves_a_cookie_that_no_script_and_no_other_site_can_use(make) -> None:
    client = make()
    secret = client.app.state.desk.keys.make("Ada", ["read"])
    home = {"Origin": "http://testserver"}
    answer = client.post("/login", data={"key": secret}, headers=home, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie, "over plain HTTP it would never come back"
    assert client.get("/v1/runs").status_code == 200
    assert "may not run" in problem(client.post("/v1/runs/x/cancel", headers=home), 403)
    client.cookies.clear()
    wrong = client.post("/login", data={"key": "thresher_guess"}, headers=home, follow_redirects=False)
    assert wrong.headers["Location"] == "/login?wrong=true"
    assert "Set-Cookie" not in wrong.headers


def test_signing_in_leads_to_the_page_that_was_asked_for_and_to_no_other_site(make) -> None:
    client = make()
    secret = client.app.state.desk.keys.make("Ada", ["read"])
    looks, home = {"Accept": "text/html"}, {"Origin": "http://testserver"}
    sent = client.get("/runs/a-1?x=%2F", headers=looks, follow_redirects=False).headers["Location"]
    assert sent == "/login?next=%2Fruns%2Fa-1%3Fx%3D%252F"
    assert 'name="next" value="/runs/a-1?x=%2F"' in client.get(sent, headers=looks).text

    def led(next_: str, key: str = secret) -> str:
        given = {"data": {"key": key, "next": next_}, "headers": home}
        return client.post("/login", **given, follow_redirects=False).headers["Location"]

    assert led("/runs/a-1?x=%2F") == "/runs/a-1?x=%2F"
    assert led("/runs/a-1", "wrong") == "/login?wrong=true&next=%2Fruns%2Fa-1"
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil", "runs", "", "/\t/evil"):
        assert led(elsewhere) == "/", elsewhere
    out = client.post("/logout", headers=home, follow_redirects=False)
    assert out.headers["Location"] == "/login"
    assert 'thresher_key=""' in out.headers["Set-Cookie"]
    assert client.get("/v1/runs").status_code == 401


def test_every_answer_forbids_sniffing_and_framing(make) -> None:
    client = make()
    for path in ("/health", "/v1/runs", "/v1/runs/none"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    page = client.get("/").headers["content-security-policy"]
    assert "script-src 'self'" in page
    assert "frame-ancestors 'none'" in page
    assert "unsafe" not in page
    too_fast = make(rate=0.001)
    refused = [too_fast.get("/health") for _ in range(3)][-1]
    assert (refused.status_code, refused.headers["x-content-type-options"]) == (429, "nosniff")


def test_what_is_not_there_is_a_problem_too(make) -> None:
    client = make()
    assert "nothing at this address" in problem(client.get("/nowhere"), 404)
    refused = client.put("/v1/runs")
    assert "does not know that method" in problem(refused, 405)
    assert refused.headers["Allow"] == "GET, POST, HEAD"
    assert "none" in problem(client.get("/v1/runs/none"), 404)
    assert "body.task" in problem(client.post("/v1/runs", json={"data": "x"}), 422)


def test_who_looks_at_a_page_is_told_on_a_page(make) -> None:
    client = make()
    looks = {"Accept": "text/html,*/*"}
    for path in ("/nowhere", "/runs/none", "/runs/NO%20ID"):
        answer = client.get(path, headers=looks)
        assert answer.status_code in (404, 422)
        assert answer.headers["Content-Type"].startswith("text/html")
        assert "<script" not in client.get("/<script>alert(1)</script>", headers=looks).text
    client.app.state.desk.keys.make("Ada", ["read"])
    sent = client.get("/", headers=looks, follow_redirects=False)
    assert (sent.status_code, sent.headers["Location"]) == (303, "/login")
    assert client.get("/login", headers=looks).status_code == 200
    assert problem(client.get("/v1/runs", headers=looks), 401)


def test_what_nobody_foresaw_is_a_problem_without_a_trace(make, monkeypatch: pytest.MonkeyPatch) -> None:
    client = make()

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(client.app.state.desk.store, "list", broken)
    said = problem(client.get("/v1/runs"), 500)
    assert "secret detail" not in said
    assert "Traceback" not in said


def test_readiness_says_what_is_missing_and_numbers_are_counted_by_operation(make) -> None:
    client = make()
    answer = client.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["database"] == "ready"
    assert "LLM is not ready" in answer.json()["engine"]
    client.get("/v1/runs/some-id")
    text = client.get("/metrics").text
    assert 'thresher_requests_total{method="GET",route="/v1/runs/{run}",status="404"} 1.0' in text
    assert 'thresher_runs{state="running"} 0.0' in text
    assert "some-id" not in text
