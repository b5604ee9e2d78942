"""Students: small models that learn from the labels and that people take home."""

from agent.students.bert import Bert
from agent.students.in_context import InContext
from agent.students.linear import FrozenLinear
from agent.students.setfit import SetFit
from agent.students.svm import TfidfSvm

__all__ = ["SAMPLED", "Bert", "FrozenLinear", "InContext", "LearnerSpec", "SetFit", "TfidfSvm"]

LearnerSpec = TfidfSvm | FrozenLinear | SetFit | Bert | InContext
"""The closed union of all students, told apart by `kind`."""

SAMPLED = (FrozenLinear, SetFit, Bert)
"""Those that know what else they could have become (`agent.protocols.Sampler`)."""
