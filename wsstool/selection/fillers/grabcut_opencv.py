"""OpenCV's GrabCut, for comparison."""

from __future__ import annotations

import numpy as np

from wsstool.errors import MissingInputError, UsageError
from wsstool.regions import pixel_bounds


def grabcut_opencv(
    size: tuple[int, int], box: np.ndarray, image: np.ndarray, *, iterations: int = 5
) -> np.ndarray:
    """Segment the object in a box by OpenCV's GrabCut, for comparison.

    Args:
        size, box, image: as in :func:`~wsstool.selection.fillers.grabcut.grabcut`.
        iterations: number of updates, at least 1.
    Returns:
        (h, w) uint8: 1 object, 0 not; empty if the box leaves no pixel for the background.

    Raises:
        MissingInputError: OpenCV is not installed.
        UsageError: no iterations.

    Source:
        Rother, Kolmogorov and Blake, SIGGRAPH 2004; ``cv2.grabCut``.
    """
    if not 1 <= iterations <= 100:
        raise UsageError(f"--set iterations={iterations}: give a number in [1, 100]")
    try:
        import cv2
    except ImportError:
        raise MissingInputError(
            "grabcut-opencv needs OpenCV, which is not installed: pip install 'wsstool[opencv]'"
        ) from None
    x0, y0, x1, y1 = pixel_bounds(box, size)
    if x1 <= x0 or y1 <= y0 or (x1 - x0, y1 - y0) == size[::-1]:
        return np.zeros(size, np.uint8)
    labels = np.zeros(size, np.uint8)
    cv2.setRNGSeed(0)  # OpenCV initialises its mixtures at random
    cv2.grabCut(
        np.ascontiguousarray(image[..., ::-1]),
        labels,
        (x0, y0, x1 - x0, y1 - y0),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        iterations,
        cv2.GC_INIT_WITH_RECT,
    )
    return ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
