"""Molecular dynamics with any model, and the distributions in its trajectories."""
