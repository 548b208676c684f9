"""Training: a recipe, a dataset and a seed make a potential."""
