"""Checks: whether a dataset is what it says, before anything is trained on it."""
