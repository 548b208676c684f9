"""Dynamics: what trajectories need beside a model."""
