"""`thresher study`: learning curves of recipes over data sets, students and shuffles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.study import Study
    from serving.connect import Setting
    from serving.studies.runner import Ended, Ready

Where = Literal["here", "ray"]


def study(
    file: Annotated[Path, typer.Argument(help="Study file (TOML), or the name of a ready study such as quick.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; studies/NAME if none is named.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Cells at a time; all cores if not given.")] = None,
    on: Annotated[Where, typer.Option("--on", help="Where cells are done.")] = "here",
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Time limit, instead of the file's own.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
) -> None:
    """Run a study; started again, it does only what is missing. Tables, a report, records and raw cells come out."""
    read = checked(ready(file), minutes)
    demand_one_count(on, jobs)
    if check:
        typer.echo(told(file, read))
        return

    from serving.studies import results, runner

    folder = out or Path("studies") / read.name
    work, ended = carried_out(lambda setting: runner.prepare(read, setting, folder), on, jobs)
    typer.echo(results.leave(work, ended, folder, text_of(ready(file), "a study")))


def demand_one_count(on: Where, jobs: int | None) -> None:
    """Raises BadInput where both the user and a cluster would say how many hands there are."""
    if on == "ray" and jobs is not None:
        raise BadInput("--jobs is for this machine; on Ray, the cluster says how many", "leave --jobs out")


def carried_out(prepare: "Callable[[Setting], Ready]", on: Where, jobs: int | None) -> "tuple[Ready, Ended]":
    """A study or an ablation prepared and then done, with its progress on the terminal."""
    from serving import settings
    from serving.connect import Setting
    from serving.studies import hands, runner
    from serving.studies.screen import StudyScreen
    from serving.system.machine import inspect
    from serving.system.progress import Bars

    with Bars() as bars:
        setting = Setting(settings.load(), bars.say, bars, bars.beat)
        if on == "ray":
            hands.demand_cluster(setting.settings)
        work = prepare(setting)
    make = hands.maker(on, jobs or len(inspect().cores))
    with StudyScreen() as screen:
        return work, runner.carry_out(work, make, screen)


def checked(path: Path, minutes: float | None) -> "Study":
    """The study of a file, with another time limit where one is given. Raises BadInput for whatever is wrong in it."""
    from evaluation.cards import card
    from evaluation.study import parse

    read = parse(text_of(path, "a study"), str(path))
    for name in read.sets:
        card(name)
    return read if minutes is None else read.model_copy(update={"minutes": minutes})


def told(file: Path, read: "Study") -> str:
    """What would be done and what tested, and what no outcome could show."""
    from evaluation.contrasts import ALPHA
    from evaluation.findings import counted
    from evaluation.shuffles import least_p
    from evaluation.study import planned
    from evaluation.verdicts import named

    size = f"{counted(len(read.arms), 'arm')}, {counted(len(read.sets), 'data set')}"
    lines = [f"{file}: {counted(len(planned(read)), 'cell')}: {size}"]
    for each in read.contrasts:
        n = read.paired(each)
        least = least_p(n, len(read.contrasts))
        few = f"; too few: no corrected p can be below {least:.3f}" if least >= ALPHA else ""
        lines.append(f"tested: {named(each)}, {counted(n, 'shuffle')}{few}")
    return "\n".join(lines)


def text_of(path: Path, what: str) -> str:
    """What stands in a file. Raises BadInput where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}", f"name {what} file") from error


def ready(file: Path, kind: Literal["studies", "ablations"] = "studies") -> Path:
    """The file, or the ready one of that name in a folder of `evaluation`. Raises BadInput where there is neither."""
    from importlib.resources import files

    folder = Path(str(files("evaluation") / kind))
    named = folder / f"{file}.toml"
    if file.exists():
        return file
    if file.suffix or not named.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        one = {"studies": "study", "ablations": "ablation"}[kind]
        raise BadInput(f"there is no {one} file {str(file)!r}", f"name a file, or a ready {one}: {known}")
    return named
