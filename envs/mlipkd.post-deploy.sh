#!/usr/bin/env bash
# Run by Snakemake in the environment it made from mlipkd.yaml, from the top of the checkout.
# torch first and by its exact version: a range would fetch the newest build and its CUDA libraries.
set -euo pipefail
python -m pip install --constraint envs/constraints.txt torch==2.13.0
python -m pip install --constraint envs/constraints.txt --editable '.[campaign,md,cg]'
