"""The LLM server on this machine: its environment, its settings, its life."""
