"""Where the arithmetic is done, set once at the start of a process.

OpenMP: how many threads the libraries that run on it take.
"""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mlipkd.errors import InputError

#: Codes and values of glibc's mallopt: memory given back to the system is memory to be zeroed anew.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, KEEP = -1, -3, 2**30

#: Objects that make Python look for garbage; a step makes hundreds, none of them in a cycle.
GARBAGE = 20_000, 20, 20

SUBNORMAL = np.float64(5e-324)


@contextmanager
def subnormal_numbers() -> Iterator[None]:
    """Let subnormal numbers be for a while, as others' code may count on them.

    SciPy's trees do: from many coordinates of zero they go to the next number above, for ever.
    """
    flushed = SUBNORMAL * np.float64(1) == 0
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(bool(flushed))


def choose_device(name: str, threads: int) -> torch.device:
    """The device of this name, ``auto`` being CUDA where there is one; and the CPU's settings.

    Raises:
        InputError: a device that this machine does not have.
    """
    torch.set_num_threads(threads)
    # Gaussians far from their centre are subnormal numbers: zero for us, slow for the processor.
    torch.set_flush_denormal(True)
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, KEEP)
        libc.mallopt(M_TRIM_THRESHOLD, KEEP)
    # What was imported stays: no use in looking through all of it for garbage again and again.
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"--device: expected cpu, cuda or auto, got {name!r} ({reason})"
        ) from error
    return device


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
