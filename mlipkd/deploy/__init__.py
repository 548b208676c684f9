"""Trained potentials in other programs."""
