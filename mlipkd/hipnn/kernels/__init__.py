"""Compiled kernels, and the PyTorch operators made of them."""
