"""HIP-NN-TS: the mathematics. Symbols are those of docs/conventions.md and of the papers.

N. Lubbers, J. S. Smith, K. Barros, J. Chem. Phys. 148, 241715 (2018), doi 10.1063/1.5011181;
M. Chigaev et al., J. Chem. Phys. 158, 184108 (2023), doi 10.1063/5.0142127.
"""
