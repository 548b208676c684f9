"""Counts of one architecture: what a member multiplies, and what it holds.

As the kernels do it, and one pass through the layers: see ``hipnn/interaction.py``.
"""

from mlipkd.config.model import Architecture


def multiplications(shape: Architecture, elements: int, atoms: float, pairs: float) -> float:
    """Multiplications for so many atoms with so many directed pairs."""
    width, number, components = shape.width, shape.sensitivities, _components(shape)
    later = shape.n_interactions - 1
    of_atom = components * number * elements * width + later * number * width**2
    of_atom += shape.n_interactions * (1 + 2 * shape.atom_layers) * width**2
    of_pair = components * number + later * width * (number + components)
    return atoms * of_atom + pairs * of_pair


def held(shape: Architecture) -> float:
    """Numbers that are held for each atom of a batch; as ``hipnn/prediction.py`` counts."""
    later = shape.n_interactions > 1
    return shape.width * (
        shape.atom_layers + 2 * _components(shape) + later * 2 * shape.sensitivities
    )


def _components(shape: Architecture) -> int:
    """Of the tensors up to the highest order."""
    return (shape.l_max + 1) ** 2
