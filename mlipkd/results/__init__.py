"""Results: rows become tables."""
