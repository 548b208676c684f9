"""The ensemble: mean and spread of its members, and members that do not belong.

A broken member spoils the mean: with one teacher of eight at twenty times the others' error, the
root mean square error of the mean is 2.5 times a good member's, without that teacher 0.38 times.
Each member is measured by its root mean square deviation from the members' median, and

    left out where  d_m > median(d) + 5 · 1.4826 · MAD(d)  and  d_m > 3 · median(d)

(P. J. Rousseeuw, C. Croux, J. Am. Stat. Assoc. 88, 1273 (1993), for the factor that makes the
median absolute deviation a standard deviation). The second condition keeps members that are all but
equal, whose MAD is next to nothing, from being left out for being the least equal. Of two members
that differ, nobody can say which is wrong: both are kept.
"""

import numpy as np

NORMAL = 1.4826
TOLERANCE = 5.0
RATIO = 3.0

RULE = (
    f"root mean square deviation from the members' median above median + {TOLERANCE:g} · {NORMAL} "
    f"· MAD and above {RATIO:g} · median of all members', or a prediction that is not finite"
)


def mean(members: np.ndarray) -> np.ndarray:
    """Mean of predictions (members, …): (…)."""
    return members.mean(axis=0)


def spread(members: np.ndarray) -> np.ndarray:
    """Sample standard deviation of the predictions of at least two members, (members, …): (…)."""
    return members.std(axis=0, ddof=1)


class Deviations:
    """Each member's root mean square deviation from the members' median, slab by slab."""

    def __init__(self, members: int) -> None:
        self.squared = np.zeros(members)
        self.count = 0

    def add(self, members: np.ndarray) -> None:
        """Add predictions (members, …) of the same things."""
        deviation = (members - np.median(members, axis=0)).reshape(len(members), -1)
        self.squared += np.einsum("mx,mx->m", deviation, deviation)
        self.count += deviation.shape[1]

    def rms(self) -> np.ndarray:
        """(members,), in the predictions' unit."""
        return np.sqrt(self.squared / self.count)


def outliers(deviations: np.ndarray) -> np.ndarray:
    """Which members do not belong, by their deviations from the median: (members,) bool."""
    median = np.median(deviations)
    mad = np.median(np.abs(deviations - median))
    return (deviations > median + TOLERANCE * NORMAL * mad) & (deviations > RATIO * median)
