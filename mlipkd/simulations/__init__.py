"""Simulations of all atoms by packmol and GROMACS."""
