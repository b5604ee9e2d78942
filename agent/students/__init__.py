"""Students: small models that learn from the labels and that people take home."""

from agent.students.bert import Bert
from agent.students.linear import FrozenLinear
from agent.students.svm import TfidfSvm

__all__ = ["Bert", "FrozenLinear", "LearnerSpec", "TfidfSvm"]

LearnerSpec = TfidfSvm | FrozenLinear | Bert
"""The closed union of all students, told apart by `kind`."""
