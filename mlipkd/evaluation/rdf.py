"""The radial distribution function g(r) of a trajectory, and how far two of them are apart.

g(r) is the mean density of atoms at a distance r from an atom, over that of an ideal gas. The total
absolute error of g against a reference is TAE = Σ |g(r) − g_ref(r)| Δr (Matin et al., Digital
Discovery 4, 2502 (2025)).
"""

from collections.abc import Sequence

import numpy as np
from vesin import NeighborList

from mlipkd.config.evaluation import RdfEvaluation
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.evaluation.rows import UNITS, Row, Source, made_by

#: How much of the far end of g(r) is asked whether it has come to 1, Å.
TAIL = 1.0


def radial_distribution(trajectory: DatasetFile, cutoff: float, width: float) -> dict[float, float]:
    """g(r) by the middle of each bin, Å, over all frames of a periodic system.

    Args:
        trajectory: frames of one system.
        cutoff: how far it reaches, Å.
        width: of the bins, Å.

    Raises:
        InputError: the cut-off is more than half of the box, from where atoms meet their images.
    """
    half = 1 / np.linalg.norm(np.linalg.inv(trajectory.read([0]).cells[0]), axis=0).max() / 2
    if cutoff > half:
        raise InputError(
            f"{trajectory.path}: wanted an rdf.cutoff of at most half of the box, {half:.2f} Å, "
            f"got {cutoff:g}; lower it, or take more atoms in liquid.atoms"
        )
    edges = np.linspace(0, cutoff, round(cutoff / width) + 1)  # (bins + 1,)
    search = NeighborList(cutoff=cutoff, full_list=False, n_threads=1)
    ideal = np.zeros(len(edges) - 1)  # (bins,), pairs of an ideal gas
    pairs = np.zeros(len(edges) - 1)  # (bins,)
    for number in range(len(trajectory)):
        frame = trajectory.read([number])
        (distances,) = search.compute(frame.positions, frame.cells[0], True, quantities="d")
        pairs += np.histogram(distances, edges)[0]
        atoms, volume = len(frame.species), abs(np.linalg.det(frame.cells[0]))
        shells = 4 / 3 * np.pi * np.diff(edges**3)  # (bins,), Å^3
        ideal += atoms * (atoms - 1) / 2 * shells / volume
    middles = (edges[1:] + edges[:-1]) / 2  # (bins,)
    return dict(zip(middles.tolist(), (pairs / ideal).tolist(), strict=True))


def evaluate_rdf(
    trajectory: DatasetFile, settings: RdfEvaluation
) -> tuple[list[Row], list[str], Source]:
    """g(r) of frames that ``evaluate_liquid`` made, as rows ``g<r>``; of a failed run, a note.

    Raises:
        InputError: the file is another dataset, or the cut-off more than half of the box.
    """
    told = trajectory.provenance
    if "sampled_by" not in told:
        raise InputError(
            f"{trajectory.path}: wanted frames of a liquid, got another dataset; give a liquid.h5"
        )
    by = told["sampled_by"]
    source = Source(str(trajectory.path), trajectory.sha256, sorted({made_by(told), made_by(by)}))
    if told["failed"]:
        name = f"{by['family']}/{by['model']} seed {by['seed']}"
        return [], [f"{name}: no g(r), its run failed in the {told['failed']}"], source
    found = radial_distribution(trajectory, settings.cutoff, settings.bin)
    who = trajectory.name, by["family"], by["model"], by["seed"]
    return [Row(*who, f"g{r:.3f}", g, UNITS["rdf"]["g"]) for r, g in found.items()], [], source


def evaluate_structure(rows: Sequence[Row], reference: Sequence[Row]) -> list[Row]:
    """How far each member's g(r) is from a reference family's.

    - ``rdf/tae``: the total absolute error against the mean over the reference's members. A member
      of the reference itself is measured by the others: what seeds and time alone make.
    - ``rdf/peak``: where the first and highest maximum is.
    - ``rdf/tail``: mean of |g − 1| over the last Å.

    Args:
        rows: of ``evaluate_rdf``, of members of one model.
        reference: the same, of the teacher's model.
    """
    curves, references = _curves(rows), _curves(reference)
    found = []
    for who, (r, g) in curves.items():
        others = [curve for name, (_, curve) in references.items() if name != who]
        values = {
            "peak": r[g.argmax()],
            "tail": np.abs(g - 1)[r > r[-1] - TAIL].mean(),
        }
        if others:
            width = r[1] - r[0]
            values = {"tae": np.abs(g - np.mean(others, axis=0)).sum() * width, **values}
        found += [
            Row(*who, f"rdf/{metric}", float(value), UNITS["structure"][metric])
            for metric, value in values.items()
        ]
    return found


def _curves(
    rows: Sequence[Row],
) -> dict[tuple[str, str, str, int | str], tuple[np.ndarray, np.ndarray]]:
    """r and g of each member by dataset, family, model and seed: (bins,) each."""
    points: dict[tuple[str, str, str, int | str], list[tuple[float, float]]] = {}
    for row in rows:
        points.setdefault(row[:4], []).append((float(row.metric.removeprefix("g")), row.value))
    return {who: tuple(np.array(sorted(curve)).T) for who, curve in points.items()}
