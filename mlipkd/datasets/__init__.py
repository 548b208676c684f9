"""Datasets: configurations and their labels, in memory and in the canonical file."""
