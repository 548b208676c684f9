"""The radial distribution function g(r) of a trajectory: the mean density of atoms at a distance r
from an atom, over that of an ideal gas."""

import numpy as np
from vesin import NeighborList

from mlipkd.config.evaluation import RdfEvaluation
from mlipkd.datasets.file import DatasetFile
from mlipkd.errors import InputError
from mlipkd.evaluation.rows import UNITS, Row, Source, made_by


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
