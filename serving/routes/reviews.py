"""People: take a text, label it, put it back, change one's mind; look over the LLM's picks before they are labelled."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import Field, model_validator

from agent.errors import BadInput
from prompts.messages import Frozen
from serving import problem
from serving.problem import Refused
from serving.routes.runs import RunId
from serving.runs.picks import Closed, Decision
from serving.runs.review_queue import Choice, Item
from serving.runs.reviews import Lost
from serving.service.desk import AtDesk, Desk
from serving.service.guard import LOCAL, Caller, Calling, needs
from serving.shapes_people import ItemShown, PickList, PickShown, ProgressShown, ReceiptShown, Undecided

router = APIRouter(prefix="/v1", tags=["people"], responses=problem.RESPONSES)
TOKEN = Annotated[str, Path(max_length=200, description="As taking the text answered it.")]
NOT_GIVEN = "This token was never given out, or not to this person"
TOKENS = problem.refusals(_404=NOT_GIVEN, _409="The text is somebody else's by now; the answer is told back")
EXAMPLE: dict[str, Any] = {"token": "<token>", "label": "positive", "seconds": 3.2}
WHO: dict[str, Any] = {"who": "ann"}
KEPT: dict[str, Any] = {"keep": True, "who": "ann"}
STRUCK: dict[str, Any] = {"keep": False, "reason": "two films in one text", "who": "ann"}


class Who(Frozen):
    who: str = Field(default="", max_length=60, description="A name; that of the API key where one is used.")


class Which(Who):
    example: str | None = Field(
        default=None, max_length=1000, description="The text whose answer is to change; the last one where absent."
    )


NOBODY, LAST = Who(), Which()


class Answered(Frozen):
    """A label, or the reason why there is none."""

    token: str = Field(max_length=200)
    label: str | None = Field(default=None, max_length=1000)
    verdict: Literal["undecided", "bad_text"] | None = None
    seconds: float | None = Field(default=None, ge=0, le=86_400, description="How long it took; measured where absent.")

    @model_validator(mode="after")
    def _either(self) -> "Answered":
        if (self.label is None) == (self.verdict is None):
            raise ValueError("give a label or a verdict, and not both")
        return self


class Kept(Who):
    keep: bool
    reason: str = Field(default="", max_length=1000, description="Why not, where it is struck out.")


@router.post(
    "/runs/{run}/review",
    summary="Take a text to label",
    dependencies=[needs("review")],
    response_model=ItemShown,
    responses={204: {"description": "Nothing is to be labelled now"}},
)
def take(run: RunId, desk: AtDesk, who: Calling, body: Annotated[Who, Body(examples=[WHO])] = NOBODY) -> Any:
    """Kept for that person for a while. Asked again, they get the same one; nobody else does."""
    desk.store.get(run)
    item = desk.reviews.lease(run, _name(who, body.who))
    return Response(status_code=204) if item is None else _shown(item)


@router.get("/runs/{run}/review", summary="How far labelling is", dependencies=[needs("read")])
def progress(
    run: RunId, desk: AtDesk, calling: Calling, who: Annotated[str, Query(max_length=60)] = ""
) -> ProgressShown:
    desk.store.get(run)
    found = desk.reviews.progress(run, _name(calling, who))
    if found is None:
        raise Refused(409, f"run {run!r} has not asked people for anything yet", "wait until it does")
    return ProgressShown(
        round=found.round,
        total=found.total,
        done=found.done,
        held=found.held,
        mine=found.mine,
        seconds_per_label=found.pace,
    )


@router.post("/runs/{run}/labels", summary="Label a text", dependencies=[needs("review")], responses=TOKENS)
def label(run: RunId, body: Annotated[Answered, Body(examples=[EXAMPLE])], desk: AtDesk, who: Calling) -> ReceiptShown:
    """Stored in the transaction that gives the text back. The same token again is answered with what is stored.

    An answer whose time was over is taken if nobody else has the text by now; else it is refused with 409, told back.
    A token that was never given out, or to somebody else, is not known: 404.
    """
    desk.store.get(run)
    _theirs(desk.reviews.holder(body.token), run, who)
    choice = Choice(verdict="label" if body.verdict is None else body.verdict, label=body.label)
    try:
        receipt = desk.reviews.answer(body.token, choice, body.seconds)
    except Lost as lost:
        raise Refused(409, lost.what, lost.hint) from lost
    return ReceiptShown(
        example=receipt.example,
        choice=receipt.choice,
        confirmed=receipt.confirmed,
        repeated=receipt.repeated,
        done=receipt.done,
        total=receipt.total,
        why=desk.reasons.of(run, receipt.round, receipt.example),
    )


@router.post(
    "/runs/{run}/review/undo",
    summary="Change one's last label",
    dependencies=[needs("review")],
    response_model=ItemShown,
    responses={204: {"description": "There is none of this person to change"}},
)
def undo(run: RunId, desk: AtDesk, who: Calling, body: Annotated[Which, Body(examples=[WHO])] = LAST) -> Any:
    """The text of an answer of the person's, to be answered anew. What was said before is kept in its history.

    While the run has not read the answer, it is taken back at once. After that it stands until there is a new one.
    """
    desk.store.get(run)
    item = desk.reviews.undo(run, _name(who, body.who), body.example)
    return Response(status_code=204) if item is None else _shown(item)


@router.post(
    "/runs/{run}/review/{token}/skip",
    status_code=204,
    summary="Put a text back",
    dependencies=[needs("review")],
    responses=problem.refusals(_404=NOT_GIVEN),
)
def skip(run: RunId, token: TOKEN, desk: AtDesk, who: Calling) -> None:
    """Others get it first; it comes to this person again when nothing else is left. Costs nothing.

    A text that is not theirs any more has been put back already.
    """
    _theirs(desk.reviews.holder(token), run, who)
    desk.reviews.skip(token)


@router.get("/runs/{run}/picks", summary="The LLM's picks", dependencies=[needs("read")])
def list_picks(
    run: RunId,
    desk: AtDesk,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    after: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
) -> PickList:
    """Of the newest round that experts are asked about, in the order of choice."""
    desk.store.get(run)
    found = desk.picks.list(run, limit + 1, after)
    items = tuple(_picked(each) for each in found[:limit])
    return PickList(items=items, next=items[-1].example if len(found) > limit else None)


@router.post("/runs/{run}/picks", summary="Keep or strike out all other picks", dependencies=[needs("review")])
def decide_rest(run: RunId, body: Annotated[Kept, Body(examples=[KEPT])], desk: AtDesk, who: Calling) -> Undecided:
    """All of the round that nobody has decided."""
    return _decided(run, None, body, desk, _name(who, body.who))


@router.post("/runs/{run}/picks/{example:path}", summary="Keep or strike out a pick", dependencies=[needs("review")])
def decide(
    run: RunId,
    example: Annotated[str, Path(max_length=1000)],
    body: Annotated[Kept, Body(examples=[STRUCK])],
    desk: AtDesk,
    who: Calling,
) -> Undecided:
    """Before it is labelled. One that is struck out stays in the pool and costs no label."""
    return _decided(run, example, body, desk, _name(who, body.who))


def _decided(run: str, example: str | None, body: Kept, desk: Desk, who: str) -> Undecided:
    desk.store.get(run)
    try:
        left = desk.picks.decide(run, example, keep=body.keep, reason=body.reason, who=who)
    except Closed as closed:
        raise Refused(409, closed.what, closed.hint) from closed
    return Undecided(left=left)


def _name(calling: Caller, given: str) -> str:
    """Who holds a key is who it says; on this machine without keys, whoever they say they are."""
    if calling != LOCAL:
        return calling.name
    if any(not c.isprintable() for c in given):
        raise BadInput(f"{given[:60]!r} is no name", "use printable characters")
    return given.strip() or calling.name


def _theirs(holder: tuple[str, str] | None, run: str, calling: Caller) -> None:
    """A token is a secret of whoever got it; with keys, also nobody else's key may use it.

    One whose time is over has no holder; what it was given out for is refused with its reason where that is known.
    """
    if holder is not None and (holder[0] != run or (calling != LOCAL and holder[1] != calling.name)):
        raise Refused(404, f"run {run!r} knows no such token of this person", "take a text first")


def _shown(item: Item) -> ItemShown:
    return ItemShown(
        token=item.token,
        example=item.ask.example,
        text=item.ask.text,
        text_b=item.ask.text_b,
        round=item.round,
        position=item.position,
        suggestion=item.ask.suggestion,
        blind=item.blind,
        expires=item.expires,
        chosen=item.chosen,
    )


def _picked(decision: Decision) -> PickShown:
    pick = decision.pick
    return PickShown(
        example=pick.example,
        text=pick.text,
        text_b=pick.text_b,
        why=pick.why,
        round=decision.round,
        kept=decision.kept,
        reason=decision.reason,
        who=decision.who,
    )
