"""A campaign with tables and figures as if it had been run, to make a report of."""

from pathlib import Path

import yaml
from matplotlib import rc_context

from mlipkd.evaluation import FIGURES
from mlipkd.evaluation.core.rows import ENSEMBLE, Row, write_rows
from mlipkd.jobs import artefacts
from mlipkd.results.report import report

SHAPE = {"n_interactions": 1, "l_max": 0, "atom_layers": 1, "width": 4, "sensitivities": 2}
MODEL = "n1-l0-a1-w4-s2"
CAMPAIGN = {
    "recipes": {
        "plain": {
            "loss": [{"quantity": "forces", "labels": "reference", "weight": 1}],
            "batch": {"configurations": 2},
        },
        "taught": {
            "loss": [
                {"quantity": "forces", "labels": "reference", "weight": 1},
                {"quantity": "forces", "labels": "teacher", "weight": {1: 10, 20: 2}},
            ],
            "batch": {"configurations": 2},
        },
    },
    "datasets": {
        "metal": {
            "source": {"reader": "aluminium-emt"},
            "model": SHAPE | {"soft_min": 0.8, "soft_max": 3, "hard_max": 4},
            "families": {
                "teachers": {"recipe": "plain", "model": {"width": 8}, "seeds": 2},
                "students": {"recipe": "taught", "learns_from": "teachers", "model": {"width": 4}},
                "controls": {"recipe": "plain", "seeds": [0, 1, 4]},
            },
            "evaluations": {"cost": {}, "recommended": {"teacher": "teachers", "within": 0.5}},
        }
    },
}
#: What HTML would take for an element.
NOTE = "<script>alert('metal')</script> & no student is recommended"


def rows() -> list[Row]:
    """Errors of forces: of students 1 and 3, of controls 3, 4 and 5."""
    errors = {
        ("teachers", "n1-l0-a1-w8-s2"): [1.0, 2.0],
        ("students", MODEL): [1.0, 3.0],
        ("controls", MODEL): [3.0, 4.0, 5.0],
    }
    return [
        Row("metal", family, model, seed, "forces_rmse", value, "eV/Å")
        for (family, model), values in errors.items()
        for seed, value in [*enumerate(values), (ENSEMBLE, 0.5)]
    ]


class Reported:
    """The files of the campaign in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.campaign = folder / "config.yaml"
        self.campaign.write_text(yaml.safe_dump(CAMPAIGN, sort_keys=False))
        self.table = folder / "results" / "tables" / "errors.csv"
        write_rows(self.table, rows(), [], [NOTE])
        self.figure = folder / "results" / "figures" / "metal" / "errors.svg"
        with artefacts.writing(self.figure) as temporary, rc_context({"svg.hashsalt": "mlipkd"}):
            FIGURES["errors"].of_dataset(rows(), "metal").savefig(temporary, format="svg")
        for name, seconds, memory in (("seed0/train", 3600, 2000), ("errors", 1800, "NA")):
            log = folder / "logs" / "metal" / f"{name}.benchmark.tsv"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(f"s\tmax_pss\tcpu_time\n{seconds}\t{memory}\t{2 * seconds}\n")

    def report(self) -> str:
        """The report of all of it."""
        logs = self.folder / "logs"
        return report(self.campaign, [self.table], [self.figure], logs)
