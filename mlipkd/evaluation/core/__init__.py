"""What evaluations share: declarations, rows and curves, ensembles, sums of errors, figures."""
