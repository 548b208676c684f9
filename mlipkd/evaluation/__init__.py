"""Evaluation: one file for each kind of question put to members and ensembles."""
