"""Coarse graining: atoms become beads."""
