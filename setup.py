"""Builds the CPU kernels where there is a C++ compiler; everything else is in pyproject.toml.

They are built for several generations of processors, and the best build that runs is chosen when it
is loaded. Where none can be built the installation goes on without, and plain PyTorch serves. Each
holds the digest of its sources, so that one of others is neither kept here nor called.
"""

import copy
import os
import platform
import runpy
from glob import glob
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DIGEST = runpy.run_path("mlipkd/hipnn/engines/cpu/sources.py")["digest"]()


class BuildKernels(build_ext):
    """Gives each generation a folder of its own for its objects, as they are named by the source.

    The generations are built side by side and would otherwise link each other's objects.
    """

    def build_extension(self, ext: Extension) -> None:
        """Build one generation."""
        build = copy.copy(self)
        build.build_temp = os.path.join(self.build_temp, ext.name)
        library = Path(self.get_ext_fullpath(ext.name))
        # Its date alone does not tell: it may have been copied from elsewhere.
        if library.exists() and DIGEST.encode() not in library.read_bytes():
            build.force = True
        super(BuildKernels, build).build_extension(ext)


GENERATIONS = {"baseline": []}
if platform.machine() in ("x86_64", "AMD64"):
    # GCC moves halves of registers through MMX and does not clear up after it: whoever uses the x87
    # unit next, in the same thread (long double, LAPACK's norms), would then compute NaN.
    no_mmx = "-mno-mmx"
    GENERATIONS = {
        "baseline": [no_mmx],
        "avx2": [no_mmx, "-march=x86-64-v3"],
        "avx512": [no_mmx, "-march=x86-64-v4"],
    }

setup(
    cmdclass={"build_ext": BuildKernels},
    options={"build_ext": {"parallel": os.cpu_count()}},
    ext_modules=[
        Extension(
            f"mlipkd.hipnn.engines.cpu.cpu_{name}",
            sources=sorted(glob("mlipkd/hipnn/engines/cpu/*.cpp")),
            depends=glob("mlipkd/hipnn/engines/cpu/*.h"),
            define_macros=[("SOURCES", f'"{DIGEST}"')],
            extra_compile_args=[
                *("-std=c++17", "-O3", "-fopenmp", "-Wno-psabi"),
                *("-fno-math-errno", "-fno-trapping-math"),
                *flags,
            ],
            extra_link_args=["-fopenmp"],  # by its soname this is the OpenMP runtime of PyTorch
            optional=True,
        )
        for name, flags in GENERATIONS.items()
    ],
)
