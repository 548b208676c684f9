"""What every job does apart from its work: complete files, locks, resuming, provenance, device."""
