"""The engine of compiled kernels for processors, with derivatives that are written out."""
