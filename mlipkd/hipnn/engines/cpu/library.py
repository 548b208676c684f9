"""The compiled CPU kernels: the best build for this processor, and how to call it."""

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mlipkd.errors import InputError
from mlipkd.hipnn.engines.cpu.sources import digest

#: Which generation of processors a build needs, by PyTorch's name of it; the best first.
BUILDS = {
    "AVX512": ("avx512", "avx2", "baseline"),
    "AVX2": ("avx2", "baseline"),
}
TYPES = {torch.float32: "float", torch.float64: "double"}


@cache
def library() -> ctypes.CDLL | None:
    """The best build that runs on this processor; none if it was installed without a compiler.

    Raises:
        InputError: it was built from other sources than those that are installed.
    """
    capability = torch.backends.cpu.get_cpu_capability()
    for name in BUILDS.get(capability, ("baseline",)):
        for path in Path(__file__).parent.glob(f"cpu_{name}.*so"):
            build = ctypes.CDLL(str(path))
            _refuse_other_sources(build, path)
            return build
    return None


def _refuse_other_sources(build: ctypes.CDLL, path: Path) -> None:
    """A build that an update left behind would be called with arguments that it does not know."""
    expected, actual = digest(), ""
    if hasattr(build, "sources"):
        build.sources.restype = ctypes.c_char_p
        actual = build.sources().decode()
    if expected not in (None, actual):
        raise InputError(
            f"{path}: expected a build of the sources next to it, got one of others; install again "
            "(make install, or pip install .) where there is a C++ compiler, or delete "
            f"{path.parent}/cpu_*.so to go without"
        )


def call(name: str, dtype: torch.dtype | None, *arguments: Any) -> None:
    """Call a function of the library, that for a type of numbers if it has several.

    Integers are passed as 64 bits, floats as doubles, contiguous tensors by their address.
    """
    words: list[object] = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            assert argument.is_contiguous()
            words.append(ctypes.c_void_p(argument.data_ptr()))
        elif isinstance(argument, float):
            words.append(ctypes.c_double(argument))
        else:
            words.append(None if argument is None else ctypes.c_int64(argument))
    getattr(library(), name if dtype is None else f"{name}_{TYPES[dtype]}")(*words)
