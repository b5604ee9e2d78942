"""`thresher ablate`: what the slots and settings of a prompt change, by a factorial design."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.errors import BadInput

if TYPE_CHECKING:
    from evaluation.ablation import Ablation


def ablate(
    file: Annotated[Path, typer.Argument(help="Ablation file (TOML), or the name of a ready one such as criteria.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; ablations/NAME if none is named.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time; all cores if not given.")] = None,
    on: Annotated[Literal["here", "ray"], typer.Option("--on", help="Where runs are done.")] = "here",
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Time limit, instead of the file's own.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
) -> None:
    """Run a prompt ablation; started again, it does only what is missing. Effects, a report and raw runs come out."""
    from serving.commands.study import ready, text_of

    read = checked(ready(file, "ablations"), minutes)
    if on == "ray" and jobs is not None:
        raise BadInput("--jobs is for this machine; on Ray, the cluster says how many", "leave --jobs out")
    if check:
        typer.echo(planned(file, read))
        return

    from serving import settings
    from serving.connect import Setting
    from serving.studies import ablations, hands, runner
    from serving.studies.screen import StudyScreen
    from serving.system.machine import inspect
    from serving.system.progress import Bars

    folder = out or Path("ablations") / read.name
    with Bars() as bars:
        setting = Setting(settings.load(), bars.say, bars, bars.beat)
        if on == "ray":
            hands.demand_cluster(setting.settings)
        work = ablations.prepare(read, setting, folder)
    make = hands.maker(on, jobs or len(inspect().cores))
    with StudyScreen() as screen:
        ended = runner.carry_out(work, make, screen)
    source = text_of(ready(file, "ablations"), "an ablation")
    typer.echo(ablations.leave(read, work, ended, folder, source))


def checked(path: Path, minutes: float | None) -> "Ablation":
    """The ablation of a file, with another time limit where one is given. Raises BadInput for whatever is wrong."""
    from evaluation.ablation import parse
    from evaluation.cards import card
    from serving.commands.study import text_of

    read = parse(text_of(path, "an ablation"), str(path))
    for name in read.sets:
        card(name)
    return read if minutes is None else read.model_copy(update={"minutes": minutes})


def planned(file: Path, read: "Ablation") -> str:
    """What would be done, and what would be tested."""
    from evaluation.ablation_design import named

    cells = len(read.design)
    runs = cells * len(read.sets) * read.shuffles
    tested = "; ".join(named(each, read.factors) for each in read.tested)
    again = "lists that come back short once more" if read.subject.kind == "select" else "equal ones once"
    return (
        f"{file}: {runs} runs: {cells} cells, {len(read.sets)} data sets, {read.shuffles} shuffles\n"
        f"{read.questions:,} questions to the LLM, {again}\ntested: {tested}"
    )
