"""`thresher run`, `resume`, `runs` and `demo`: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.connect import Setting
    from serving.runs.job import Job
    from serving.runs.store import Store
    from serving.runs.wishes import Wish
    from serving.system.progress import Bars

Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; runs/ID where none is named.")]


def run(
    task: Annotated[Path, typer.Argument(help="Task file (TOML): labels and guidelines.")],
    data: Annotated[Path, typer.Argument(help="Texts: .csv, .tsv, .jsonl or .parquet.")],
    budget: Annotated[int, typer.Option(min=1, help="Labels that people give, in all.")] = 32,
    recipe: Annotated[str, typer.Option(help="How to spend them.")] = "agent",
    test: Annotated[Path | None, typer.Option(help="Texts with gold labels to measure students on.")] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Take people's answers from the label column.")] = False,
    noise: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of simulated answers that are wrong.")] = 0.0,
    compare: Annotated[bool, typer.Option("--compare", help="Run the baselines beside it.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions with other pool orders.")] = 1,
    student: Annotated[list[str] | None, typer.Option(help="bert, setfit, linear or svm; several to compare.")] = None,
    reads: Annotated[int, typer.Option(min=0, help="Texts that the LLM labels.")] = 600,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of gold labels.")] = "label",
    out: Out = None,
) -> None:
    """Label a pool and train a student: labels.jsonl, student/, report.html and run.json come out."""
    from serving.runs.tables import read_table, read_task

    named = read_task(task)
    pool = read_table(data, named, text=text, label=label)
    tested = read_table(test, named, text=text, label=label) if test else None

    from serving.runs.wishes import Wish  # after the files: what is wrong with them is said before this loads

    wish = Wish(
        task=named,
        table=pool,
        test=tested,
        budget=budget,
        recipe=recipe,
        compare=compare,
        seeds=seeds,
        students=tuple(student or ["bert"]),
        simulate=simulate,
        noise=noise,
        reads=reads,
    )
    carry_out(wish, out)


def resume(run: Annotated[str, typer.Argument(help="Id of the run, or its folder.")]) -> None:
    """Continue a run that was stopped or waits for people; nothing is asked twice."""
    from serving.runs import running
    from serving.system.progress import Bars

    with Bars() as bars:
        job, store, folder = running.recall(run, _setting(bars))
    _finish(job, store, folder)


def runs() -> None:
    """List the recorded runs, newest first."""
    from serving import settings
    from serving.runs import wiring

    for each in wiring.open_store(settings.load()).list():
        typer.echo(f"{each.created[:19]}  {each.state:8} {each.id}  {each.folder}")


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the data and the results.")] = Path("demo"),
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions with other pool orders.")] = 3,
) -> None:
    """Run the main job on 1,000 film sentences with 32 simulated human labels, beside the baselines."""
    from serving.runs import demo as prepared
    from serving.system.progress import Bars

    with Bars() as bars:
        wish = prepared.wish(_setting(bars), out, seeds)
    carry_out(wish, out / "results")


def carry_out(wish: "Wish", out: Path | None) -> None:
    """Begins a run and sees it through."""
    from serving.runs import running, wishes
    from serving.system.progress import Bars

    wishes.check(wish)
    with Bars() as bars:
        job, store, folder = running.begin(wish, _setting(bars), out)
    typer.echo(f"run {job.id} → {folder}")
    _finish(job, store, folder)


def _finish(job: "Job", store: "Store", folder: Path) -> None:
    from serving.runs import running
    from serving.runs.lease import Lease
    from serving.system.progress import Bars

    with Lease(store, job.id) as lease:
        with Bars() as bars:
            work = running.prepare(job, store, folder, _setting(bars), lease.fence)
        typer.echo(running.execute(work))


def _setting(bars: "Bars") -> "Setting":
    from serving import settings
    from serving.connect import Setting

    return Setting(settings.load(), bars.say, bars, bars.beat)
