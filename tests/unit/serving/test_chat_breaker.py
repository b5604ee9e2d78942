"""A server that has stopped answering is left alone for a while; one answer is enough to go on."""

from serving.llm.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_question_that_failed_for_good_opens_it_for_a_while() -> None:
    clock = Clock()
    breaker = Breaker(rest=30, clock=clock)
    start = breaker.now()
    assert not breaker.is_open()
    clock.now = 7
    breaker.failed(start)
    assert breaker.is_open()
    clock.now = 36.9
    assert breaker.is_open()
    clock.now = 37
    assert not breaker.is_open()


def test_an_answer_closes_it() -> None:
    breaker = Breaker(clock=Clock())
    breaker.failed(0)
    breaker.answered()
    assert not breaker.is_open()


def test_where_others_were_answered_meanwhile_one_failure_says_nothing_about_the_server() -> None:
    clock = Clock()
    breaker = Breaker(clock=clock)
    start = breaker.now()
    clock.now = 5
    breaker.answered()
    clock.now = 9
    breaker.failed(start)
    assert not breaker.is_open()
    breaker.failed(asked=6)
    assert breaker.is_open()
