"""`GET /v1/runs/{run}/agreement`: how far people agree with each other, and how far the machine's label moves them."""

import math

from fastapi import APIRouter
from pydantic import Field

from evaluation.agreement import anchoring, fleiss_kappa, pairs, raw_agreement
from prompts.messages import Frozen
from serving import problem
from serving.routes.runs import RunId
from serving.service.desk import AtDesk
from serving.service.guard import needs

router = APIRouter(prefix="/v1", tags=["people"], responses=problem.RESPONSES)


class PairShown(Frozen):
    """Two people on the texts that both have answered."""

    people: tuple[str, str]
    texts: int
    raw: float = Field(description="Share of these texts on which they agree.")
    cohen_kappa: float | None = Field(description="Beyond chance; null where both always said the same one thing.")


class AnchoringShown(Frozen):
    """Agreement with the machine of people who saw its label first, and of those from whom it was hidden."""

    shown: int
    shown_agreed: int
    blind: int
    blind_agreed: int
    difference: float | None = Field(description="Of the two shares; null while one of them has no answers.")
    low: float | None = Field(description="Lower bound of the difference, 95 %.")
    high: float | None


class AgreementShown(Frozen):
    """Null is what cannot be said yet."""

    answers: int
    raw: float | None = Field(description="Share of pairs of answers to one text that agree.")
    fleiss_kappa: float | None
    pairs: tuple[PairShown, ...]
    anchoring: AnchoringShown


@router.get("/runs/{run}/agreement", summary="How far people agree", dependencies=[needs("read")])
def agreement(run: RunId, desk: AtDesk) -> AgreementShown:
    """With each other, where several answer for one text, and with the machine, whether they saw its label or not."""
    desk.store.get(run)
    ratings = desk.reviews.ratings(run)
    moved = anchoring(ratings)
    return AgreementShown(
        answers=len(ratings),
        raw=_number(raw_agreement(ratings)),
        fleiss_kappa=_number(fleiss_kappa(ratings)),
        pairs=tuple(
            PairShown(people=(p.first, p.second), texts=p.items, raw=p.raw, cohen_kappa=_number(p.kappa))
            for p in pairs(ratings)
        ),
        anchoring=AnchoringShown(
            shown=moved.shown,
            shown_agreed=moved.shown_agreed,
            blind=moved.blind,
            blind_agreed=moved.blind_agreed,
            difference=_number(moved.difference),
            low=_number(moved.low),
            high=_number(moved.high),
        ),
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
