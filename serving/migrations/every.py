"""Every table of this program, imported so that all of them hang on `database.metadata`."""

from serving.database import metadata
from serving.exchange.deliveries import annotations
from serving.llm.ledger import calls
from serving.runs import data_tables, review_tables, schema, spending
from serving.service import idempotency, keys, tally

__all__ = [
    "annotations",
    "calls",
    "data_tables",
    "idempotency",
    "keys",
    "metadata",
    "review_tables",
    "schema",
    "spending",
    "tally",
]
