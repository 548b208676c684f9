"""The cost of Hessians in training: time and memory against the size of molecules.

    python -m benchmarks.hessians                docs/hessians.md

Each number is measured in its own process, on one thread, or on the GPU if there is one.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.hessian_epoch import BATCH, KINDS, SHAPE
from mlipkd.jobs import provenance

#: Chains measured, and how many of the longest tell how time grows.
CARBONS = (1, 3, 6, 13, 19, 26)
LONGEST = 3
#: Configurations of the epoch in the table.
EPOCH = 1000
#: How many times as fast an epoch with products is to be as one with Hessians, at some size.
RATIO = 24

Results = dict[str, list[dict[str, float]]]


def measure(carbons: list[int], device: str) -> Results:
    """Time and memory of each size, for each kind of training."""
    results: Results = {kind: [] for kind in KINDS}
    for size in carbons:
        for kind in KINDS:
            command = [sys.executable, "-m", "benchmarks.hessian_epoch", kind, str(size), device]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            results[kind].append(json.loads(output.splitlines()[-1]))
            print(kind, results[kind][-1], file=sys.stderr, flush=True)
    return results


def exponent(rows: list[dict[str, float]], what: str) -> float:
    """x in "grows like n^x", by the longest chains."""
    atoms, values = ([row[key] for row in rows[-LONGEST:]] for key in ("atoms", what))
    return float(np.polyfit(np.log(atoms), np.log(np.maximum(values, 1e-9)), 1)[0])


def number(value: float) -> str:
    """Three digits, and all of those before the decimal point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def page(results: Results, device: str) -> str:
    """The tables, as Markdown."""
    head = f"| atoms | {' | '.join(KINDS)} |"
    bar = "|---" * (len(KINDS) + 1) + "|"
    epochs = {kind: [EPOCH / BATCH * row["seconds"] for row in results[kind]] for kind in KINDS}
    atoms = [int(row["atoms"]) for row in results["E-F"]]
    ratios = [h / p for h, p in zip(epochs["E-F-H"], epochs["E-F-HVP"], strict=True)]
    reached = [n for n, ratio in zip(atoms, ratios, strict=True) if ratio >= RATIO]
    lines = [
        "# What Hessians cost in training",
        "",
        f"Made by `python -m benchmarks.hessians`, commit {provenance.commit()}; not to be edited. "
        "Rattled chains of alkanes, "
        f"{BATCH} in a mini-batch, model {SHAPE.name} in float32, on "
        f"{'one core' if device == 'cpu' else device}. E-F trains on energies and forces, E-F-HVP "
        "on products of the Hessian with one random vector of each molecule besides, E-F-H on "
        "whole Hessians, of which several columns are made and derived at a time.",
        "",
        f"Seconds of an epoch of {EPOCH} molecules, from the median of its mini-batches:",
        "",
        f"{head[:-1]}| E-F-H / E-F-HVP |",
        f"{bar}---|",
    ]
    for row, (n, ratio) in enumerate(zip(atoms, ratios, strict=True)):
        cells = " | ".join(number(epochs[kind][row]) for kind in KINDS)
        lines.append(f"| {n} | {cells} | {number(ratio)} |")
    cells = " | ".join(f"n^{exponent(results[kind], 'seconds'):.2f}" for kind in KINDS)
    lines += [
        f"| grows like, from {atoms[-LONGEST]} atoms on | {cells} | |",
        "",
        f"An epoch with products is {RATIO} times as fast as one with Hessians, or more, from "
        f"{min(reached)} atoms on."
        if reached
        else f"No size reaches a ratio of {RATIO}.",
        "",
        "MB by which a process grows at its peak:",
        "",
        head,
        bar,
    ]
    for row, n in enumerate(atoms):
        cells = " | ".join(f"{results[kind][row]['bytes'] / 1e6:.0f}" for kind in KINDS)
        lines.append(f"| {n} | {cells} |")
    return "\n".join(lines) + "\n"


def main(
    output: Annotated[Path, typer.Option(help="Page to write.")] = Path("docs/hessians.md"),
    carbons: Annotated[list[int], typer.Option(help="Chains to measure.")] = list(CARBONS),  # noqa: B006
) -> None:
    """Measure, and write the page."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    output.write_text(page(measure(carbons, device), device))


if __name__ == "__main__":
    typer.run(main)
