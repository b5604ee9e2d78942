"""A run: its job, its store, its worker, its results."""
