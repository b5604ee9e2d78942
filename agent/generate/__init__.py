"""Writing texts for where the student is weak, and rejecting what should not be learned from."""

from agent.generate.filters import Confirm, Duplicate, FilterSpec, Length, NearFence
from agent.generate.llm import Generate

__all__ = ["Confirm", "Duplicate", "FilterSpec", "Generate", "Length", "NearFence"]
