"""Which derivatives a backward pass is for.

PyTorch tells an operator which of its inputs have derivatives at all, not which of them this pass
is asked for. Forces need those by the vectors, a training step those by the weights, and a kernel
that makes both does half its work for nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

_wanted = {"vectors": True, "weights": True}


@contextmanager
def only(what: str) -> Iterator[None]:
    """Within it, backward passes are for ``"vectors"`` or for ``"weights"`` alone."""
    before = dict(_wanted)
    _wanted.update({name: name == what for name in _wanted})
    try:
        yield
    finally:
        _wanted.update(before)


def wanted(what: str) -> bool:
    """Whether the pass that is under way asks for these derivatives."""
    return _wanted[what]
