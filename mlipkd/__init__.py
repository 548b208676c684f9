"""Knowledge distillation campaigns for interatomic potentials."""

__version__ = "0.1.0"
