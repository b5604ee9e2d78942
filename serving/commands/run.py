"""`thresher run`, `resume`, `runs` and `demo`: the main job."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.connect import Setting
    from serving.runs.running import Begun
    from serving.runs.wishes import Wish
    from serving.shapes_runs import Caps
    from serving.system.progress import Bars

Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; runs/ID where none is named.")]

Capped = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT=MOST",
        help="Never exceeded: requests, tokens or seconds of the LLM, human_labels, human_minutes; may be repeated.",
    ),
]


def caps(given: list[str] | None) -> "Caps":
    """Raises BadInput where one is none that is known, or no number."""
    from pydantic import ValidationError

    from agent.errors import BadInput
    from serving.shapes_runs import Caps

    named = {name: most for name, _, most in (each.partition("=") for each in given or ())}
    try:
        return Caps.model_validate(named)
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        what = f"--cap {name}={named[name]} is no cap"
        raise BadInput(what, f"known: {', '.join(Caps.model_fields)}, each with a number") from None


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
    cap: Capped = None,
    text: Annotated[str, typer.Option(help="Column of the text.")] = "text",
    label: Annotated[str, typer.Option(help="Column of gold labels.")] = "label",
    out: Out = None,
) -> None:
    """Label a pool and train a student: labels.jsonl, student/, report.html and run.json come out."""
    wish = wished(
        (task, data, test),
        (text, label),
        cap,
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


def wished(
    files: tuple[Path, Path, Path | None], columns: tuple[str, str], cap: list[str] | None, **said: Any
) -> "Wish":
    """What the options of `run` and `plan` ask for.

    Args:
        files: task, texts, and test set.
        columns: names of the columns of text and label.
        said: the other fields of a `Wish`.
    """
    from serving.runs.tables import read_table, read_task

    task, data, test = files
    text, label = columns
    named = read_task(task)
    pool = read_table(data, named, text=text, label=label)
    tested = read_table(test, named, text=text, label=label) if test else None

    from serving.runs.wishes import Wish  # after the files: what is wrong with them is said before this loads

    return Wish(task=named, table=pool, test=tested, caps=caps(cap), **said)


def resume(run: Annotated[str, typer.Argument(help="Id of the run, or its folder.")]) -> None:
    """Continue a run that was stopped or waits for people; nothing is asked twice."""
    from serving.runs import running
    from serving.system.progress import Bars

    with Bars() as bars:
        found = running.recall(run, _setting(bars))
    _finish(found)


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
    """Run the main job on 1,000 film sentences with 32 simulated human labels, beside the baselines.

    It goes through the service, which is started where none is up, and stays up.
    """
    from serving import settings
    from serving.client import Client
    from serving.runs import demo as shown
    from serving.runs import wiring
    from serving.service import background
    from serving.service.keys import passing
    from serving.system.progress import Bar, Bars

    read = settings.load()
    with Bars() as bars:
        setting = _setting(bars)
        prepared = shown.lay_out(setting, out, seeds)
        wiring.encoder(setting)  # fetched here, where it is seen how far that is
        found = background.up(read, bars.say, bars.beat)
    with passing(wiring.open_store(read).engine, "demo") as key, Client(found.url, key) as client:
        run = shown.begin(client, prepared)
        typer.echo(f"run {run}: {found.url}/runs/{run}")
        with Bar() as bar:
            shown.Follower(client, run, bar.say, bar).follow()
        report = shown.take_home(client, run, out / "results")
    typer.echo(shown.told(report, out / "results"))
    typer.echo(f"the run's page: {found.url}/runs/{run}")


def carry_out(wish: "Wish", out: Path | None) -> None:
    """Begins a run and sees it through."""
    from serving.runs import running, wishes
    from serving.system.progress import Bars

    wishes.check(wish)
    with Bars() as bars:
        begun = running.begin(wish, _setting(bars), out)
    typer.echo(f"run {begun.job.id} → {begun.folder}")
    _finish(begun)


def _finish(begun: "Begun") -> None:
    from serving.runs import running
    from serving.runs.lease import Lease
    from serving.system.progress import Bars

    with Lease(begun.store, begun.job.id) as lease:
        with Bars() as bars:
            work = running.prepare(begun, _setting(bars), lease.fence)
        typer.echo(running.execute(work))


def _setting(bars: "Bars") -> "Setting":
    from serving import settings
    from serving.connect import Setting

    return Setting(settings.load(), bars.say, bars, bars.beat)
