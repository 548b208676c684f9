"""Datasets: formats read and written, checks, splits, built-in reference methods."""
