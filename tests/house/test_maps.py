"""Each folder's README names every module that is there, and none that is not.

The maps of `agent` and `serving` are made from the modules' own first lines. Write them anew:

    python -m tests.house.test_maps
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("prompts", "agent", "evaluation", "serving")
MADE = ("agent", "serving")
MAP = re.compile(r"(<!-- map: [^\n]*-->\n)(.*?)(<!-- end of map -->)", re.DOTALL)
NAMED = re.compile(r"(?<![\w./*-])((?:[\w-]+/)*\w+\.py)\b")


def modules(folder: str) -> list[Path]:
    """All modules with something in them, relative to the folder, those of the folder itself first."""
    found = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.py") if path.read_bytes().strip()]
    return sorted(found, key=lambda path: (len(path.parts) > 1, path.as_posix()))


def readme(folder: str) -> str:
    return (ROOT / folder / "README.md").read_text(encoding="utf-8")


def first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def table(folder: str) -> str:
    """What the map says: a row for each module."""
    shown = [path for path in modules(folder) if path.name != "__init__.py"]
    rows = [
        f"| `{path.as_posix()}` | {first_line(ROOT / folder / path).replace('|', chr(92) + '|')} |" for path in shown
    ]
    return "\n".join(["| module | what it is for |", "| --- | --- |", *rows]) + "\n"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_module_says_in_its_first_line_what_it_is_for(folder: str) -> None:
    assert [str(path) for path in modules(folder) if len(first_line(ROOT / folder / path)) < 15] == []


@pytest.mark.parametrize("folder", MADE)
def test_the_map_is_what_the_modules_say(folder: str) -> None:
    found = MAP.search(readme(folder))
    assert found is not None, f"{folder}/README.md has no map"
    assert found[2] == table(folder), "run python -m tests.house.test_maps"


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_names_every_module(folder: str) -> None:
    text = readme(folder)
    unnamed = [
        path.as_posix()
        for path in modules(folder)
        if path.name not in {"__init__.py"}
        and not re.search(rf"(?<![\w/]){re.escape(path.as_posix())}\b", text)
        and not (len(path.parts) > 1 and folder not in MADE and f"{path.parts[0]}/" in text)
    ]
    assert unnamed == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_names_no_module_that_is_not_there(folder: str) -> None:
    named = {name.removeprefix("evaluation/").removeprefix("serving/") for name in NAMED.findall(readme(folder))}
    everywhere = {
        path.relative_to(ROOT).as_posix() for each in (*FOLDERS, "tests") for path in (ROOT / each).rglob("*.py")
    }
    gone = [name for name in sorted(named) if not any(f"/{path}".endswith(f"/{name}") for path in everywhere)]
    assert gone == []


def write() -> None:
    """Write the maps anew."""
    for folder in MADE:
        before, old, after = MAP.split(readme(folder))[:1], MAP.search(readme(folder)), MAP.split(readme(folder))[-1:]
        assert old is not None
        text = "".join([*before, old[1], table(folder), old[3], *after])
        (ROOT / folder / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
