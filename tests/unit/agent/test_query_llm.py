import math
import re

import numpy as np
import pytest

from agent.domain import Batch, Example, Pick
from agent.errors import BadInput, EngineError
from agent.exchange import ChatFailure, ChatReply, ChatRequest, Cost
from agent.protocols import Query
from agent.query import First, Listed, LlmChoose, Mix, Random, Then
from agent.query.diagnose import arm_name, filled_share, position_quartiles
from agent.scripted import Scripted, ScriptedChat
from tests.support.questions import question


def shown(request: ChatRequest) -> dict[str, str]:
    """Id and text of every instance in a request, in order."""
    return dict(re.findall(r"^\[(\d+)\] (.+)$", request.messages[-1].content, re.MULTILINE))


def wanted(request: ChatRequest) -> int:
    found = re.search(r"exactly (\d+) of", request.messages[-1].content)
    assert found
    return int(found[1])


def asking(answer: object, **settings: object) -> tuple[Query, ScriptedChat]:
    chat = ScriptedChat(answer)
    ask = question(**settings)
    return Query(**{**vars(ask), "chat": chat}), chat


def good(request: ChatRequest) -> Scripted:
    return "Selected: " + ", ".join(list(shown(request))[: wanted(request)])


def test_lists_are_short_and_disjoint_and_go_out_in_one_batch() -> None:
    ask, chat = asking(good, n=60, size=10)
    batch = LlmChoose(list_size=15, per_list=4).query(ask)
    assert [len(shown(r)) for r in chat.requests] == [15, 15, 15]
    assert [wanted(r) for r in chat.requests] == [4, 3, 3]
    texts = [t for r in chat.requests for t in shown(r).values()]
    assert len(texts) == len(set(texts)) == 45
    assert [p.shown for p in batch.picks] == [0, 1, 2, 3, 0, 1, 2, 0, 1, 2]
    assert {p.listed for p in batch.picks} == {15}
    assert batch.cost.calls == 3
    assert batch.notes["filled"] == batch.notes["asked_again"] == 0


def test_a_pick_is_the_text_that_stood_beside_its_id() -> None:
    ask, chat = asking(good, size=4)
    batch = LlmChoose().query(ask)
    listed = list(shown(chat.requests[0]).items())
    for pick in batch.picks:
        assert pick.shown is not None
        assert " ".join(pick.example.text.split()) == listed[pick.shown][1]


def test_ids_say_nothing_about_a_text() -> None:
    """Drawn anew for each list, in no order, and never the row of the pool."""
    ask, chat = asking(good, n=60, size=8)
    LlmChoose().query(ask)
    first, second = (list(shown(r)) for r in chat.requests)
    assert first != second
    assert first != sorted(first, key=int)
    assert len({len(i) for i in first + second}) == 1


def test_a_short_list_is_asked_once_more_without_its_picks() -> None:
    def answer(request: ChatRequest) -> Scripted:
        ids = list(shown(request))
        return f"Selected: {ids[1]}, {ids[1]}, 7, {ids[4]}" if wanted(request) == 4 else good(request)

    ask, chat = asking(answer, n=40, size=4)
    batch = LlmChoose().query(ask)
    first, second = (shown(r) for r in chat.requests)
    taken = {list(first.values())[i] for i in (1, 4)}
    assert set(second.values()) == set(first.values()) - taken
    assert list(second.values()) != [t for t in first.values() if t not in taken]
    assert wanted(chat.requests[1]) == 2
    assert [p.shown for p in batch.picks] == [1, 4, 0, 1]
    assert [p.listed for p in batch.picks] == [15, 15, 13, 13]
    notes = {"lists": 1, "asked_again": 1, "refused": 0, "failed": 0, "unknown": 1, "repeated": 1, "miscounted": 1}
    assert batch.notes == {**notes, "chosen": 4, "filled": 0}


def test_what_stays_missing_is_filled_and_counted() -> None:
    ask, chat = asking(lambda _: "I cannot help with that.", n=40, size=4)
    batch = LlmChoose(fallback=First()).query(ask)
    assert len(chat.requests) == 2
    assert [e.id for e in batch.examples] == ["t1-0", "t1-1", "t1-2", "t1-3"]
    assert all(p.filled and p.why == "filled by first" and p.shown is None for p in batch.picks)
    assert (batch.notes["refused"], batch.notes["filled"]) == (2, 4)
    assert batch.by.endswith(" else first")
    assert arm_name([batch]) == "first"


def test_no_text_is_filled_in_twice() -> None:
    def once(request: ChatRequest) -> Scripted:
        return f"Selected: {next(iter(shown(request)))}" if wanted(request) == 4 else "none of them"

    ask, _ = asking(once, n=12, size=12)
    batch = LlmChoose(list_size=4, per_list=4).query(ask)
    assert len({e.id for e in batch.examples}) == 12
    assert filled_share([batch]) == pytest.approx(9 / 12)


