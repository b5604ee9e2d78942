"""All ways to fill the slots of a prompt."""

from collections.abc import Iterator, Mapping
from itertools import product

from prompts.template import Prompt


def variants(prompt: Prompt, **fixed: str) -> Iterator[dict[str, str]]:
    """Yield every complete choice of fillings, in the order of the declaration; `fixed` holds some slots still.

    Raises:
        PromptError: for a fixed slot or filling that the prompt does not have.
    """
    prompt.choice(fixed)
    options = [(fixed[name],) if name in fixed else slot.fillings for name, slot in prompt.slots.items()]
    for fillings in product(*options):
        yield dict(zip(prompt.slots, fillings, strict=True))


def one_at_a_time(prompt: Prompt, base: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Yield the base choice (the defaults where a slot is not named), then every choice that differs in one slot.

    This is the plan of an ablation: 1 + Σ (fillings - 1) variants instead of their product.

    Raises:
        PromptError: for a slot or filling that the prompt does not have.
    """
    start = prompt.choice(base or {})
    yield start
    for name, slot in prompt.slots.items():
        for filling in slot.fillings:
            if filling != start[name]:
                yield start | {name: filling}
