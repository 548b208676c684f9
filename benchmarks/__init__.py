"""Comparisons with other packages, side by side in one run."""
