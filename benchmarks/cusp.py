"""The cusp of the norms, and what it does to Hessians of trained models with rounder ones.

``python -m benchmarks.cusp DATASET MODEL…`` prints a Markdown table of errors on the test split, of
each kind of configurations, for each ε below the roots of √(|A|² + ε). Models are of one family and
were trained with the first ε; near a vanishing A they curve by up to τ / √ε.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import torch
import typer

from mlipkd.datasets.file import DatasetFile, kinds_of
from mlipkd.evaluation.core.ensembles import Ensemble, load_ensembles
from mlipkd.evaluation.core.error_sums import error_sums, whole_test_split
from mlipkd.hipnn import interaction
from mlipkd.hipnn.engines.cpu import analytic

CUSPS = (interaction.CUSP, 1e-4, 1e-3, 1e-2)


def main(
    dataset: Annotated[Path, typer.Argument(help="Dataset file with reference Hessians.")],
    models: Annotated[list[Path], typer.Argument(help="Model files of one family.")],
) -> None:
    """Print the table."""
    (ensemble,), _ = load_ensembles(models, torch.device("cpu"))
    print("| kind | ε | E RMSE, eV | F RMSE, eV/Å | H MAE, eV/Å² | H RMSE, eV/Å², of each |")
    print("|---|---|---|---|---|---|")
    with DatasetFile(dataset) as file:
        test = whole_test_split(file, [ensemble])
        kinds = kinds_of(file)[test]  # (test configurations,)
        for kind in dict.fromkeys(kinds.tolist()):
            for cusp in CUSPS:
                with ExitStack() as rounded:
                    for module in (interaction, analytic):
                        rounded.enter_context(patch.object(module, "CUSP", cusp))
                    cells = _cells(file, test[kinds == kind], ensemble)
                print(f"| {kind} | {cusp:g} | {' | '.join(cells)} |")


def _cells(file: DatasetFile, configurations: np.ndarray, ensemble: Ensemble) -> list[str]:
    """Means over members, and of the last column all."""
    sums = error_sums(file, configurations, [ensemble])
    of = {
        subject: [sums[0, seed, subject] for seed in ensemble.members]
        for subject in ("energy", "forces", "hessian")
    }
    return [
        f"{np.mean([errors.rmse for errors in of['energy']]):.3f}",
        f"{np.mean([errors.rmse for errors in of['forces']]):.3f}",
        f"{np.mean([errors.mae for errors in of['hessian']]):.2f}",
        ", ".join(f"{errors.rmse:.1f}" for errors in of["hessian"]),
    ]


if __name__ == "__main__":
    typer.run(main)
