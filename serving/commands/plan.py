"""`thresher plan`: what a run would take, before it begins."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serving.commands.run import Capped, Out, wished

if TYPE_CHECKING:
    from serving.runs.plan import Forecast, Range


def plan(
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
    cap: Capped = None,
    out: Out = None,
    json: Annotated[bool, typer.Option("--json", help="Print the forecast as JSON.")] = False,
) -> None:
    """Forecast a run: LLM requests, tokens, time, people's labels and minutes, with the assumptions.

    It takes the options of `run`, and writes nothing.
    """
    del out
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
    from serving import settings
    from serving.runs import wiring
    from serving.runs.planning import planned

    found = planned(wish, wiring.open_store(settings.load()).engine, settings.load())
    typer.echo(found.model_dump_json(indent=2) if json else "\n".join(told(found)))


def told(found: "Forecast") -> list[str]:
    """A forecast as lines to read."""
    rows = (
        ("LLM requests", found.llm_requests, ""),
        ("prompt tokens", found.prompt_tokens, ""),
        ("generated tokens", found.generated_tokens, ""),
        ("LLM time", found.llm_seconds, " s"),
        ("people's labels", found.human_labels, ""),
        ("people's time", found.human_minutes, " min"),
    )
    said = [f"{'':18}{'expected':>12}   {'between':>12} and", *(_row(name, each, unit) for name, each, unit in rows)]
    said += [
        "",
        *(
            f"round {r.round}: {r.query} chooses up to {r.size}, {r.annotate} labels; {r.llm_requests} requests, "
            f"{r.human_labels} labels of people"
            for r in found.rounds
        ),
    ]
    if found.exceeds:
        said += ["", "would stop at:", *(f"- {line}" for line in found.exceeds)]
    return [*said, "", "assumed:", *(f"- {line}" for line in found.assumptions)]


def _row(name: str, range_: "Range", unit: str) -> str:
    return f"{name:18}{range_.expected:>12,.0f}   {range_.low:>12,.0f} and {range_.high:,.0f}{unit}"
