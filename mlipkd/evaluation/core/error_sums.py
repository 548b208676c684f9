"""Error sums: RMSE and MAE of more errors than fit into memory."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class ErrorSum:
    """RMSE and MAE of all errors added so far."""

    squared: float = 0.0
    absolute: float = 0.0
    count: int = 0

    def add(self, errors: np.ndarray) -> None:
        """Add errors of any shape."""
        self.squared += float((errors**2).sum())
        self.absolute += float(np.abs(errors).sum())
        self.count += errors.size

    def __iadd__(self, other: "ErrorSum") -> "ErrorSum":
        self.squared += other.squared
        self.absolute += other.absolute
        self.count += other.count
        return self

    @property
    def rmse(self) -> float:
        """Root of the mean square."""
        return math.sqrt(self.squared / self.count)

    @property
    def mae(self) -> float:
        """Mean of the absolute values."""
        return self.absolute / self.count
