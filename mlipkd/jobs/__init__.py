"""What every job does beside its work: whole files, locks, stopping and resuming, provenance."""
