"""Counters add up over threads; a cap is never passed and never refuses what would have fitted."""

import threading

import pytest

from agent.errors import CapReached
from agent.exchange import ChatReply, ChatRequest, Cost
from prompts.messages import Message
from serving.llm.meter import Cap, Meter, Used, prompt_bound
from serving.llm.occupancy import Share


def request(text: str = "hello", max_tokens: int = 10) -> ChatRequest:
    return ChatRequest(messages=(Message(role="user", content=text),), max_tokens=max_tokens)


def spend(meter: Meter, used: int | None, text: str = "hello") -> None:
    with meter.sending(request(text)) as reservation:
        reservation.used = used


def test_the_bound_counts_bytes() -> None:
    assert prompt_bound(request("ü" * 50)) - prompt_bound(request("")) == 100


def test_counters_over_threads() -> None:
    meter = Meter()

    def work() -> None:
        for _ in range(200):
            with meter.sending(request(), retry=True) as reservation:
                reservation.used = 1
            meter.paid(Cost(calls=1, tokens_in=3), metered=False)
            meter.hit(ChatReply(text="x", cost=Cost(tokens_out=2)))
            meter.failed("busy")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = meter.spent()
    assert (spent.requests, spent.retries, spent.hits, spent.unmetered) == (1600, 1600, 1600, 1600)
    assert spent.paid == Cost(calls=1600, tokens_in=4800)
    assert spent.saved == Cost(tokens_out=3200)
    assert spent.failures == {"busy": 1600}


def test_request_cap() -> None:
    meter = Meter(Cap(requests=2))
    spend(meter, 1)
    spend(meter, 1)
    with pytest.raises(CapReached, match="cap of 2 requests"):
        spend(meter, 1)
    assert meter.spent().requests == 2


def test_token_cap_reckons_with_what_was_used_and_with_all_of_it_where_nobody_knows() -> None:
    bound = prompt_bound(request()) + 10
    meter = Meter(Cap(tokens=2 * bound))
    spend(meter, 5)
    spend(meter, None)
    with pytest.raises(CapReached, match=f"{bound + 5} are used"):
        spend(meter, 5)


def test_near_the_cap_a_request_waits_for_those_under_way_to_give_back_what_they_did_not_need() -> None:
    bound = prompt_bound(request()) + 10
    meter = Meter(Cap(tokens=bound + 5))
    entered, sent = threading.Event(), threading.Event()

    def second() -> None:
        entered.set()
        spend(meter, 1)
        sent.set()

    thread = threading.Thread(target=second)
    with meter.sending(request()) as reservation:
        thread.start()
        assert entered.wait(5)
        assert not sent.wait(0.05)
        reservation.used = 5
    assert sent.wait(5)
    thread.join()


def test_a_request_that_fails_gives_its_room_back() -> None:
    meter = Meter(Cap(tokens=prompt_bound(request()) + 10))

    def fail() -> None:
        with meter.sending(request()) as reservation:
            reservation.used = 0
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    spend(meter, 1)
    assert meter.spent().requests == 2


def test_what_earlier_processes_used_counts_and_all_is_booked_before_it_is_sent() -> None:
    bound = prompt_bound(request()) + 10
    booked: list[Used] = []
    meter = Meter(Cap(requests=3, tokens=10 * bound), Used(requests=2, tokens=bound, seconds=1.0), booked.append)
    with meter.sending(request()) as reservation:
        assert booked == [Used(requests=1, tokens=bound)]
        reservation.used = 7
        reservation.share = Share(seconds=0.5)
    assert booked[1:] == [Used(tokens=7 - bound, seconds=0.5)]
    with pytest.raises(CapReached, match="cap of 3 requests"):
        spend(meter, 1)
    assert len(booked) == 2, "what is not sent is not booked"


def test_seconds_are_capped_and_a_request_gets_no_more_of_them_than_are_left() -> None:
    meter = Meter(Cap(seconds=10.0), Used(seconds=4.0))
    with meter.sending(request(), busy=lambda: 5.0) as reservation:
        assert reservation.patience == 1.0
    with pytest.raises(CapReached, match="cap of 10 seconds"), meter.sending(request(), busy=lambda: 6.0):
        pass
    with Meter().sending(request(), busy=lambda: 1e9) as reservation:
        assert reservation.patience is None
