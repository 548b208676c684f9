"""What a potential costs: weights, time per step of molecular dynamics, and memory."""
