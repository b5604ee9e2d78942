"""Images and compose files: sound by a linter, of one piece, and documented to the last variable."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices

from serving.settings import Settings
from tests.support.dockerfile import instructions

DOCKER = Path(__file__).parents[2] / "docker"
FILES = ("compose.yaml", "compose.gpu.yaml", "compose.postgres.yaml")
MANUAL = (DOCKER / "README.md").read_text(encoding="utf-8")
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))


def merged(*names: str) -> dict[str, Any]:
    """As compose merges files: mappings by key, everything else replaced."""
    whole: dict[str, Any] = {}
    for name in names:
        whole = over(whole, read(name))
    return whole


def over(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {key: over(below.get(key), above[key]) if key in above else below[key] for key in {**below, **above}}


def names() -> dict[str, str]:
    """Each variable that a setting is read from, by the setting."""
    found: dict[str, str] = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        for name in alias.choices if isinstance(alias, AliasChoices) else [f"THRESHER_{field.upper()}"]:
            found[str(name)] = field
    return found


def test_the_linter_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    found = subprocess.run([linter, DOCKER / "Dockerfile"], capture_output=True, text=True, timeout=60)
    assert (found.stdout, found.stderr, found.returncode) == ("", "", 0)


def test_every_variable_of_the_service_is_in_the_manual() -> None:
    table = MANUAL[MANUAL.index("## Variables of the service") :]
    assert [name for name in names() if f"`{name}`" not in table] == []
    documented = set(re.findall(r"`(THRESHER_\w+)`", MANUAL))
    assert documented <= set(names())


def test_the_manual_says_the_defaults() -> None:
    rows = re.findall(r"^\| `(THRESHER_\w+)`[^|]*\| `([^`|]*)` \|", MANUAL, re.MULTILINE)
    assert len(rows) > 8
    for name, said in rows:
        default = Settings.model_fields[names()[name]].default
        assert said == (f"{default:g}" if isinstance(default, float) else str(default)).replace("False", "false"), name


def test_the_image_sets_only_variables_that_there_are() -> None:
    given = instructions((DOCKER / "Dockerfile").read_text(encoding="utf-8"))
    set_ = {name for word, rest in given if word == "ENV" for name in re.findall(r"(THRESHER_\w+)=", rest)}
    assert len(set_) >= 4
    assert set_ <= set(names())


@pytest.mark.parametrize("file", FILES)
def test_every_variable_of_a_compose_file_is_in_the_manual_with_its_default(file: str) -> None:
    text = (DOCKER / file).read_text(encoding="utf-8")
    table = MANUAL[MANUAL.index("## Variables of the compose") : MANUAL.index("## Variables of the service")]
    for name, kind, default in VARIABLE.findall(text):
        (row,) = [line for line in table.splitlines() if line.startswith("|") and f"`{name}`" in line.split("|")[1]]
        assert kind in "-?", f"{name} has no default"
        assert kind == "?" or not default or f"`{default}`" in row, (name, default)


@pytest.mark.parametrize("files", [FILES[:1], FILES[:2], (FILES[0], FILES[2]), FILES], ids="+".join)
def test_compose_files_together_are_of_one_piece(files: tuple[str, ...]) -> None:
    whole = merged(*files)
    services = whole["services"]
    assert set(services) == {"thresher", "engine"} | ({"database"} if FILES[2] in files else set())
    for name, service in services.items():
        assert name == "thresher" or "healthcheck" in service, "the image of the service brings its own"
        assert "image" in service
        assert service["restart"] == "unless-stopped"
        assert service["logging"]["options"]["max-size"]
        for volume in service["volumes"]:
            assert volume.split(":")[0] in whole["volumes"]
        for other in service.get("depends_on", {}):
            assert "healthcheck" in services[other]
    thresher = services["thresher"]
    assert {name for name in thresher["environment"] if name.startswith("THRESHER_")} <= set(names())
    assert thresher["environment"]["THRESHER_ENGINE_URL"] == "http://engine:8000/v1"
    assert "--port=8000" in services["engine"]["command"]
    assert (thresher["read_only"], thresher["cap_drop"]) == (True, ["ALL"])
    assert [port for name in services if name != "thresher" for port in services[name].get("ports", [])] == []
    inside = [volume.split(":")[1] for volume in thresher["volumes"]]
    said = dict(instructions((DOCKER / "Dockerfile").read_text(encoding="utf-8")))
    assert inside == re.findall(r'"([^"]+)"', said["VOLUME"])


def test_on_a_card_the_engine_reserves_one_and_with_a_database_the_service_waits_for_it() -> None:
    engine = merged(*FILES[:2])["services"]["engine"]
    assert engine["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    assert "vllm/vllm-openai:" in engine["image"]
    assert "--enforce-eager" not in engine["command"]
    services = merged(FILES[0], FILES[2])["services"]
    assert services["thresher"]["depends_on"]["database"]["condition"] == "service_healthy"
    url = services["thresher"]["environment"]["THRESHER_DATABASE"]
    assert re.sub(r"\$\{.*\}", "pw", url) == "postgresql://thresher:pw@database:5432/thresher"
    assert services["database"]["environment"]["POSTGRES_DB"] == "thresher"


def test_only_the_program_goes_to_the_builder() -> None:
    lines = (DOCKER / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    given = instructions((DOCKER / "Dockerfile").read_text(encoding="utf-8"))
    copied = [rest.split() for word, rest in given if word == "COPY"]
    assert kept == {source for sources in copied for source in sources[:-1] if not sources[0].startswith("--from")}
