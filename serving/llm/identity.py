"""Whose answers the ledger keeps, and the hash that a question is kept under."""

import hashlib
import json
from collections.abc import Mapping
from typing import Self

from pydantic import JsonValue, model_validator

from agent.exchange import ChatRequest
from prompts.messages import Frozen

_KEY_VERSION = 1


class Served(Frozen):
    """Whose answers they are. Where the weights are known they say it, wherever and under whatever name they run."""

    model: str
    weights: str | None = None
    """SHA-256 of the weights; None where nobody knows it, as of a hosted model."""
    dtype: str | None = None
    server: str | None = None
    """Address of the server; needed where the weights are not known."""

    @model_validator(mode="after")
    def _known_somehow(self) -> Self:
        if not self.weights and not self.server:
            raise ValueError("either the hash of the weights or the address of the server must be given")
        return self

    def identity(self) -> dict[str, JsonValue]:
        if self.weights:
            return {"weights": self.weights, "dtype": self.dtype}
        return {"model": self.model, "server": self.server, "dtype": self.dtype}


def key_of(request: ChatRequest, served: Served, wire: Mapping[str, JsonValue]) -> str:
    """SHA-256 (hex) over everything that decides the answer.

    Args:
        wire: how the request is put to the server, where that is not in the request.
    """
    whole = {
        "version": _KEY_VERSION,
        "request": request.model_dump(mode="json"),
        "served": served.identity(),
        "wire": dict(wire),
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
