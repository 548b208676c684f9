"""A cluster with SLURM: what it offers, what jobs ask of it, and whether one comes back."""
