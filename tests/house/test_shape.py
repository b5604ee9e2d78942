"""The shape of the code: small modules, small functions, one import direction, no borrowed names, nothing hidden."""

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("prompts", "agent", "evaluation", "serving")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path.read_bytes().strip())
LONGEST_MODULE, MEDIAN_MODULE, LONGEST_FUNCTION = 350, 120, 40
LIBRARIES = frozenset(
    [
        "fastapi",
        "hypothesis",
        "httpx",
        "jinja2",
        "langchain",
        "langchain_core",
        "langchain_openai",
        "numpy",
        "openai",
        "pandas",
        "platformdirs",
        "pyarrow",
        "pydantic",
        "pytest",
        "ray",
        "rich",
        "scipy",
        "sklearn",
        "sqlalchemy",
        "tenacity",
        "tokenizers",
        "torch",
        "transformers",
        "typer",
        "vllm",
        "yaml",
    ]
)
OUTSIDE = frozenset(
    [
        "socket",
        "httpx",
        "requests",
        "urllib",
        "sqlalchemy",
        "sqlite3",
        "langchain_core",
        "langchain_openai",
        "openai",
        "fastapi",
    ]
)
AT_IMPORT = frozenset({"model_rebuild", "add_typer"})
"""Calls that complete what the module defines: recursive models, the tree of commands."""


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_modules_are_small() -> None:
    assert {named(path): lines(path) for path in FILES if lines(path) > LONGEST_MODULE} == {}
    assert statistics.median(lines(path) for path in FILES) <= MEDIAN_MODULE


def test_functions_are_small() -> None:
    """Counted without the docstring."""
    found: dict[str, int] = {}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                said = ast.get_docstring(node, clean=False) is not None
                told = (first.end_lineno or 0) - first.lineno + 1 if said else 0
                found[f"{named(path)}:{node.name}"] = (node.end_lineno or 0) - node.lineno + 1 - told
    assert {name: length for name, length in found.items() if length > LONGEST_FUNCTION} == {}


def test_folders_import_only_from_themselves_or_from_those_to_their_left() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_left_folders_open_no_network_no_database_and_read_no_environment() -> None:
    """The benches are programs of their own that look at a run from outside: nothing may import them."""
    found: list[str] = []
    left = [path for path in FILES if path.relative_to(ROOT).parts[0] != "serving" and path.parent.name != "bench"]
    for path in left:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{named(path)}: {name}" for name in names if name.split(".")[0] in OUTSIDE]
            found += [f"{named(path)}: {name}" for name in names if "bench" in name.split(".")]
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
                found.append(f"{named(path)}: {node.attr}")
    assert found == []


def test_no_top_level_name_is_that_of_a_library_or_standard_module() -> None:
    top = set(FOLDERS)
    assert not top & (set(sys.stdlib_module_names) | LIBRARIES)


def test_every_module_can_be_imported_first() -> None:
    """In one process, with our own modules forgotten before each: a circle shows only to who comes in elsewhere."""
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in FILES]
    script = f"""
import importlib, sys
for name in {names!r}:
    for known in [known for known in sys.modules if known.split(".")[0] in {FOLDERS!r}]:
        del sys.modules[known]
    try:
        importlib.import_module(name)
    except ImportError as error:
        print(name, error)
"""
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (found.stdout, found.returncode) == ("", 0), found.stderr


def test_no_work_at_import() -> None:
    """Statements of a module are imports, definitions, constants, and calls that complete what it defines."""
    made = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    plain = (ast.Import, ast.ImportFrom, *made, ast.Assign, ast.AnnAssign, ast.If)
    odd: list[str] = []
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            call = node.value if isinstance(node, ast.Expr) else None
            if not (isinstance(node, plain) or isinstance(call, ast.Constant) or _completes(call)):
                odd.append(f"{named(path)}:{node.lineno} {ast.unparse(node)[:60]}")
    assert odd == []


def _completes(call: ast.expr | None) -> bool:
    """`Model.model_rebuild()`, `app.add_typer(…)`, `app.command("run")(run)`."""
    if not isinstance(call, ast.Call):
        return False
    decorated = isinstance(call.func, ast.Call) and ast.unparse(call.func.func).endswith(".command")
    return decorated or ast.unparse(call.func).split(".")[-1] in AT_IMPORT


def test_a_silenced_check_says_why() -> None:
    mute: list[str] = []
    for path in FILES:
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"#\s*(type:\s*ignore|pyright:\s*ignore|noqa)", line) and not _reasoned(line):
                mute.append(f"{named(path)}:{n} {line.strip()}")
    assert mute == []


def _reasoned(line: str) -> bool:
    """Two blanks or a dash, and a word after the code, as in `# noqa: S704  our own file`."""
    return re.search(r"#\s*(?:type:|pyright:)?\s*(?:ignore|noqa)\S*(?:\s\S+)?(?:\s{2,}|\s-\s)\S+", line) is not None


def test_a_skipped_test_says_why() -> None:
    mute: list[str] = []
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"pytest\.(mark\.)?(skip|skipif|xfail)", ast.unparse(node.func)
            ):
                said = [k for k in node.keywords if k.arg == "reason"] or (
                    ast.unparse(node.func).endswith("pytest.skip") and node.args
                )
                if not said:
                    mute.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert mute == []


PLACES = ("/wo" + "rk/", "/tm" + "p/w/", "/ro" + "ot/", "/ho" + "me/")
HOSTS = (r"py" + r"pi\.", "python" + "hosted", r"https?://\S+/sim" + "ple")


@pytest.mark.parametrize("pattern", [*map(re.escape, PLACES), *HOSTS])
def test_no_tracked_file_names_a_place_on_this_machine_or_a_package_index(pattern: str) -> None:
    """PyTorch's own index of CPU builds may be named: its users have to name it themselves otherwise."""
    found = subprocess.run(
        ["git", "grep", "-nIE", pattern, "--", ".", ":!LICENSE"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert found.returncode in (0, 1), found.stderr
    assert found.stdout == ""
