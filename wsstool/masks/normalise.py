"""Scale raw activation maps to [0, 1], so that thresholds mean the same in every image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wsstool.errors import BadInputError, UsageError
from wsstool.masks.resize import Part, resize

_BAND = 1 << 24  #: values that are enlarged at a time to find their extremes

MODES = ("joint", "class", "minmax", "probability", "none")


def normalise(maps: np.ndarray, mode: str = "class") -> np.ndarray:
    """Scale the maps of one image to [0, 1].

    Args:
        maps: (K, h, w), raw scale, finite.
        mode: one of ``MODES``. ``joint``: ReLU, divided by the maximum over all classes and pixels; classes
            stay comparable, so a weak class may win nowhere. ``class``: ReLU, each class divided by its own
            maximum, the usual choice when the tags are known to be correct: every tag gets its best pixel.
            ``minmax``: (x - min) / (max - min) over the whole stack, for maps with meaningful negative
            values. ``probability``: ReLU, divided by the sum over the classes of the pixel. ``none``:
            clipped to [0, 1] and otherwise unchanged.

    Returns:
        (K, h, w) float32 in [0, 1]. A map (or stack) without any positive value gives zeros; so does a
        constant stack with ``minmax``.

    Raises:
        BadInputError: a value is NaN or infinite.
        UsageError: unknown mode.

    Source:
        ReLU and division by the maximum: Zhou et al., CVPR 2016; per class with known tags: Ahn and Kwak,
        CVPR 2018. Written from the papers.

    Example:
        >>> import numpy as np
        >>> normalise(np.array([[[4.0, -1.0]], [[1.0, 2.0]]]), "joint")[:, 0].tolist()
        [[1.0, 0.0], [0.25, 0.5]]
    """
    if mode not in MODES:
        raise UsageError(f"no normalisation '{mode}'; there are: {', '.join(MODES)}")
    maps = np.asarray(maps, np.float32)
    if not np.isfinite(maps).all():
        raise BadInputError("the score maps contain NaN or infinite values")
    if maps.size == 0 or mode == "none":
        return maps.clip(0, 1)
    if mode == "minmax":
        low = maps.min()
        return _divided(maps - low, maps.max() - low)
    maps = np.maximum(maps, 0)
    if mode == "probability":
        return _divided(maps, maps.sum(0))
    return _divided(maps, maps.max((1, 2), keepdims=True) if mode == "class" else maps.max())


def usual_mode(refine: str | Sequence[str] | None, suited: str | None = None, *, gated: bool = False) -> str:
    """Return the mode that ``auto`` stands for.

    Args:
        refine: name of the refiner that follows, of several the first, or None.
        suited: mode for maps on a scale of their own, such as probabilities; None: any scale.
        gated: the rule uses tags.
    """
    if suited is not None:
        return suited
    if gated:
        return "minmax"
    first = refine if isinstance(refine, str) or not refine else refine[0]
    return "class" if first == "crf" else "joint"


def scores_at(maps: np.ndarray, mode: str, size: tuple[int, int]) -> np.ndarray:
    """Return the normalised maps at the size of the image.

    Args:
        maps: (K, h, w), raw scale, finite.
        mode: as for ``normalise``.
        size: (H, W), pixels.
    Returns:
        (K, H, W) float32 in [0, 1].

    Raises:
        BadInputError, UsageError: as ``normalise``.

    Notes:
        Maps are normalised before they are resized, except for ``minmax``: resizing loses extremes between
        cell centres, and a scale defined by both extremes must reach them.

    Example:
        >>> import numpy as np
        >>> thirds = 3 * scores_at(np.array([[[5.0, 1.0, 5.0]]]), "minmax", (1, 6))[0]
        >>> thirds.round().astype(int).tolist()
        [[3, 2, 0, 0, 2, 3]]
    """
    return Scores.of(maps, mode, size).at()


@dataclass(frozen=True)
class Scores:
    """Normalised maps that are enlarged to the image part by part; all of it is ``scores_at``.

    Attributes:
        maps: (K, h, w) float32, normalised unless ``low`` is given.
        size: (H, W), pixels.
        low: what is subtracted after resizing, or None.
        span: by what the rest is divided then.
    """

    maps: np.ndarray
    size: tuple[int, int]
    low: np.ndarray | None = None
    span: np.ndarray | None = None

    @classmethod
    def of(cls, maps: np.ndarray, mode: str, size: tuple[int, int]) -> Scores:
        """Normalise maps; arguments as in ``scores_at``.

        Raises:
            BadInputError, UsageError: see ``normalise``.
        """
        if mode != "minmax" or not maps.size:
            return cls(normalise(maps, mode), size)
        normalise(maps, "none")  # refuses what is not finite
        columns, step = size[1], max(1, _BAND // (size[1] * len(maps)))
        bands = ((top, 0, min(step, size[0] - top), columns) for top in range(0, size[0], step))
        ends = [(band.min(), band.max()) for band in (resize(maps, size, part) for part in bands)]
        low, high = min(one for one, _ in ends), max(one for _, one in ends)
        return cls(np.asarray(maps, np.float32), size, np.asarray(low), np.asarray(high - low))

    def at(self, part: Part | None = None) -> np.ndarray:
        """Return the scores of a part, or of all pixels, (K, rows, columns) float32 in [0, 1]."""
        values = resize(self.maps, self.size, part)
        if self.low is None or self.span is None:
            return values
        return _divided(values - self.low, self.span)


def _divided(maps: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Return ``maps / by``, and zeros where ``by`` is 0 (or so small that dividing would overflow)."""
    tiny = np.finfo(np.float32).tiny
    return np.where(by > tiny, maps / np.maximum(by, tiny), np.float32(0)).astype(np.float32)
