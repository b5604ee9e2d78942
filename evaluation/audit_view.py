"""An audit of the LLM's labels as a page shows it. Nothing here is HTML: the template escapes what it prints."""

import math
from collections.abc import Sequence
from typing import Any

from evaluation import diagrams
from evaluation.records import LabelAudit


def audit_view(audit: LabelAudit, classes: Sequence[str]) -> dict[str, Any]:
    """The sentence, the shaded confusion table and the mistakes of one audit."""
    return {
        "sentence": sentence(audit),
        "against": audit.against,
        "confusion": _confusion(audit, classes),
        "mistakes": [
            {"text": m.text, "gold": m.gold, "said": m.said, "confidence": share(m.confidence)} for m in audit.mistakes
        ],
    }


def _confusion(audit: LabelAudit, classes: Sequence[str]) -> list[dict[str, Any]]:
    """One row for each gold class; `shade` is the share of the row, 0 to 0.55, so that ink stays readable on it."""
    rows: list[dict[str, Any]] = []
    for i, (name, counts) in enumerate(zip(classes, audit.confusion, strict=False)):
        total = sum(counts)
        cells = [
            {"n": n, "shade": f"{0.55 * n / total if total else 0:.2f}", "kind": "right" if i == j else "wrong"}
            for j, n in enumerate(counts)
        ]
        rows.append({"name": name, "cells": cells})
    return rows


def audit_figures(audit: LabelAudit) -> list[str]:
    return [figure for figure in (diagrams.reliability(audit), diagrams.coverage(audit)) if figure]


def sentence(audit: LabelAudit) -> str:
    """What the audit found, in words; measures that are undefined are left out."""
    who = audit.model or "The LLM"
    begin = f"{who} labelled {audit.n:,} texts that have {audit.against}"
    begin += f" and abstained on {audit.abstained:,} more" if audit.abstained else ""
    measures = (
        ("right", audit.accuracy, share),
        ("before calibration", audit.raw_accuracy, share),
        ("macro-F1", audit.macro_f1, share),
        ("expected calibration error", audit.ece, share),
        ("Brier score", audit.brier, "{:.3f}".format),
        ("AUROC of its confidence for finding errors", audit.auroc, "{:.2f}".format),
    )
    known = [f"{name} {form(value)}" for name, value, form in measures if not math.isnan(value)]
    return f"{begin}: {', '.join(known)}." if known else f"{begin}."


def share(value: float) -> str:
    """`83.1 %`, or a dash for an undefined share."""
    return "–" if math.isnan(value) else f"{100 * value:.1f} %"
