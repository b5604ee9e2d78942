"""Every card is whole: it makes a task, says whose the texts are, and names sources that can be told apart."""

import pytest

from agent.errors import BadInput
from evaluation.cards import ROTTEN_TOMATOES, card, cards
from evaluation.datasets import DataCard
from evaluation.sources import HubSet, LocalCopy, PackagedArchive, Source

CARDS = cards()
SIZES = {"banking77": 77, "clinc150": 150, "20_newsgroups": 20, "reuters_r8": 8, "reuters_r52": 52, "trec6": 6}


def test_the_sets_that_studies_need_are_known() -> None:
    wanted = {"sst2", "ag_news", "subj", "trec6", "cola", "cr", "mr", "sms_spam", "rotten_tomatoes", "bbc_news"}
    names = [each.name for each in CARDS]
    assert wanted | set(SIZES) | {"snow_rte", "chaosnli"} <= set(names)
    assert names == sorted(set(names))
    assert {name: len(card(name).labels) for name in SIZES} == SIZES


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.name)
def test_every_card_makes_a_task_and_says_where_it_comes_from(each: DataCard) -> None:
    assert each.task().names == tuple(label.name for label in each.labels)
    assert all((each.title, each.source, each.licence, each.citation, each.guidelines, each.splits, each.caveats))
    assert all(label.description.endswith((".", "?")) for label in each.labels)
    assert len({label.description for label in each.labels}) == len(each.labels)
    assert card(each.name) is each


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.name)
def test_sources_are_asked_in_one_order_and_speak_of_labels_of_the_card(each: DataCard) -> None:
    kinds = [source.kind for source in each.sources]
    assert kinds == [kind for kind in ("local", "packaged", "hub") if kind in kinds]
    assert kinds[0] == "local"
    names = {label.name for label in each.labels}
    for source in each.sources:
        assert set(source.fields.names.values()) <= names
        sides = set(source.splits if isinstance(source, HubSet) else ())
        sides |= set(source.members if isinstance(source, PackagedArchive) else ())
        assert sides in (set(), {"all"}, {"train", "test"})


def test_what_was_never_tried_on_the_hub_says_so() -> None:
    hubs = [source for each in CARDS for source in each.sources if isinstance(source, HubSet)]
    assert len(hubs) >= 10
    assert all("never tried" in str(source) for source in hubs if not source.verified)


def test_cards_whose_rows_nobody_ever_read_say_so() -> None:
    def read(source: Source) -> bool:
        match source:
            case LocalCopy():
                return bool(source.sha256)
            case PackagedArchive():
                return True
            case HubSet():
                return source.verified

    unread = {each.name for each in CARDS if not any(read(source) for source in each.sources)}
    assert unread == {"clinc150", "cr", "mr"}
    assert unread == {
        each.name for each in CARDS if any(said.startswith("Unverified: hub only") for said in each.caveats)
    }


@pytest.mark.parametrize("each", CARDS, ids=lambda each: each.name)
def test_a_card_survives_json(each: DataCard) -> None:
    assert DataCard.model_validate_json(each.model_dump_json()) == each


def test_a_card_of_an_older_record_is_upgraded() -> None:
    today = ROTTEN_TOMATOES.model_dump(mode="json")
    (packaged,) = [source for source in today.pop("sources") if source["kind"] == "packaged"]
    fields, members = packaged.pop("fields"), packaged.pop("members")
    del packaged["kind"]
    older = {**today, "archive": {**packaged, "member": members["all"]}, "fields": fields}
    (source,) = DataCard.model_validate(older).sources
    assert source == ROTTEN_TOMATOES.sources[1]
    assert isinstance(source, PackagedArchive)


def test_two_sources_of_one_kind_are_refused() -> None:
    given = ROTTEN_TOMATOES.model_dump()
    with pytest.raises(ValueError, match="one source of each kind at most, found local, local"):
        DataCard.model_validate({**given, "sources": [given["sources"][0]] * 2})


def test_the_llm_is_asked_for_words_and_the_labels_keep_their_names() -> None:
    assert ROTTEN_TOMATOES.task().words == ("positive", "negative")
    assert ROTTEN_TOMATOES.task().names == ("fresh", "rotten")
    assert card("trec6").task().words == ("abbreviation", "description", "thing", "person", "place", "number")


def test_an_unknown_card_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInput, match=r"'tomatoes'; known: .*rotten_tomatoes"):
        card("tomatoes")
