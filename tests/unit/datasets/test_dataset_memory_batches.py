"""Memory batches cover all configurations once and stay within their bound."""

import numpy as np
import pytest

from mlipkd.datasets.dataset import memory_batches


@pytest.mark.parametrize(
    ("sizes", "atoms", "cuts"),
    [
        ([3, 3, 3], 6, [(0, 2), (2, 3)]),
        ([3, 3, 3], 100, [(0, 3)]),
        ([3, 9, 3], 6, [(0, 1), (1, 2), (2, 3)]),  # one larger than a batch is a batch by itself
        ([], 6, []),
    ],
)
def test_by_hand(sizes: list[int], atoms: int, cuts: list[tuple[int, int]]) -> None:
    assert memory_batches(np.array(sizes, int), atoms) == [slice(*cut) for cut in cuts]


def test_random_sizes() -> None:
    sizes = np.random.default_rng(0).integers(1, 40, 1000)
    batches = memory_batches(sizes, 200)
    assert np.concatenate([np.arange(1000)[batch] for batch in batches]).tolist() == list(
        range(1000)
    )
    assert max(sizes[batch].sum() for batch in batches) <= 200
