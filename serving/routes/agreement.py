"""`GET /v1/runs/{run}/agreement`: how far people agree with each other, and how far the machine's label moves them."""

import math

from fastapi import APIRouter

from evaluation.agreement import anchoring, fleiss_kappa, pairs, raw_agreement
from serving import problem
from serving.routes.runs import RunId
from serving.service.desk import AtDesk
from serving.service.guard import needs
from serving.shapes_people import AgreementShown, AnchoringShown, PairShown

router = APIRouter(prefix="/v1", tags=["people"], responses=problem.RESPONSES)


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
