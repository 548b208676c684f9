"""Where the neighbours of moving atoms are found and kept: Verlet lists, chunks of atoms."""
