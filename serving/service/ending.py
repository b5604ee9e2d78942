"""How the process of a run ends, as its exit code."""

ENDED = 0
FAILED = 2
"""Its state in the store says why."""
WAITING = 3
BUSY = 4
"""Somebody else works on the run."""
LATER = 5
"""The LLM is away; the run is queued, and says so."""