def test_one_list_without_a_reply_does_not_lose_the_others() -> None:
    answers = iter([ChatFailure(kind="timeout", message="no answer in 60 s"), "x", "x", "x"])
    ask, _ = asking(lambda r: next(answers, None) or good(r), n=60, size=8)
    batch = LlmChoose().query(ask)
    assert batch.notes["failed"] == 1
    assert len(batch.picks) == 8


def test_an_llm_that_answers_nothing_is_an_error_and_no_random_arm() -> None:
    ask, _ = asking(lambda _: ChatFailure(kind="connection", message="refused"), size=4)
    with pytest.raises(EngineError, match="none of 1 lists: refused"):
        LlmChoose().query(ask)


def test_who_chose_names_model_and_prompt() -> None:
    ask, _ = asking(good, size=2)
    assert re.fullmatch(r"llm:scripted@select/choose@\d+#[0-9a-f]{12} else random", LlmChoose().query(ask).by)
    assert LlmChoose().query(ask).by != LlmChoose(slots={"mode": "cot"}).query(ask).by


def test_then_leaves_the_second_only_what_the_first_kept() -> None:
    ask, chat = asking(good, n=60, size=4)
    batch = Then(first=First(), second=LlmChoose(), keep=8).query(ask)
    assert {int(e.id.split("-")[1]) for e in batch.examples} <= set(range(8))
    assert len(shown(chat.requests[0])) == 8
    assert batch.by.startswith("first then llm:")


def test_mix_gives_each_its_share() -> None:
    ask, _ = asking(good, n=60, size=5)
    batch = Mix(a=First(), b=Random(), share=0.5).query(ask)
    assert [e.id for e in batch.examples[:3]] == ["t1-0", "t1-1", "t1-2"]
    assert len({e.id for e in batch.examples}) == 5
    assert batch.by == "first and random"


def picks(*places: tuple[int, int], filled: int = 0) -> Batch:
    example = Example(id="x", text="x")
    chosen = [Pick(example=example, shown=s, listed=n) for s, n in places]
    gaps = [Pick(example=example, filled=True, why="filled by kmeans")] * filled
    return Batch(picks=(*chosen, *gaps), by="llm", cost=Cost())


def test_position_quartiles_by_hand() -> None:
    batches = [picks((0, 15), (3, 15), (4, 15)), picks((14, 15), (3, 4), filled=2)]
    # Of the fourth place of fifteen, a quarter lies in the second quarter of the list.
    np.testing.assert_allclose(position_quartiles(batches), [0.35, 0.25, 0.0, 0.4])
    assert all(math.isnan(q) for q in position_quartiles([picks(filled=3)]))


@pytest.mark.parametrize("listed", [1, 2, 3, 6, 10, 15, 48])
def test_no_preference_for_places_is_a_quarter_each_whatever_the_length_of_lists(listed: int) -> None:
    every = picks(*((place, listed) for place in range(listed)))
    assert position_quartiles([every]) == pytest.approx((0.25, 0.25, 0.25, 0.25))


def test_an_arm_bears_the_name_of_who_really_chose() -> None:
    assert arm_name([picks((0, 5), (1, 5), (2, 5), (3, 5), filled=1)]) == "llm"
    assert arm_name([picks((0, 5), (1, 5), (2, 5), filled=1)]) == "kmeans"
    by_people = Batch(picks=(Pick(example=Example(id="x", text="x")),), by="random")
    assert math.isnan(filled_share([by_people]))
    assert arm_name([by_people], "agent") == "agent"


def test_a_ranking_gives_its_head() -> None:
    ask, chat = asking(lambda r: "Ranking: " + ", ".join(reversed(list(shown(r)))), size=4)
    batch = LlmChoose(prompt="select/rank").query(ask)
    assert [pick.shown for pick in batch.picks] == [14, 13, 12, 11]
    assert len(chat.requests) == 1


def test_scores_give_the_highest_and_of_equal_ones_what_stood_earlier() -> None:
    marks = [1, 5, 3, 5, 9, 4]  # 9 is off the scale and does not count

    def answer(request: ChatRequest) -> Scripted:
        ids = list(shown(request))
        return "\n".join(f"{id_}: {mark}" for id_, mark in zip(ids, marks, strict=False))

    ask, _ = asking(answer, size=4)
    batch = LlmChoose(prompt="select/score").query(ask)
    assert [(pick.shown, pick.score) for pick in batch.picks] == [(1, 5.0), (3, 5.0), (5, 4.0), (2, 3.0)]


def test_a_prompt_that_asks_for_no_choice_is_refused() -> None:
    ask, _ = asking(good)
    with pytest.raises(BadInput, match="'judge/label' asks for label, not for a choice"):
        LlmChoose(prompt="judge/label").query(ask)


