"""Why a text was chosen, told to people after they have labelled it."""

from functools import lru_cache

from agent.domain import Batch
from serving.runs.store import Store


class Reasons:
    """Reasons of all runs in one store. A recorded step is never changed, so that each is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read = lru_cache(maxsize=32)(self._looked_up)

    def of(self, run: str, index: int, example: str) -> str:
        """What the chooser of round `index` said of a text; empty where it said nothing."""
        return self._read(run, index).get(example, "")

    def _looked_up(self, run: str, index: int) -> dict[str, str]:
        # A run that asks people through the queue has one cell.
        steps = self._store.recorded(run, "", f"/{index}/query").values()
        picks = (pick for value in steps for pick in Batch.model_validate_json(value).picks)
        return {pick.example.id: pick.why for pick in picks if pick.why}
