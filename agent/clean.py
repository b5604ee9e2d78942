"""What of L is trained on, and with what weight: the hook between labelling and training.

A person's label always has weight 1. What a machine's label is worth is what these components decide.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from agent.protocols import Bench, Floats, Labelled, Weighted
from agent.seeds import generator
from prompts.messages import Frozen


class Confidence(Frozen):
    """Machine labels weigh what they are sure of: `max(0, (k p - 1) / (k - 1)) ** power` for k classes.

    Two classes give `2p - 1` (systems of confidence weighting, survey §4.2). Power 0 gives every label weight 1.
    """

    kind: Literal["confidence"] = "confidence"
    power: float = Field(default=1.0, ge=0.0)

    def clean(self, labelled: Labelled, bench: Bench) -> Weighted:
        del bench
        return Weighted(labelled.columns, labelled.targets, confidence_weights(labelled, self.power))


class Agreement(Frozen):
    """Machine labels that a cross-validated student disagrees with are trusted as far as people's labels say.

    Confident learning in its plainest form: a linear student on frozen embeddings predicts each machine-labelled text
    out of fold. Where it disagrees with the machine, the target becomes `trust * machine + (1 - trust) * student`, with
    `trust` the share of people's answers among such disagreements that took the machine's side, smoothed towards
    one half by `smoothing` pseudo-answers on each side.
    """

    kind: Literal["agreement"] = "agreement"
    power: float = Field(default=1.0, ge=0.0)
    folds: int = Field(default=5, ge=2)
    smoothing: float = Field(default=4.0, gt=0.0)

    def clean(self, labelled: Labelled, bench: Bench) -> Weighted:
        weights = confidence_weights(labelled, self.power)
        machine = ~labelled.human & ~labelled.generated
        _, members = np.unique(labelled.targets.argmax(axis=1), return_counts=True)
        divisible = len(members) > 1 and members.min() >= self.folds  # else a fold misses a class
        if bench.embed is None or machine.sum() < 10 * self.folds or not divisible:
            return Weighted(labelled.columns, labelled.targets, weights)
        out = self._out_of_fold(labelled, weights, bench)
        mine, theirs = out.argmax(axis=1), labelled.machine.argmax(axis=1)
        known = ~np.isnan(labelled.machine).any(axis=1)
        apart = known & (mine != theirs)
        judged = apart & labelled.human
        sides = labelled.targets[judged].argmax(axis=1) == theirs[judged]
        trust = (sides.sum() + self.smoothing) / (judged.sum() + 2 * self.smoothing)
        targets = labelled.targets.copy()
        doubted = apart & machine
        targets[doubted] = trust * targets[doubted] + (1 - trust) * out[doubted]
        return Weighted(labelled.columns, targets, confidence_weights(_with(labelled, targets), self.power))

    def _out_of_fold(self, labelled: Labelled, weights: Floats, bench: Bench) -> Floats:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold, cross_val_predict

        assert bench.embed is not None
        features = bench.embed.embed(labelled.columns)
        hard = labelled.targets.argmax(axis=1)
        split = StratifiedKFold(
            self.folds, shuffle=True, random_state=int(generator(bench.seed, "folds").integers(2**31))
        )
        fit = {"sample_weight": np.maximum(weights, 1e-3)}
        out = np.zeros_like(labelled.targets)
        seen = np.unique(hard)
        model = LogisticRegression(max_iter=500)
        folds = cross_val_predict(model, features, hard, cv=split, method="predict_proba", params=fit)
        out[:, seen] = np.asarray(folds)
        return out


def confidence_weights(labelled: Labelled, power: float) -> Floats:
    """(n,): 1 for people's labels, for machine labels their certainty above chance to the given power."""
    classes = labelled.targets.shape[1]
    above = np.clip((classes * labelled.targets.max(axis=1, initial=0.0) - 1) / (classes - 1), 0.0, 1.0)
    return np.where(labelled.human, 1.0, above**power)


def _with(labelled: Labelled, targets: Floats) -> Labelled:
    return Labelled(labelled.columns, targets, labelled.human, labelled.generated, labelled.machine)


CleanerSpec = Annotated[Confidence | Agreement, Field(discriminator="kind")]
