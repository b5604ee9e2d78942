"""Talking to an LLM server: one adapter, retries, label reads, and the ledger that keeps every answer."""
