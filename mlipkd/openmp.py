"""OpenMP: how many threads the libraries that run on it take."""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPENMP = "libgomp.1.dylib" if sys.platform == "darwin" else "libgomp.so.1"  # what tblite runs on


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep tblite to one thread: on small molecules, two on a busy machine are much slower.

    OMP_NUM_THREADS would not do: OpenMP reads it when it is loaded, and PyTorch loads the same one.
    """
    try:
        openmp = ctypes.CDLL(OPENMP)
    except OSError:  # another OpenMP, left to the environment
        yield
        return
    before = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(1)
    try:
        yield
    finally:
        openmp.omp_set_num_threads(before)
