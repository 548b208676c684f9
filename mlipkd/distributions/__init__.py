"""Distributions of distances, angles and clusters in a liquid of one or several species."""
