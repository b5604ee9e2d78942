"""Weights: which there are, where they come from, that they are what they claim to be."""
