"""What a prompt becomes: a list of chat messages."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value: never changed after it was made, and no field that was not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(Frozen):
    """One turn of a chat, as every OpenAI-compatible server takes it."""

    role: Literal["system", "user", "assistant"]
    content: str
