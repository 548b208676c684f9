"""A foreign calculator finds the processor as its package counts on it."""

import torch
from ase.calculators.emt import EMT

from mlipkd.calculators.load import accommodated
from mlipkd.jobs.device import SUBNORMAL


def test_a_calculator_has_subnormal_numbers() -> None:
    torch.set_flush_denormal(True)
    try:
        assert SUBNORMAL * 1 == 0
        with accommodated(EMT()):
            assert SUBNORMAL * 1 > 0
        assert SUBNORMAL * 1 == 0
    finally:
        torch.set_flush_denormal(False)
