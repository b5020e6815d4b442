"""How the maps of one image become a label map: normalise, enlarge, add background, refine, decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wsstool.errors import UsageError
from wsstool.masks.background import constant_background, power_background
from wsstool.masks.ignore import agreed, ignore_band
from wsstool.masks.normalise import normalise
from wsstool.masks.resize import resize
from wsstool.masks.rules import argmax


@dataclass(frozen=True)
class Method:
    """All choices between score maps and label map.

    Args:
        rule: ``f(scores, class_ids, background) -> labels``.
        refine: ``f(scores, image) -> scores``, or None.
        normalise: a mode of ``normalise.MODES``.
        background: id of the background, or -1: no pixel may become background, and a map of ``forbidden``
            is left out. Where maps have no channel of it, one is added.
        forbidden: id of the background that may not be used, or -1.
        threshold: score of the added background channel, [0, 1].
        threshold_low: a second, lower one; where the two disagree labels are 255. None: one pass.
        power: exponent of a background channel (1 - max)^power in place of the constant, or None.
        ignore_margin: pixels whose best score is less than this above the second are 255, [0, 1].
    Raises:
        UsageError: values outside their range, or options that exclude each other.
    """

    rule: Callable[..., np.ndarray] = argmax
    refine: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    normalise: str = "joint"
    background: int = -1
    forbidden: int = -1
    threshold: float = 0.3
    threshold_low: float | None = None
    power: float | None = None
    ignore_margin: float = 0.0

    def __post_init__(self) -> None:
        for value, what in (
            (self.threshold, "background threshold"),
            (self.threshold_low, "lower background threshold"),
            (self.ignore_margin, "ignore margin"),
        ):
            if value is not None and not 0 <= value <= 1:
                raise UsageError(f"the {what} lies in [0, 1], not {value:g}")
        if self.power is not None and not self.power > 0:
            raise UsageError(f"the background power must be above 0, not {self.power:g}")
        if self.threshold_low is not None:
            if self.power is not None:
                raise UsageError("a background power and a lower background threshold exclude each other")
            if self.threshold_low > self.threshold:
                raise UsageError(
                    f"the lower background threshold {self.threshold_low:g} is above {self.threshold:g}"
                )

    def label_map(
        self, maps: np.ndarray, class_ids: np.ndarray, size: tuple[int, int], image: np.ndarray | None = None
    ) -> np.ndarray:
        """The label map of one image.

        Args:
            maps: (K, h, w) score maps.
            class_ids: (K,).
            size: (H, W) of the image.
            image: (H, W, 3) uint8; needed only where there is a refiner.
        Returns:
            (H, W) uint8 class ids; 255 where nothing is said.

        Raises:
            BadInputError: maps that are not finite, or an image of another size.
        """
        ids = np.asarray(class_ids, np.int64)
        kept = ids != self.forbidden if self.forbidden >= 0 else np.ones(len(ids), bool)
        ids = ids[kept]
        scores = resize(normalise(maps[kept], self.normalise), size)
        if self.background < 0 or self.background in ids:
            return self._decided(scores, ids, image)
        ids = np.concatenate([[self.background], ids])
        if self.power is not None:
            return self._decided(power_background(scores, self.power), ids, image)
        labels = self._decided(constant_background(scores, self.threshold), ids, image)
        if self.threshold_low is None:
            return labels
        low = self._decided(constant_background(scores, self.threshold_low), ids, image)
        return agreed(labels, low, self.background)

    def _decided(self, scores: np.ndarray, ids: np.ndarray, image: np.ndarray | None) -> np.ndarray:
        if self.refine is not None and len(ids):
            assert image is not None
            scores = self.refine(scores, image)
        labels = self.rule(scores, ids, self.background)
        return ignore_band(labels, scores, self.ignore_margin)
