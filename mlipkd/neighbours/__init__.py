"""The neighbours of moving atoms: Verlet lists, and evaluation in chunks of atoms."""
