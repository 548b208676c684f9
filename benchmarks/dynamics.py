"""A step of molecular dynamics against the force call in it."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from ase.units import kB

from benchmarks import hippynn_steps, ours
from benchmarks.cases import Case
from benchmarks.timing import call_time

#: Temperature of the velocities, K.
TEMPERATURE = 300.0
#: Steps, and force calls beside them, in a turn; a list lasts for about half as many steps.
STEPS, CALLS = 64, 8
TURNS = 1


def step_over_force_call(case: Case, device: torch.device) -> tuple[float, float]:
    """Mean seconds of a step through the ASE calculator, and of a call for energy and forces.

    The call knows its neighbours within the cut-off; a step has its share of the Verlet list, its
    further pairs, and the integrator.
    """
    (system,) = case.systems()
    normal = np.random.default_rng(0).normal(size=(len(system), 3))  # (atoms, 3)
    system.set_momenta(normal * np.sqrt(system.get_masses()[:, None] * kB * TEMPERATURE))
    weights = hippynn_steps.modules(case.shape, case.species, device)
    own = ours.potential(case.shape, case.species, weights, device)
    force_call = ours.inference(own, [system])
    with tempfile.TemporaryDirectory() as folder:
        run = ours.dynamics(own, system, Path(folder))
        run(1)
        force_call()
        times = [
            (
                call_time(lambda: run(STEPS), 1, device) / STEPS,
                call_time(force_call, CALLS, device),
            )
            for _ in range(TURNS)
        ]
    steps, calls = np.mean(times, axis=0)
    return float(steps), float(calls)
