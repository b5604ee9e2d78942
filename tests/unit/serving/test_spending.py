"""The account of a capped run: added up over threads, on both databases."""

import threading

from serving.database import open_database
from serving.llm.meter import Used
from serving.runs.spending import Spending
from serving.runs.store import Store


def test_everything_booked_is_in_the_account(database: str) -> None:
    engine = open_database(database)
    Store(engine).begin("films", "{}", "out")
    account = Spending(engine, "films")
    assert account.used() == Used()

    def work() -> None:
        for _ in range(20):
            account.book(Used(requests=1, tokens=100))
            account.book(Used(tokens=-30, seconds=0.5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Spending(engine, "films").used() == Used(requests=80, tokens=5600, seconds=40.0)
    engine.dispose()
