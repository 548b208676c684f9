"""The compiled kernels: each generation holds the instructions of its processors and no others."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mlipkd.hipnn.engines import cpu

REGISTERS = {"baseline": {"xmm"}, "avx2": {"xmm", "ymm"}, "avx512": {"xmm", "ymm", "zmm"}}


@pytest.mark.parametrize("generation", REGISTERS)
def test_generations_are_not_mixed(generation) -> None:
    """Nothing newer, which would end in an illegal instruction; no MMX, whose state nobody clears.

    And nothing older: wherever a kernel uses several numbers at once, registers are the widest.
    """
    libraries = list(Path(cpu.__path__[0]).glob(f"cpu_{generation}.*"))
    if not libraries or not shutil.which("objdump"):
        pytest.skip("needs kernels of an x86 processor and objdump")
    words = ["objdump", "-d", "--no-show-raw-insn", str(libraries[0])]
    code = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"%([a-z]?mm)\d", code)) == REGISTERS[generation]
    widest = sorted(REGISTERS[generation])[-1]
    functions = [part for part in code.split("\n\n") if "_omp_fn" in part and "mulps" in part]
    assert functions
    assert all(f"%{widest}" in part for part in functions)
