import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from agent.domain import Batch, Cost, Example, Pick
from agent.exchange import ChatRequest
from agent.query import LlmChoose
from agent.query.diagnose import class_shares, overlap, price, progressions, replies
from agent.scripted import ScriptedChat
from tests.support.questions import question


def pick(place: int, *, listing: int | None = 0, listed: int = 15, name: str = "", filled: bool = False) -> Pick:
    example = Example(id=name or f"t{listing}-{place}", text="a text")
    if filled:
        return Pick(example=example, filled=True, why="filled by random")
    return Pick(example=example, shown=place, listed=listed, listing=listing)


def batch(*picks: Pick, cost: Cost | None = None, **notes: float) -> Batch:
    return Batch(picks=picks, by="llm", cost=cost or Cost(), notes=notes)


def chosen(*names: str) -> list[Batch]:
    return [batch(*(pick(i, name=name) for i, name in enumerate(names)))]


def test_counting_instead_of_choosing_shows():
    counted = batch(*(pick(place) for place in (9, 1, 5, 13)), *(pick(place, listing=1) for place in (0, 1, 2, 3)))
    found = progressions([counted])
    assert (found.share, found.lists) == (1.0, 2)
    # Of the 1,365 sets of four places among fifteen, 12 + 9 + 6 + 3 are progressions.
    assert found.chance == pytest.approx(30 / 1365, abs=0.01)
    assert progressions([batch(*(pick(place) for place in (0, 1, 4, 13)))]).share == 0


def test_seven_of_ten_equal_gaps_are_not_yet_a_progression():
    at_the_edge = [0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 13]
    assert progressions([batch(*(pick(place, listed=20) for place in at_the_edge))]).share == 0
    above = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12]
    assert progressions([batch(*(pick(place, listed=20) for place in above))]).share == 1


def test_two_picks_make_no_progression_and_old_records_do_not_say():
    assert math.isnan(progressions([batch(pick(0), pick(1))]).share)
    assert progressions([batch(*(pick(place, listing=None) for place in (0, 1, 2)))]).lists == 0


def test_lists_of_different_batches_are_different_lists():
    found = progressions([batch(pick(0), pick(1), pick(2)), batch(pick(0), pick(4), pick(9))])
    assert (found.share, found.lists) == (0.5, 2)


def test_the_overlap_of_two_shuffles_by_hand():
    found = overlap(chosen("a", "b", "c"), chosen("b", "c", "d"), among=10)
    assert (found.jaccard, found.shared) == (0.5, 2)
    # Shared k of 3 and 3 among 10: 35, 63, 21, 1 of 120 ways; Jaccard k / (6 - k).
    assert found.chance == pytest.approx((63 / 5 + 21 * 2 / 4 + 1) / 120)
    assert found.p == pytest.approx(22 / 120)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(12, 40))
def test_chance_is_the_mean_over_random_selections(a: int, b: int, among: int):
    found = overlap(chosen(*map(str, range(a))), chosen(*map(str, range(b))), among)
    law = hypergeom(among, a, b)
    assert found.chance == pytest.approx(law.expect(lambda k: k / (a + b - k)), abs=1e-9)
    assert found.jaccard == min(a, b) / max(a, b)


def test_what_the_fallback_chose_is_no_agreement():
    filled = [batch(pick(0, name="a"), pick(1, name="b", filled=True))]
    assert overlap(filled, chosen("a", "b"), among=10).shared == 1
    assert math.isnan(overlap([batch(pick(1, filled=True))], chosen("a"), among=10).jaccard)


def test_replies_are_shares_of_the_lists_asked():
    note = {"lists": 8.0, "asked_again": 2.0, "refused": 1.0, "failed": 0.0, "miscounted": 3.0, "chosen": 20.0}
    found = replies([batch(**note, unknown=4.0, repeated=5.0)])
    assert (found.lists, found.refused, found.failed, found.miscounted) == (10, 0.1, 0.0, 0.3)
    assert (found.unknown, found.repeated) == (0.2, 0.25)
    assert math.isnan(replies([]).refused)


def test_replies_to_a_selector_inside_another_one_count():
    note = {"lists": 2.0, "asked_again": 0.0, "refused": 1.0, "failed": 0.0, "miscounted": 1.0, "chosen": 4.0}
    inner = {**note, "unknown": 2.0, "repeated": 0.0}
    found = replies([batch(**{f"a_{name}": value for name, value in inner.items()}, unread=7.0), batch(**inner)])
    assert (found.lists, found.refused, found.miscounted, found.unknown) == (4, 0.5, 0.5, 0.5)


def test_what_old_records_did_not_count_is_undefined():
    old = {"lists": 4.0, "asked_again": 0.0, "refused": 1.0, "failed": 0.0, "chosen": 12.0, "unknown": 0.0}
    found = replies([batch(**old, repeated=0.0)])
    assert found.refused == 0.25
    assert math.isnan(found.miscounted)


def test_classes_of_the_picks():
    labels = {"a": "fresh", "b": "fresh", "c": "rotten", "d": "rotten"}
    found = class_shares(chosen("a", "b", "c", "unlabelled"), labels, ("fresh", "rotten", "other"))
    assert found == pytest.approx({"fresh": 2 / 3, "rotten": 1 / 3, "other": 0.0})
    assert math.isnan(class_shares(chosen("x"), labels, ("fresh",))["fresh"])


def test_what_a_pick_costs():
    spent = Cost(tokens_in=900, tokens_out=60, seconds=8.0)
    found = price([batch(pick(0), pick(1, filled=True), pick(2), cost=spent)])
    assert (found.tokens, found.seconds) == (480, 4)
    assert math.isnan(price([batch()]).tokens)


def test_the_selector_leaves_what_the_diagnostics_need():
    """One list answered with one too many, one with one too few and then again."""
    answers = iter(["all", "one", "none"])

    def answer(request: ChatRequest) -> str:
        ids = re.findall(r"^\[(\d+)\]", request.messages[-1].content, re.MULTILINE)
        said = next(answers)
        return "Selected: " + ", ".join({"all": ids[:5], "one": ids[:1], "none": ids[:3]}[said])

    ask = question(n=60, size=8)
    found = LlmChoose(list_size=15, per_list=4).query(type(ask)(**{**vars(ask), "chat": ScriptedChat(answer)}))
    assert [pick.listing for pick in found.picks] == [0, 0, 0, 0, 1, 2, 2, 2]
    assert found.notes["miscounted"] == 2
    assert replies([found]).miscounted == pytest.approx(2 / 3)
    assert progressions([found]).lists == 2
