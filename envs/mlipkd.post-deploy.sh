#!/usr/bin/env bash
# Run by Snakemake in the environment it made from mlipkd.yaml, in the folder that it works in.
# torch first and by its exact version: a range would fetch the newest build and its CUDA libraries.
set -euo pipefail
cd "${MLIPKD_CHECKOUT:-.}"  # which the workflow names
python -m pip install --constraint envs/constraints.txt torch==2.13.0
python -m pip install --constraint envs/constraints.txt --editable '.[campaign,md,cg]'
