"""Query(f, U, M): which examples to label next."""

from typing import Annotated

from pydantic import Field

from agent.generate.llm import Generate
from agent.query.baseline import First, Random
from agent.query.combine import Chooser, Mix, Then
from agent.query.disagreement import Disagreement
from agent.query.diversity import KCenter, KMeans
from agent.query.llm import LlmChoose
from agent.query.uncertainty import Entropy, LeastConfidence, Margin

__all__ = [
    "Chooser",
    "Disagreement",
    "Entropy",
    "First",
    "Generate",
    "KCenter",
    "KMeans",
    "LeastConfidence",
    "LlmChoose",
    "Margin",
    "Mix",
    "Random",
    "Strategy",
    "Then",
]

Strategy = Annotated[
    Random
    | First
    | LeastConfidence
    | Margin
    | Entropy
    | KMeans
    | KCenter
    | Disagreement
    | LlmChoose
    | Then
    | Mix
    | Generate,
    Field(discriminator="kind"),
]
"""The closed union of all strategies, told apart by `kind`; `Generate` is the one whose examples are new."""
