"""Benchmarks: run by hand, from a checkout, with `python -m evaluation.bench.NAME`. They print what they measured."""
