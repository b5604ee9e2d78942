"""`thresher ablate`: what the slots and settings of a prompt change, by a factorial design."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands.study import Where, carried_out, demand_one_count, ready, text_of

if TYPE_CHECKING:
    from evaluation.ablation import Ablation


def ablate(
    file: Annotated[Path, typer.Argument(help="Ablation file (TOML), or the name of a ready one such as criteria.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; ablations/NAME if none is named.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs at a time; all cores if not given.")] = None,
    on: Annotated[Where, typer.Option("--on", help="Where runs are done.")] = "here",
    minutes: Annotated[float | None, typer.Option(min=0.1, help="Time limit, instead of the file's own.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only say what would be done.")] = False,
) -> None:
    """Run a prompt ablation; started again, it does only what is missing. Effects, a report and raw runs come out."""
    read = checked(ready(file, "ablations"), minutes)
    demand_one_count(on, jobs)
    if check:
        typer.echo(planned(file, read))
        return

    from serving.studies import ablations

    folder = out or Path("ablations") / read.name
    work, ended = carried_out(lambda setting: ablations.prepare(read, setting, folder), on, jobs)
    source = text_of(ready(file, "ablations"), "an ablation")
    typer.echo(ablations.leave(read, work, ended, folder, source))


def checked(path: Path, minutes: float | None) -> "Ablation":
    """The ablation of a file, with another time limit where one is given. Raises BadInput for whatever is wrong."""
    from evaluation.ablation import parse
    from evaluation.cards import card

    read = parse(text_of(path, "an ablation"), str(path))
    for name in read.sets:
        card(name)
    return read if minutes is None else read.model_copy(update={"minutes": minutes})


def planned(file: Path, read: "Ablation") -> str:
    """What would be done, and what would be tested."""
    from evaluation.ablation_design import named
    from evaluation.contrasts import ALPHA
    from evaluation.findings import counted
    from evaluation.shuffles import least_p

    cells, paired = len(read.design), len(read.sets) * read.shuffles
    tested = "; ".join(named(each, read.factors) for each in read.tested)
    again = "lists that come back short once more" if read.subject.kind == "select" else "equal ones once"
    least = least_p(paired, len(read.tested))
    few = f"; {counted(paired, 'shuffle')}: no corrected p can be below {least:.3f}" if least >= ALPHA else ""
    sizes = ", ".join(
        counted(*each) for each in ((cells, "cell"), (len(read.sets), "data set"), (read.shuffles, "shuffle"))
    )
    return (
        f"{file}: {counted(cells * paired, 'run')}: {sizes}\n"
        f"{read.questions:,} questions to the LLM, {again}\ntested: {tested}{few}"
    )
