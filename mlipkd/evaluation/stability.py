"""Stability: how many NVE trajectories of a liquid end in a collision, how soon, and how the total
energy of the others drifts, for each time step.

After Matin et al., arXiv 2503.14293: a box of CH3ONO, several time steps, runs that differ by their
velocities; a run has failed when two atoms are closer than 0.5 Å, and also, what no model should
come to, when its energy is not finite or an atom flies by half the box in one step.

All models, members and time steps begin at the same positions: molecules in their shape at rest,
packed so loosely that nothing needs to be relaxed (``dynamics/packing.py``). A relaxation by the
model would give each model a start of its own, and its failures would be those of another question.
So runs do not begin at equilibrium: a model's own bond lengths and cohesion warm or cool its
liquid, which is part of what is asked of it. The velocities of run r of seed s are the same for all
models and time steps, so that students and controls are compared pair by pair.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from ase import Atoms
from scipy.stats import binomtest

from mlipkd.config.evaluation import StabilityEvaluation
from mlipkd.deploy.ase import MLIPKD
from mlipkd.dynamics.ase import run_nve
from mlipkd.dynamics.trajectories import NVERun, with_velocities
from mlipkd.errors import InputError
from mlipkd.evaluation.core.ensembles import Ensemble
from mlipkd.evaluation.core.rows import POOLED, UNITS, Row
from mlipkd.hipnn.file import Potential
from mlipkd.jobs.resumable import Resumable

#: Of the interval for the fraction that fails.
CONFIDENCE = 0.95


def evaluate_stability(
    box: Atoms,
    settings: StabilityEvaluation,
    engine: str,
    ensembles: Sequence[Ensemble],
    resumable: Resumable | None = None,
) -> list[Row]:
    """Failures, times to failure and drifts of each member, and of all runs of all its seeds.

    For each time step dt in fs, named ``dt1.0/…``:

    - ``failed``: the fraction of the runs that failed; ``failed_low`` and ``failed_high``: the
      interval of Clopper and Pearson (``exact``) that covers the probability of failure 95 times
      in 100 or more. That of all seeds takes runs for independent; where members differ much, runs
      of one member are alike and the truth is wider.
    - ``time_to_failure``: the mean over the runs that failed, ps; none where none did. Runs that
      would have failed later are not in it.
    - ``drift``: the mean over the runs that did not fail of |slope of the total energy|, by least
      squares over the whole run, eV/atom/ps; none where all failed.

    Args:
        box: the positions that all runs begin with, periodic.
        settings: temperature, time steps and length of the runs.
        engine: ``ase`` or ``torch-sim``.
        ensembles: whom to ask.
        resumable: where to keep the runs that are done.

    Raises:
        InputError: a member does not know an element of the box, or is a calculator.
        TryAgainError: it was stopped.
    """
    resumable = resumable or Resumable()
    for ensemble in ensembles:
        _refuse_unknown_elements(box, ensemble)
    rows = []
    for ensemble in ensembles:
        own = ensemble.dataset, ensemble.family, ensemble.model
        for timestep in settings.timesteps:
            pooled = []
            for seed, potential in ensemble.members.items():
                name = f"{ensemble.family}/{ensemble.model} seed {seed}, {timestep:g} fs"
                if name not in resumable.pieces:
                    starts = [
                        with_velocities(box, settings.temperature, [settings.seed, seed, run])
                        for run in range(settings.runs)
                    ]
                    runs = _run(engine, potential, starts, timestep, settings, name)
                    found = np.array([[run.failed, run.duration, run.drift] for run in runs])
                    resumable.keep(resumable.pieces | {name: found})
                pooled.append(resumable.pieces[name])
                rows += [Row(*own, seed, *found) for found in _metrics(timestep, pooled[-1])]
            together = np.concatenate(pooled)
            rows += [Row(*own, POOLED, *found) for found in _metrics(timestep, together)]
    return rows


def _run(
    engine: str,
    potential: Potential,
    starts: Sequence[Atoms],
    timestep: float,
    settings: StabilityEvaluation,
    name: str,
) -> list[NVERun]:
    steps = round(settings.duration * 1e3 / timestep)
    options = (starts, timestep, steps, settings.closest, name)
    if engine == "ase":
        return run_nve(MLIPKD(potential, potential.device), *options)
    # Optional, so it is looked for only here.
    from mlipkd.deploy import torch_sim
    from mlipkd.dynamics.torch_sim import run_nve_batch

    return run_nve_batch(torch_sim.MLIPKD(potential, potential.device), *options)


def _metrics(timestep: float, runs: np.ndarray) -> Iterator[tuple[str, float, str]]:
    """Metric, value and unit, of (runs, 3): failed or not, duration in fs, drift in eV/atom/fs."""
    failed = runs[:, 0] == 1
    test = binomtest(int(failed.sum()), len(runs))
    interval = test.proportion_ci(CONFIDENCE, method="exact")
    values = {
        "failed": failed.mean(),
        "failed_low": interval.low,
        "failed_high": interval.high,
    }
    if failed.any():
        values["time_to_failure"] = runs[failed, 1].mean() * 1e-3
    if not failed.all():
        values["drift"] = np.abs(runs[~failed, 2]).mean() * 1e3
    for metric, value in values.items():
        yield f"dt{timestep}/{metric}", float(value), UNITS["stability"][metric]


def _refuse_unknown_elements(box: Atoms, ensemble: Ensemble) -> None:
    if ensemble.species is None:
        raise InputError(
            f"stability: expected members that were trained here, got {ensemble.family}, a "
            "calculator; leave it out"
        )
    unknown = sorted(set(box.symbols[~np.isin(box.numbers, ensemble.species)]))
    if unknown:
        raise InputError(
            f"stability.molecule: expected the elements {ensemble.species} (atomic numbers) that "
            f"{ensemble.family}/{ensemble.model} was trained on, got {', '.join(unknown)}, too; "
            "choose another molecule, or leave stability out"
        )
