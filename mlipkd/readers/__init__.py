"""Where datasets come from: files that others made, and reference methods that are built in."""
