from pathlib import Path

import pytest

from agent.errors import BadInput
from serving import settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's reaches these tests."""
    for name in ("THRESHER_CACHE", "THRESHER_PORT", "THRESHER_ENGINE_URL", "HF_ENDPOINT", "HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert settings.load().cache == tmp_path / "thresher"
    monkeypatch.setenv("THRESHER_CACHE", str(tmp_path / "mine"))
    assert settings.load().cache == tmp_path / "mine"


def test_the_hubs_own_variables_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.test")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_TOKEN", "secret")
    got = settings.load()
    assert (got.hub, got.hub_offline) == ("http://mirror.test", True)
    assert "secret" not in repr(got)


def test_an_empty_variable_is_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHER_PORT", "")
    assert settings.load().port == 8011


@pytest.mark.parametrize("value", ["eighty", "80", "70000"])
def test_a_bad_variable_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("THRESHER_PORT", value)
    with pytest.raises(BadInput, match=f"THRESHER_PORT is '{value}'") as caught:
        settings.load()
    assert "\n" not in str(caught.value)


def test_replicas_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHER_ENGINE_URL", "http://a:1,http://b:2/v1")
    assert settings.load().urls == ("http://a:1/v1", "http://b:2/v1")
