"""The prompt folder keeps its own rules: lock, table, modules on the map, nothing imported from the other folders.

Write the table of prompts in its README anew:

    python -m tests.house.test_prompts
"""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import prompts
from prompts.lock import check_lock
from prompts.template import Prompt, catalogue

FOLDER = Path(prompts.__file__).parent
README = FOLDER / "README.md"
TABLE = re.compile(r"(<!-- prompts: [^\n]*-->\n)(.*?)(<!-- end -->)", re.DOTALL)


def table() -> str:
    """What the README says about each prompt: reply, slots with their fillings, variables with their meaning."""
    return "\n".join(line for prompt in catalogue() for line in _section(prompt)) + "\n"


def _section(prompt: Prompt) -> Iterator[str]:
    yield f"### `{prompt.id}` → `parse_{prompt.reply}`\n"
    yield f"Source: {prompt.source}.\n"
    yield "| slot | fillings | what it varies |\n| --- | --- | --- |"
    for name, slot in prompt.slots.items():
        fillings = ", ".join(f"**{each}**" if each == slot.default else each for each in slot.fillings)
        yield f"| `{name}` | {fillings} | {slot.meaning} |"
    yield "\n| variable | meaning |\n| --- | --- |"
    for name, meaning in prompt.variables.items():
        yield f"| `{name}` | {meaning} |"
    yield ""


def test_no_text_changed_without_a_new_version() -> None:
    assert check_lock() == (), "raise `version` in the changed file, then lock (prompts/README.md)"


def test_the_readme_describes_every_prompt() -> None:
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == table(), "run python -m tests.house.test_prompts"


def test_the_readme_maps_every_module() -> None:
    text = README.read_text(encoding="utf-8")
    modules = {file.name for file in FOLDER.glob("*.py")} - {"__init__.py"}
    assert {name for name in modules if name not in text} == set()


def test_the_readme_example_runs() -> None:
    code = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(code) == 1
    exec(compile(code[0], str(README), "exec"), {})


def test_every_part_belongs_to_a_prompt() -> None:
    used = {f"{slot}/{filling}" for prompt in catalogue() for slot, parts in prompt.parts.items() for filling in parts}
    written = {f"{file.parent.name}/{file.stem}" for file in (FOLDER / "parts").glob("*/*.md")}
    assert written == used


def test_the_reply_kind_names_a_parser() -> None:
    import prompts.replies as replies

    assert {f"parse_{prompt.reply}" for prompt in catalogue()} <= set(replies.__all__)


def test_the_packaged_files_are_found_as_resources() -> None:
    assert files("prompts").joinpath("library/select/choose.md").is_file()


def test_the_folder_imports_nothing_of_the_others_and_no_heavy_library() -> None:
    allowed = {"prompts", "jinja2", "pydantic", "yaml"}
    for file in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in (name.split(".")[0] for name in names):
                assert name in allowed or name in STANDARD, f"{file.name} imports {name}"


STANDARD = frozenset(
    [
        "collections",
        "dataclasses",
        "difflib",
        "functools",
        "hashlib",
        "importlib",
        "itertools",
        "json",
        "math",
        "pathlib",
        "re",
        "typing",
        "unicodedata",
    ]
)


def write() -> None:
    """Write the table anew."""
    text = README.read_text(encoding="utf-8")
    README.write_text(TABLE.sub(lambda found: found[1] + table() + found[3], text), encoding="utf-8")


if __name__ == "__main__":
    write()
