"""A campaign whose every job takes milliseconds: real Snakemake, and a stand-in for mlipkd."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from mlipkd.datasets.size import Size
from mlipkd.evaluation import EVALUATIONS

ROOT = Path(__file__).parents[2]

#: The outputs that evaluations declare in addition to their rows, as cases of the stand-in.
OUTPUTS = "".join(
    f'        "evaluate-{evaluation.name} --{output.name}") '
    + ('mkdir -p "$2"' if output.folder else 'echo "$1" > "$2"')
    + "; shift ;;\n"
    for evaluation in EVALUATIONS.values()
    for output in evaluation.outputs
)

#: Writes its own command line to commands.log, and one line to each file that the verb makes: what
#: --output names and, for some verbs, other options, which name inputs of other verbs.
STAND_IN = f"""\
#!/usr/bin/env bash
set -eu
echo "$*" >> commands.log
verb=$1
[ "$verb" = evaluate ] && verb="evaluate-$2"
while [ $# -gt 0 ]; do
    case "$verb $1" in
        *" --output"|"train --history"|"merge --manifest"|"simulate --topology")
            echo "$1" > "$2"; shift ;;
{OUTPUTS}        "dataset --size") cp size.json "$2"; shift ;;
    esac
    shift
done
"""

#: A million atoms of one element in 10,000 configurations, with n³ neighbours within n Å.
SIZE = Size(
    configurations=10_000,
    atoms=1_000_000,
    largest=100,
    elements=1,
    periodic=True,
    neighbours=tuple(float(radius**3) for radius in range(1, 13)),
    bytes=10**8,
)

CAMPAIGN = """\
recipes:
  teaching:
    loss: [{quantity: energy, labels: reference, weight: 1}]
    batch: {configurations: 2}
  control:
    loss: [{quantity: energy, labels: reference, weight: 1}]
    batch: {configurations: 2}
  first:
    loss: [{quantity: forces, labels: teacher, weight: {1: 10, 20: 1}}]
    batch: {configurations: 2}
  second:
    loss: [{quantity: forces, labels: teacher, weight: {1: 10, 20: 1}}]
    batch: {configurations: 2}
datasets:
  water:
    source: {reader: ase, files: [water.xyz]}
    model:
      {n_interactions: 1, l_max: 0, atom_layers: 1, width: 4, sensitivities: 2,
       soft_min: 0.8, soft_max: 3, hard_max: 4}
    families:
      teachers: {recipe: teaching, seeds: 2}
      students: {recipe: first, learns_from: teachers, seeds: 2}
      students2: {recipe: second, learns_from: students, seeds: 1}
    evaluations:
      comp6: {suites: {small: small.h5}}
  metal:
    source: {reader: aluminium-emt, configurations: 4}
    model:
      {n_interactions: 1, l_max: 0, atom_layers: 1, width: 4, sensitivities: 2,
       soft_min: 0.8, soft_max: 3, hard_max: 4}
    families:
      teachers: {recipe: teaching, seeds: 2}
      students: {recipe: first, learns_from: teachers, model: {width: [4, 8]}, seeds: 2}
      controls: {recipe: control, model: {width: [4, 8]}, seeds: 2}
    evaluations:
      cost: {}
"""


class Workspace:
    """A folder with a campaign, in which the project's workflow runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def make(cls, folder: Path) -> "Workspace":
        """A new folder with the campaign, its source files and the stand-in for mlipkd."""
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "mlipkd").write_text(STAND_IN)
        (folder / "bin" / "mlipkd").chmod(0o755)
        SIZE.write(folder / "size.json")
        (folder / "config.yaml").write_text(CAMPAIGN)
        (folder / "water.xyz").write_text("water\n")
        (folder / "small.h5").write_text("small\n")
        return cls(folder)

    @property
    def config(self) -> dict:
        """The campaign as it stands in config.yaml."""
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    @config.setter
    def config(self, content: dict) -> None:
        (self.folder / "config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def snakemake(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake as a user would."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), *words],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=900,
        )

    def planned(self, *words: str) -> set[str]:
        """The jobs of a dry run, each by the first file that it makes, without ``results/``."""
        done = self.snakemake("--dry-run", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        outputs = [
            line.split()[1].strip(",").removeprefix("results/")
            for line in (done.stdout + done.stderr).splitlines()
            if line.startswith(("    output: ", "        output: "))
        ]
        assert len(outputs) == len(set(outputs))
        return set(outputs)

    @property
    def commands(self) -> list[str]:
        """The command line of each job that ran, but for the time that it was given."""
        text = (self.folder / "commands.log").read_text()
        return re.sub(r" --runtime \d+", "", text).splitlines()
