"""The least busy server is asked, in turn; one that cannot be reached rests."""

from contextlib import ExitStack

from serving.llm.replicas import Replicas


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def chosen(replicas: Replicas[str], times: int) -> list[str]:
    found: list[str] = []
    for _ in range(times):
        with replicas.borrow() as (_, name):
            found.append(name)
    return found


def test_in_turn_where_equally_busy() -> None:
    assert chosen(Replicas(["a", "b", "c"]), 6) == ["a", "b", "c", "a", "b", "c"]


def test_the_least_busy_is_asked() -> None:
    replicas = Replicas(["a", "b"])
    with ExitStack() as held:
        first = [held.enter_context(replicas.borrow())[1] for _ in range(3)]
        assert first == ["a", "b", "a"]
        with replicas.borrow() as (_, name):
            assert name == "b"


def test_one_that_cannot_be_reached_rests_for_a_while() -> None:
    clock = Clock()
    replicas = Replicas(["a", "b"], rest=10, clock=clock)
    replicas.unreachable(0)
    assert chosen(replicas, 3) == ["b", "b", "b"]
    clock.now = 11
    assert chosen(replicas, 2) == ["a", "b"]


def test_where_all_rest_they_are_asked_all_the_same() -> None:
    replicas = Replicas(["a", "b"], clock=Clock())
    replicas.unreachable(0)
    replicas.unreachable(1)
    assert chosen(replicas, 2) == ["a", "b"]


def test_one_that_was_tried_is_avoided() -> None:
    replicas = Replicas(["a", "b"])
    with replicas.borrow(avoid={0}) as (index, _):
        assert index == 1
