"""`thresher data`: which data sets are known, what their cards say, and a check that really reads them."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from evaluation.datasets import DataCard
    from evaluation.split import SplitReport
    from serving.data.fetch import DataFetcher, Kind
    from serving.system.progress import Bars

app = typer.Typer(help="Data sets: list, show, check.", no_args_is_help=True)

From = Annotated[str, typer.Option("--from", help="local, packaged or hub; otherwise the first that has it.")]


@app.command(name="list")
def list_data() -> None:
    """The cards: name, classes, what one text is, and where the rows would come from here."""
    from rich.console import Console
    from rich.table import Column, Table

    from evaluation.cards import cards
    from serving.system.progress import Bars

    fetcher = _fetcher(Bars(), None)
    name = Column("name", no_wrap=True, min_width=max(len(card.name) for card in cards()))
    table = Table(name, Column("classes", justify="right"), "title", "would come from")
    for card in cards():
        table.add_row(card.name, str(len(card.labels)), card.title, fetcher.whence(card))
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="A data set's name.")]) -> None:
    """One card: source, licence, citation, splits, labels with words and descriptions, guidelines, caveats."""
    from evaluation.cards import card

    found = card(name)
    said = [("title", found.title), ("source", found.source), ("licence", found.licence), ("citation", found.citation)]
    said += [("splits", found.splits), ("guidelines", found.guidelines)]
    said += [("can be had as", str(source)) for source in found.sources]
    said += [("caveat", caveat) for caveat in found.caveats]
    for what, text in said:
        typer.echo(f"{what}: {text}")
    for label in found.labels:
        typer.echo(f"label {label.name} ({label.word}): {label.description}")


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Names; none: all that need no hub.")] = None,
    source: From = "",
    seed: Annotated[int, typer.Option(help="Of the split, where it is drawn.")] = 0,
) -> None:
    """Reads data sets whole, cleans and splits them, and prints rows, classes, copies, contradictions and leaks."""
    from agent.errors import BadInput, ThresherError
    from evaluation.cards import card, cards
    from serving.system.progress import Bars

    kinds: dict[str, Kind | None] = {"": None, "local": "local", "packaged": "packaged", "hub": "hub"}
    if source not in kinds:
        raise BadInput(f"--from is {source!r}", "give local, packaged or hub")
    failed: list[str] = []
    with Bars() as bars:
        fetcher = _fetcher(bars, kinds[source])
        chosen = [card(name) for name in names] if names else [each for each in cards() if fetcher.needs_no_hub(each)]
        for each in chosen:
            try:
                lines = _checked(each, fetcher, seed)
            except ThresherError as error:
                failed.append(each.name)
                lines = [f"{each.name}: {error}"]
            typer.echo("\n".join(lines))
    if failed:
        raise BadInput(f"{len(failed)} of {len(chosen)} failed: {', '.join(failed)}", "see above")


def _checked(card: "DataCard", fetcher: "DataFetcher", seed: int) -> list[str]:
    from evaluation.split import prepare
    from evaluation.views import split_rows

    report = prepare(card, fetcher, pool=None, test=None, seed=seed).report
    few = {"pool", "test"}
    rows = [(what, said) for what, said in split_rows(report) if what not in few]
    return [card.name, *(f"  {what}: {said}" for what, said in [*rows, *_classes(report)])]


def _classes(report: "SplitReport") -> list[tuple[str, str]]:
    """How many rows and classes each part has, with its rarest and commonest class."""
    return [
        (part, f"{size:,} rows of {len(labels)} classes, from {_rarest(labels)} to {_commonest(labels)}")
        for part, size, labels in (
            ("pool", report.pool, report.pool_labels),
            ("test", report.test, report.test_labels),
        )
    ]


def _rarest(labels: dict[str, int]) -> str:
    name = min(labels, key=lambda each: (labels[each], each))
    return f"{labels[name]:,} {name}"


def _commonest(labels: dict[str, int]) -> str:
    name = max(labels, key=lambda each: (labels[each], each))
    return f"{labels[name]:,} {name}"


def _fetcher(bars: "Bars", only: "Kind | None") -> "DataFetcher":
    from serving import settings
    from serving.data.fetch import DataFetcher

    return DataFetcher(settings.load(), bars.say, bars, only=only)
