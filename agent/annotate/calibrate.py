"""Removing what an LLM believes about labels before it has read the text.

Batch calibration (Zhou et al., ICLR 2024): divide each probability by its mean over a random batch of texts and
normalise. The batch must be a random sample of the pool: over a selected batch, the mean holds the selection too.
"""

from collections.abc import Sequence

import numpy as np

from agent.protocols import Floats

LEAST_SAMPLE = 20
"""Fewer texts than this give no prior worth the name."""


def prior(readings: Floats) -> Floats | None:
    """Mean label distribution, (classes,), over (n, classes) readings; None where n < LEAST_SAMPLE."""
    return None if len(readings) < LEAST_SAMPLE else readings.mean(axis=0)


def calibrated(probabilities: Floats, prior: Floats, strength: float = 1.0) -> Floats:
    """(n, classes), rows sum to 1: `p / prior**strength`, normalised. Strength 0 leaves p, 1 is batch calibration."""
    weighted = probabilities / np.maximum(prior, 1e-6) ** strength
    return weighted / weighted.sum(axis=1, keepdims=True)


def by_name(names: Sequence[str], row: Floats) -> dict[str, float]:
    return {name: float(p) for name, p in zip(names, row, strict=True)}
