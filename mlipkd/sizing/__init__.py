"""Sizing: time and memory that a job will take, from its work and benchmarks of jobs that ran."""
