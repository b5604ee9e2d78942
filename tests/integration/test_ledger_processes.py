"""The ledger over real processes: a kill loses at most what was under way, and two processes never ask one thing."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.fake_openai import FakeOpenAI

ROOT = Path(__file__).parents[2]
UNDER_WAY = 4
CHILD = """
    import sys
    from dataclasses import dataclass
    from agent.exchange import ChatRequest
    from prompts.messages import Message
    from serving.llm.chat import LangChainChat
    from serving.database import open_database
    from serving.llm.ledger import Ledger, LedgeredChat, Served

    @dataclass
    class Honours:
        label_logprobs: bool = True
        logprob_token_ids: bool = True
        structured_outputs: bool = True
        tokenize: bool = True

    url, path, n = sys.argv[1:]
    inner = LangChainChat([url], "fake-model", Honours(), concurrency=4)
    chat = LedgeredChat(inner, Ledger(open_database(path)), Served(model="fake-model", weights="w"), width=4)
    texts = [ChatRequest(messages=(Message(role="user", content=str(i)),)) for i in range(int(n))]
    print(sum(reply.recorded for reply in chat.complete(texts)), flush=True)
"""


def child(server: FakeOpenAI, database: Path, n: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(CHILD), server.url, str(database), str(n)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-1, text=True)


def until(happened: Callable[[], bool]) -> None:
    for _ in range(3000):
        if happened():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def asked(server: FakeOpenAI) -> Counter[str]:
    return Counter(json.dumps(body, sort_keys=True) for body in server.bodies)


def test_a_killed_batch_repeats_at_most_what_was_under_way(tmp_path: Path) -> None:
    database = tmp_path / "thresher.db"
    with FakeOpenAI(latency=0.05) as server:
        with child(server, database, 40) as first:
            until(lambda: len(server.bodies) >= 15)
            first.send_signal(signal.SIGKILL)
            assert first.wait(20) == -signal.SIGKILL
        before = len(server.bodies)
        with child(server, database, 40) as second:
            output, _ = second.communicate(timeout=60)
        counts = asked(server)
    assert len(counts) == 40
    assert sum(counts.values()) - 40 <= UNDER_WAY
    assert int(output) >= before - UNDER_WAY


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    database = tmp_path / "thresher.db"
    with FakeOpenAI(latency=0.05) as server:
        with child(server, database, 30) as first, child(server, database, 30) as second:
            recorded = [int(process.communicate(timeout=60)[0]) for process in (first, second)]
        counts = asked(server)
    assert len(counts) == 30
    assert set(counts.values()) == {1}
    assert sum(recorded) == 30