def test_a_list_that_was_answered_stands_though_nobody_answers_when_it_is_asked_again() -> None:
    asked: list[str] = []

    def answer(request: ChatRequest) -> Scripted:
        asked.append("")
        first = next(iter(shown(request)))
        return f"Selected: {first}" if len(asked) == 1 else ChatFailure(kind="timeout", message="no byte")

    ask, _ = asking(answer, size=4)
    batch = LlmChoose().query(ask)
    assert [pick.filled for pick in batch.picks] == [False, True, True, True]
    assert batch.notes["failed"] == 1.0


def test_a_prompt_that_wants_reasons_gives_each_pick_its_own() -> None:
    def answer(request: ChatRequest) -> Scripted:
        ids = list(shown(request))
        return "\n".join([*(f"{id_}: line about {id_}" for id_ in ids), "Selected: " + ", ".join(ids[:4])])

    ask, chat = asking(answer, n=40, size=4)
    batch = LlmChoose(slots={"mode": "explanation"}).query(ask)
    ids = list(shown(chat.requests[0]))
    assert [p.why for p in batch.picks] == [f"line about {id_}" for id_ in ids[:4]]
    assert {p.why for p in LlmChoose().query(asking(answer, n=40, size=4)[0]).picks} == {""}


def cut_off(request: ChatRequest) -> Scripted:
    """Goes through the texts one by one and gets no further than the third."""
    ids = list(shown(request))
    return ChatReply(text="\n".join(f"{id_}: it praises the acting" for id_ in ids[:3]), finish="length")


def test_a_reply_that_was_cut_off_before_its_answer_is_no_choice() -> None:
    batch = LlmChoose(slots={"mode": "explanation"}).query(asking(cut_off, size=4)[0])
    assert all(pick.filled for pick in batch.picks)
    assert batch.notes["refused"] == 2.0


@pytest.mark.parametrize("prompt", ["select/choose", "select/rank"])
def test_the_last_id_of_a_reply_that_was_cut_off_counts_if_it_is_whole(prompt: str) -> None:
    def answer(request: ChatRequest) -> Scripted:
        first, second = list(shown(request))[:2]
        return ChatReply(text=f"Selected: {first}, {second[0]}", finish="length")

    batch = LlmChoose(prompt=prompt, list_size=10).query(asking(answer, n=10, size=2)[0])
    assert [pick.shown for pick in batch.picks if not pick.filled] == [0, 0]
    assert batch.notes["refused"] == 0.0


def test_a_score_that_was_cut_off_does_not_count() -> None:
    def answer(request: ChatRequest) -> Scripted:
        first, second = list(shown(request))[:2]
        return ChatReply(text=f"{first}: 4\n{second}: 5", finish="length")

    batch = LlmChoose(prompt="select/score", list_size=10).query(asking(answer, n=10, size=2)[0])
    assert [pick.score for pick in batch.picks if not pick.filled] == [4.0, 4.0]


def test_the_room_for_a_reply_follows_what_is_written_before_the_answer() -> None:
    def room(**given: object) -> int:
        ask, chat = asking(good, size=4)
        LlmChoose.model_validate(given).query(ask)
        return chat.requests[0].max_tokens

    assert room() == 256
    assert room(slots={"mode": "cot"}) == 512
    assert room(slots={}) == 512, "the prompt's own default is cot"
    assert room(slots={"mode": "explanation"}) == 96 + 40 * 15
    assert room(slots={"mode": "explanation"}, list_size=30) == 96 + 40 * 30
    assert room(slots={"mode": "cot"}, max_tokens=77) == 77


@pytest.mark.parametrize("take", ["first", "random"])
def test_the_controls_take_their_texts_of_the_very_lists_that_the_llm_is_shown(take: str) -> None:
    ask, chat = asking(good, n=60, size=10)
    chosen = LlmChoose(list_size=9, per_list=4).query(ask)
    lists = [set(shown(request).values()) for request in chat.requests]
    again, silent = asking(good, n=60, size=10)
    batch = Listed.model_validate({"take": take, "list_size": 9, "per_list": 4}).query(again)
    assert not silent.requests
    texts = [" ".join(pick.example.text.split()) for pick in batch.picks]
    assert [sum(text in each for text in texts) for each in lists] == [4, 3, 3]
    as_read = [pick.example.id for pick in chosen.picks]  # this LLM takes the first ones of each list
    assert ([pick.example.id for pick in batch.picks] == as_read) is (take == "first")
    assert all(pick.listed is None and not pick.filled for pick in batch.picks), "no pick of an LLM's"


def test_a_control_of_no_candidates_chooses_none() -> None:
    ask, _ = asking(good, n=20, size=4)
    assert not Listed(take="first").query(Query(**{**vars(ask), "size": 0})).picks
