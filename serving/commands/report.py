"""`thresher report` and `thresher replay`: what a study or an ablation has left, drawn and counted again."""

from pathlib import Path
from typing import Annotated

import typer

from agent.errors import BadInput


def report(
    study: Annotated[
        str, typer.Argument(help="Folder that thresher study or ablate has left, or the name of a study or ablation.")
    ],
    mlflow: Annotated[
        str, typer.Option("--mlflow", help="Also log it to this MLflow tracking store, such as sqlite:///mlflow.db.")
    ] = "",
) -> None:
    """Draw the report again: report.html, tables, pictures as SVG and PNG, CSV and Parquet; no model is asked."""
    from serving import settings
    from serving.runs import wiring
    from serving.studies import reports

    folder = reports.find(study, lambda: wiring.open_store(settings.load()))
    typer.echo(reports.report(folder))
    if mlflow:
        from serving.studies.tracking import log

        typer.echo(f"logged to {mlflow}: MLflow run {log(folder, mlflow)}")


def replay(
    manifest: Annotated[
        Path, typer.Argument(help="manifest.json of a study or an ablation, or the folder that it is in.")
    ],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Rebuild also from files that were changed, and say what that changes.")
    ] = False,
) -> None:
    """Make every number anew from stored predictions, without a model or a network, and say whether all are equal."""
    from serving.studies import reports

    found = reports.replay(manifest, anyway=anyway)
    typer.echo(found.text)
    if found.differences:
        many = "1 value differs" if found.differences == 1 else f"{found.differences:,} values differ"
        hint = "thresher report makes tables and page anew from the records, where no record was changed"
        raise BadInput(f"{many} from what {manifest} names", hint)
