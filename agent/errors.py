"""What can go wrong, drawn as a tree.

ThresherError
├── PromptError         a prompt file or its variables do not fit          (prompts.errors)
├── BadInput            what the user gave cannot be used                  exit code 2
├── EngineError         the LLM server cannot be started, reached or used  exit code 2
│   └── Unanswered      questions got no answer: later they may            exit code 2
├── ModelError          a model cannot be found, fetched or verified       exit code 2
├── StoreError          a record cannot be read or written as asked        exit code 2
├── CapReached          what was to be asked is more than a cap allows     exit code 2
└── Waiting             not a failure: people have to answer first         exit code 3
"""

from prompts.errors import PromptError, ThresherError

__all__ = [
    "BadInput",
    "CapReached",
    "EngineError",
    "ModelError",
    "PromptError",
    "StoreError",
    "ThresherError",
    "Unanswered",
    "Waiting",
]


class BadInput(ThresherError):
    """A file, an argument or a specification of the user's that cannot be used."""


class EngineError(ThresherError):
    """The LLM server cannot be started or reached, or does not honour what a role needs."""

    retryable = True


class Unanswered(EngineError):
    """Questions of a run got no answer for a reason that passes. No label comes of that: the step is done again."""


class ModelError(ThresherError):
    """Weights cannot be found, fetched or verified."""


class StoreError(ThresherError):
    """A run record cannot be found, read or continued."""


class CapReached(ThresherError):
    """A cap leaves no room for what was to be asked: it was not sent. A run ends there with what it has."""


class Waiting(ThresherError):
    """A run pauses here: `missing` examples wait for a person.

    Args:
        missing: ids of the examples that nobody has answered yet.
        hint: where to answer, and how to go on.
    """

    retryable = True

    def __init__(self, missing: tuple[str, ...], hint: str = "") -> None:
        self.missing = missing
        super().__init__(f"{len(missing)} examples wait for a person", hint)
