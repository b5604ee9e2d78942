"""Records with invented numbers, for tests and for looking at a report."""

import numpy as np

from agent.domain import Cost, Round, Stop
from evaluation.audit import audit
from evaluation.cards import ROTTEN_TOMATOES
from evaluation.records import Arm, Cell, Comparison, LabelCount, ModelCard, Point, Role, RunSummary
from evaluation.split import SplitReport

CLASSES = ("fresh", "rotten")
HOSTILE = '<script>alert("x")</script> & a "fine" film'

ARMS: tuple[tuple[str, str, Role, float, float], ...] = (
    # name, title, role, accuracy at 8 and at 32 labels
    ("agent", "agent", "agent", 0.76, 0.835),
    ("control", "random people + LLM labels", "control", 0.74, 0.80),
    ("machine", "LLM labels, no person", "machine", 0.765, 0.765),
    ("zero", "LLM zero-shot", "machine", 0.79, 0.79),
    ("margin", "uncertainty (margin)", "classic", 0.56, 0.72),
    ("random", "random", "classic", 0.57, 0.70),
    ("kmeans", "diversity (k-means)", "classic", 0.60, 0.735),
)


def _predictions(gold: np.ndarray, accuracy: float, rng: np.random.Generator) -> tuple[int, ...]:
    wrong = rng.random(len(gold)) >= accuracy
    return tuple(int(g) for g in np.where(wrong, 1 - gold, gold))


def _cell(name: str, role: Role, student: str, seed: int, ends: tuple[float, float], gold: np.ndarray) -> Cell:
    rng = np.random.default_rng([seed, len(name), len(student), sum(map(ord, name))])
    counts = (0,) if role == "machine" else (8, 16, 24, 32)
    lift = rng.normal(0, 0.012) - (0.05 if student == "svm" else 0.0)
    llm = role in ("agent", "control", "machine")
    points: list[Point] = []
    for i, count in enumerate(counts):
        told = _predictions(gold, ends[0] + (ends[1] - ends[0]) * i / max(len(counts) - 1, 1) + lift, rng)
        share = float(np.mean(np.array(told) == gold))
        points.append(
            Point(
                human_labels=count,
                machine_labels=600 if llm else 0,
                generated=24 if role == "agent" else 0,
                accuracy=share,
                macro_f1=share - 0.004,
                predictions=told,
            )
        )
    tokens = 71_000 + 9_000 * (role == "agent") if llm else 0
    cost = Cost(human_labels=counts[-1], human_seconds=counts[-1] * 12.0, tokens_in=tokens, seconds=tokens / 180)
    picked = role == "agent"
    return Cell(
        arm=name,
        seed=seed,
        student=student,
        curve=tuple(points),
        cost=cost,
        spec=f"spec-{name}",
        filled_share=0.08 if picked else None,
        quartiles=(0.34, 0.27, 0.21, 0.18) if picked else None,
    )


def comparison(seeds: int = 3, test: int = 400) -> Comparison:
    gold = np.random.default_rng(1).integers(0, 2, test)
    cells = [
        _cell(name, role, student, seed, (low, high), gold)
        for student in ("bert", "svm")
        for name, _, role, low, high in ARMS
        if name != "zero"
        for seed in range(seeds)
    ]
    cells.append(_cell("zero", "machine", "", 0, (0.79, 0.79), gold))
    return Comparison(
        name="demo",
        task="Rotten Tomatoes sentences",
        item="film review sentence",
        classes=CLASSES,
        budget=32,
        pool_size=1000,
        test_size=test,
        gold=tuple(int(g) for g in gold),
        arms=tuple(
            Arm(name=name, title=title, role=role, note=f"What {title} does.", fixed=name == "zero")
            for name, title, role, _, _ in ARMS
        ),
        cells=tuple(cells),
        models=(
            ModelCard(
                role="LLM", name="Qwen2.5-0.5B-Instruct", variant="Coder, Q4_K_M", hash="1d96" * 16, source="packaged"
            ),
            ModelCard(role="student", name="all-MiniLM-L6-v2", hash="ab12" * 16, source="packaged"),
        ),
        data=ROTTEN_TOMATOES,
        split=SplitReport(
            source=12808, exact=59, near=4, pool=1000, test=test, pool_labels={"fresh": 597, "rotten": 403}
        ),
        labels=labels(),
        prompts={"annotate": "annotate/label@1#abcdef012345"},
        settings={"label reads": "600", "rounds": "4", "hostile": HOSTILE},
        machine="2 cores, AVX-512, 23 GiB",
        seconds=1475.0,
        made="2026-11-22",
        caveats=("The people are simulated from gold labels.", HOSTILE),
    )


def labels(n: int = 500):
    rng = np.random.default_rng(5)
    gold = rng.integers(0, 2, n)
    logits = (2 * gold - 1) * rng.normal(1.1, 1.3, n)
    p = 1 / (1 + np.exp(-logits))
    probabilities = np.stack([1 - p, p], axis=1)
    probabilities[:3] = np.nan
    texts = [f"Sentence {i} about a film that tries hard, and then some." for i in range(n)]
    texts[int(np.argmax(np.where(gold == 1, 1 - p, p)))] = HOSTILE
    return audit(gold, probabilities, texts, CLASSES, raw=probabilities[:, ::-1], model="Qwen2.5-0.5B-Instruct")


def summary() -> RunSummary:
    rounds = tuple(
        Round(
            index=i,
            sizes={"unlabelled": 300 - 8 * i, "labelled": 100 + 8 * i},
            human_labels=8 * (i + 1),
            machine_labels=92,
            measures={"mean_entropy": 0.6 - 0.05 * i},
            cost=Cost(calls=100, tokens_in=9000, tokens_out=200, seconds=41.0),
            picked=8,
            filled=1,
            accepted=5,
            rejected=3,
        )
        for i in range(4)
    )
    return RunSummary(
        run="run-7f3a",
        task="Support mails",
        item="mail",
        classes=("billing", "technical", HOSTILE),
        pool_size=400,
        budget=32,
        recipe="default",
        student="bert",
        seed=0,
        labels=(
            LabelCount(label="billing", human=20, confirmed=2, machine=60),
            LabelCount(label="technical", human=9, confirmed=1, machine=30),
            LabelCount(label=HOSTILE, machine=2),
        ),
        by={"human:anna": 32, "llm:qwen@annotate/label@1#ab": 92},
        abstained=4,
        generated=20,
        rejected=12,
        rounds=rounds,
        stop=Stop(rule="budget", reason="32 of 32 human labels are spent", numbers={"labels": 32}),
        cost=Cost(human_labels=32, human_seconds=380.0, calls=400, tokens_in=36000, tokens_out=800, seconds=164.0),
        agreement=0.91,
        agreement_human=0.97,
        filled_share=0.125,
        quartiles=(0.3, 0.3, 0.2, 0.2),
        files=("labels.jsonl", "student/", "run.json"),
    )
