"""Sizing: the time and memory that a job will take, from its dataset, its architecture and
benchmarks of jobs that ran.

What a job has to do (``work.py``) is counted in a few numbers, which depend on the size of its
dataset (``size.py``). What each of them costs on a machine is fitted to Snakemake's benchmarks
(``benchmarks.py``, ``fit.py``) and kept in ``workflow/sizing.yaml``, from which the workflow
estimates what it asks for (``estimate.py``).
"""
