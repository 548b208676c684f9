"""Calculators of ASE as members of families: methods and potentials that are not trained here."""
