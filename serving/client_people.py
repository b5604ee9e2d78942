"""The client's part for people: texts to label, the LLM's picks to look over."""

import json
from collections.abc import Iterator
from typing import Literal

import httpx

from serving.bodies import quoted
from serving.calls import Calls, at, pages
from serving.shapes import SeenAgreement, SeenItem, SeenPick, SeenProgress, SeenReceipt


class ReviewCalls:
    """What a person, or a program in a person's place, does with the texts that a run waits for."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def next(self, run: str, who: str) -> SeenItem | None:
        """A text to label, kept for that person for a while; None where nothing is to do now."""
        return _item(self._calls.send("POST", f"{at(run)}/review", json={"who": who}))

    def answer(
        self,
        run: str,
        token: str,
        label: str | None = None,
        *,
        verdict: Literal["undecided", "bad_text"] | None = None,
        seconds: float | None = None,
    ) -> SeenReceipt:
        """A label, or why there is none. Twice the same token is one answer."""
        body = {"token": token, "label": label, "verdict": verdict, "seconds": seconds}
        body = {name: value for name, value in body.items() if value is not None}
        answer = self._calls.send("POST", f"{at(run)}/labels", repeatable=True, json=body)
        return SeenReceipt.model_validate_json(answer.content)

    def skip(self, run: str, token: str) -> None:
        """Puts a text back for others."""
        self._calls.send("POST", f"{at(run)}/review/{quoted(token)}/skip")

    def undo(self, run: str, who: str, example: str | None = None) -> SeenItem | None:
        """The person's last answer, or that to `example`, to be given again; None where there is none."""
        return _item(self._calls.send("POST", f"{at(run)}/review/undo", json={"who": who, "example": example}))

    def progress(self, run: str, who: str = "") -> SeenProgress:
        """How far the round is that the run waits for, and the person in it. Raises Conflict before the first round."""
        answer = self._calls.send("GET", f"{at(run)}/review", params={"who": who} if who else {})
        return SeenProgress.model_validate_json(answer.content)

    def agreement(self, run: str) -> SeenAgreement:
        """How far people agree with each other and with the machine."""
        return SeenAgreement.model_validate_json(self._calls.send("GET", f"{at(run)}/agreement").content)


class PickCalls:
    """What an expert does with the LLM's picks, before they are labelled. The last decision stands."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self, run: str) -> Iterator[SeenPick]:
        """Those of the newest round that experts are asked about, in the order of choice."""
        for page in pages(self._calls, f"{at(run)}/picks"):
            yield from (SeenPick.model_validate(each) for each in json.loads(page)["items"])

    def keep(self, run: str, example: str, who: str = "") -> int:
        """Returns how many picks of the round are undecided. Raises Conflict where the run has read the decisions."""
        return self._decide(f"{at(run)}/picks/{quoted(example)}", keep=True, who=who)

    def strike(self, run: str, example: str, reason: str = "", who: str = "") -> int:
        """It stays in the pool. Returns and raises as `keep`."""
        return self._decide(f"{at(run)}/picks/{quoted(example)}", keep=False, reason=reason, who=who)

    def keep_rest(self, run: str, who: str = "") -> int:
        """All that nobody has decided. Returns and raises as `keep`."""
        return self._decide(f"{at(run)}/picks", keep=True, who=who)

    def _decide(self, path: str, **body: object) -> int:
        return int(self._calls.send("POST", path, repeatable=True, json=body).json()["left"])


def _item(response: httpx.Response) -> SeenItem | None:
    return None if response.status_code == 204 else SeenItem.model_validate_json(response.content)
