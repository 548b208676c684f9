"""The engine of Triton kernels for GPUs."""
