"""Settings of the processor: others' code finds subnormal numbers, and ours what it had chosen."""

import ctypes

import numpy as np
import pytest
import torch

from mlipkd.jobs.device import OPENMP, SUBNORMAL, one_thread, subnormal_numbers


@pytest.fixture(params=[True, False])
def flushed(request):
    torch.set_flush_denormal(request.param)
    yield request.param
    torch.set_flush_denormal(False)


def is_flushed() -> bool:
    return bool(np.array([SUBNORMAL])[0] * np.float64(1) == 0)


def test_subnormal_numbers_are_there_for_a_while(flushed) -> None:
    assert is_flushed() == flushed
    with pytest.raises(KeyError), subnormal_numbers():
        assert not is_flushed()
        raise KeyError
    assert is_flushed() == flushed


def test_one_thread_is_for_a_while() -> None:
    """Whatever is raised, and however often it is entered."""
    openmp = ctypes.CDLL(OPENMP)
    openmp.omp_set_num_threads(3)
    try:
        with pytest.raises(KeyError), one_thread():
            with one_thread():
                assert openmp.omp_get_max_threads() == 1
            assert openmp.omp_get_max_threads() == 1
            raise KeyError
        assert openmp.omp_get_max_threads() == 3
    finally:
        openmp.omp_set_num_threads(1)
