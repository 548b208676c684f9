"""Where the arithmetic is done, and how: device, threads, subnormal numbers, memory.

``choose_device`` sets a process up once, at its start. What others' code needs otherwise for a
while (subnormal numbers, a single thread) is a context that restores what was there before,
whatever is raised in it; both settings are the calling thread's own.
"""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from mlipkd.errors import InputError

#: Codes of glibc's mallopt, and the bytes up to which freed memory is kept.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, KEPT_BYTES = -1, -3, 2**30
#: Objects that make Python look for garbage; a step makes hundreds, none of them in a cycle.
GARBAGE_THRESHOLDS = 20_000, 20, 20
#: The smallest subnormal number.
SUBNORMAL = np.float64(5e-324)
#: The OpenMP library that tblite runs on.
OPENMP = "libgomp.1.dylib" if sys.platform == "darwin" else "libgomp.so.1"


def choose_device(name: str, threads: int) -> torch.device:
    """Set this process up to compute, and give the device of this name.

    Args:
        name: cpu, cuda, …; or auto: CUDA where there is one.
        threads: of PyTorch and of our kernels on the CPU.

    Raises:
        InputError: a device that this machine does not have.
    """
    torch.set_num_threads(threads)
    # Gaussians far from their centre are subnormal numbers: zero for us, slow for the processor.
    torch.set_flush_denormal(True)
    _keep_freed_memory()
    _collect_garbage_less_often()
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return device_of(name, "--device: expected cpu, cuda or auto")


def _keep_freed_memory() -> None:
    """Let glibc keep what is freed: given back to the system, it has to be zeroed anew."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def _collect_garbage_less_often() -> None:
    """Leave out what was imported, which stays, and look through the rest less often."""
    gc.freeze()
    gc.set_threshold(*GARBAGE_THRESHOLDS)


def device_of(
    name: str | torch.device, expected: str = "device: expected cpu, or cuda where there is one"
) -> torch.device:
    """The device of a name.

    Raises:
        InputError: this machine does not have it; ``expected`` says what was expected where.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{expected}, got {str(name)!r} ({reason}); take cpu") from error
    return device


@contextmanager
def subnormal_numbers() -> Iterator[None]:
    """Compute with subnormal numbers within, as others' code may rely on them.

    SciPy's trees do: from many coordinates of zero they go to the next number above, for ever.
    """
    flushed = bool(SUBNORMAL * np.float64(1) == 0)
    torch.set_flush_denormal(False)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep tblite to one thread within: for small molecules, two on a busy machine are much slower.

    OMP_NUM_THREADS would not do: OpenMP reads it when it is loaded, and PyTorch loads the same one.
    """
    try:
        openmp = ctypes.CDLL(OPENMP)
    except OSError:  # another OpenMP, left to the environment
        yield
        return
    threads = openmp.omp_get_max_threads()
    openmp.omp_set_num_threads(1)
    try:
        yield
    finally:
        openmp.omp_set_num_threads(threads)
