"""Decay factors: how a pick changes the scores of the regions that it overlaps."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Factor(Protocol):
    """Decay factor of a pick for other regions: 0 to 1, and 1 where they do not overlap."""

    def __call__(self, value: np.ndarray, picked: np.ndarray) -> np.ndarray:
        """Factors for overlaps ``value`` above 0 with the regions ``picked``, which broadcasts against it."""
        ...
