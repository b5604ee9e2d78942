import pytest

from agent.stopwatch import Stopwatch


def test_work_inside_other_work_counts_once() -> None:
    moments = iter([0.0, 1.0, 4.0, 6.0, 10.0, 11.0])
    watch = Stopwatch(clock=lambda: next(moments))
    with watch.of("choosing"), watch.of("LLM"):
        pass
    with pytest.raises(KeyError), watch.of("LLM"):
        raise KeyError
    assert watch.seconds == {"choosing": 1.0 + 2.0, "LLM": 3.0 + 1.0}
