"""Readers of data sets that others made. Each states the units and the force sign of its layout."""
