"""The root of every error that Thresher raises on purpose.

It lives in the leftmost folder, so that every folder can raise one. The tree of the others is drawn in `agent.errors`.
"""


class ThresherError(Exception):
    """Something that went wrong and that a person can do something about.

    Args:
        what: one line that says what is wrong and which value was found.
        hint: one line that says what to do; empty where there is nothing to do.
    """

    retryable: bool = False
    """True where the same call may succeed later without a change by the caller."""

    def __init__(self, what: str, hint: str = "") -> None:
        self.what = what
        self.hint = hint
        super().__init__(f"{what}; {hint}" if hint else what)


class PromptError(ThresherError):
    """A prompt file, a part, a slot choice or a variable is not what its declaration says."""
