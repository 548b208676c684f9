"""Distillation: members label their dataset, and their labels become one teacher's."""
