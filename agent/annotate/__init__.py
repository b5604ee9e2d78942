"""Who gives labels. `AnnotatorSpec` is the closed union of all of them."""

from typing import Annotated

from pydantic import Field

from agent.annotate.combine import Route
from agent.annotate.human import Gold, Human, Simulated
from agent.annotate.llm import Llm

__all__ = ["AnnotatorSpec", "Gold", "Human", "Llm", "Route", "Simulated"]

AnnotatorSpec = Annotated[Gold | Simulated | Human | Llm | Route, Field(discriminator="kind")]
