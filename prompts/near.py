"""What to say when a name is not known."""

from collections.abc import Iterable
from difflib import get_close_matches


def suggest(name: str, known: Iterable[str]) -> str:
    """Return one line with the near matches, if any, and the whole list."""
    names = sorted(known)
    near = get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(map(repr, near))}? " if near else ""
    return f"{hint}known: {', '.join(names) if names else 'none'}"
