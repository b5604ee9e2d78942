"""From several people's answers to one text to the answer that stands."""

from collections import Counter
from collections.abc import Sequence

from agent.protocols import Response


def settled(given: Sequence[Response], fresh: Sequence[bool] | None = None) -> Response:
    """The answer that most people gave; a tie, or nobody who could decide, is undecided.

    Each answer is a vote for a label or for discarding the text; who could not decide votes for nothing. The result
    counts as a confirmation of the machine only where all who gave this label had seen the machine's: one who came to
    it without is better evidence.

    Args:
        given: at least one answer.
        fresh: which of them are new. The others vote, and are not told again in the `given` of the result.

    Raises:
        ValueError: nobody answered.
    """
    if not given:
        raise ValueError("nobody answered")
    new = [each for each, is_new in zip(given, fresh or [True] * len(given), strict=True) if is_new]
    if len(given) == 1:
        return given[0]
    votes = Counter((each.label, each.discard) for each in given if each.label is not None or each.discard)
    ranked = votes.most_common(2)
    tied = not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1])
    label, discard = (None, False) if tied else ranked[0][0]
    behind = [each for each in given if each.label is not None and each.label == label]
    return Response(
        label=label,
        seconds=sum(each.seconds for each in new),
        name=f"majority of {len(given)}",
        confirmed=bool(behind) and all(each.confirmed for each in behind),
        labels=sum(each.labels for each in new),
        discard=discard,
        why="no majority" if tied else f"{ranked[0][1]} of {len(given)} people",
        given=tuple(new),
    )
