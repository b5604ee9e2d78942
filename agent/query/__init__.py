"""Query(f, U, M): which examples to label next."""

from typing import Annotated

from pydantic import Field

from agent.generate.llm import Generate
from agent.query.badge import Badge
from agent.query.baseline import First, Random
from agent.query.combine import AnyChooser, Chooser, Mix, Read, Then
from agent.query.committee import Bald
from agent.query.contrast import Contrastive
from agent.query.coverage import MaxHerding, ProbCover
from agent.query.disagreement import Disagreement
from agent.query.diversity import KCenter, KMeans
from agent.query.listed import Listed
from agent.query.llm import LlmChoose
from agent.query.patron import Patron
from agent.query.typical import TypiClust
from agent.query.uncertainty import Entropy, LeastConfidence, Margin
from agent.query.wrapped import SkActiveMl

__all__ = [
    "Badge",
    "Bald",
    "Chooser",
    "Contrastive",
    "Disagreement",
    "Entropy",
    "First",
    "Generate",
    "KCenter",
    "KMeans",
    "LeastConfidence",
    "Listed",
    "LlmChoose",
    "Margin",
    "MaxHerding",
    "Mix",
    "Patron",
    "ProbCover",
    "Random",
    "Read",
    "SkActiveMl",
    "Strategy",
    "Then",
    "TypiClust",
]

Strategy = Annotated[AnyChooser | Generate, Field(discriminator="kind")]
"""The closed union of all strategies, told apart by `kind`; `Generate` is the one whose examples are new."""
