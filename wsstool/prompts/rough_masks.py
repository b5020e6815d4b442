"""Prompts derived from the rough mask of an object: points, a box that may grow, a Gaussian mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from wsstool.errors import UsageError
from wsstool.prompts.elastic_box import elastic_box
from wsstool.prompts.segmenter import Prompt, PromptedImage
from wsstool.regions import box_mask


@dataclass(frozen=True)
class RoughMaskPrompts:
    """Which prompts are derived from the rough mask of an object beside its box, after SAMRefiner.

    Args:
        points: one point on the object and one on the background, see ``distance_points``.
        elastic: the box grows where the features around it are those of the object, see ``elastic_box``.
        gaussian: a mask prompt, see ``gaussian_mask``.
        similarity: least cosine similarity of a feature of the object, [-1, 1]; for ``elastic``.
        strength: highest logit of the mask prompt, above 0; for ``gaussian``.
        span: width of the mask prompt, above 0; for ``gaussian``.

    Raises:
        UsageError: a value outside its range.

    Source:
        Lin et al., "SAMRefiner: Taming Segment Anything Model for Universal Mask Refinement", ICLR 2025:
        distance-guided points, context-aware elastic box and Gaussian-style mask. Written after the ideas of
        the paper, without its program: rules and constants are our own wherever the parts below define them,
        and nothing was compared with published outputs.
    """

    points: bool = True
    elastic: bool = True
    gaussian: bool = True
    similarity: float = 0.5
    strength: float = 30.0
    span: float = 4.0

    def __post_init__(self) -> None:
        if not -1 <= self.similarity <= 1:
            raise UsageError(f"sam needs a similarity in [-1, 1], not {self.similarity:g}")
        if not 0 < self.strength < math.inf or not 0 < self.span < math.inf:
            raise UsageError(f"sam needs strength and span above 0, not {self.strength:g} and {self.span:g}")

    def of(self, mask: np.ndarray, image: PromptedImage, box: np.ndarray | None = None) -> Prompt:
        """Derive the prompt of one object.

        Args:
            mask: (H, W) bool, not empty.
            image: its features are read for ``elastic`` only.
            box: (4,) xyxy in pixels; None: the bounding box of the mask.
        """
        box = bounding_box(mask) if box is None else box
        if self.elastic:
            box = elastic_box(mask, box, image.features, self.similarity)
        points, on_object = distance_points(mask, box)
        logits = gaussian_mask(mask, points[0], self.strength, self.span) if self.gaussian else None
        return Prompt(box, points, on_object, logits) if self.points else Prompt(box, mask=logits)


def bounding_box(mask: np.ndarray) -> np.ndarray:
    """Return the box around an (H, W) bool mask that is not empty: (4,) float32 xyxy, x1 and y1 outside.

    >>> bounding_box(np.array([[False, True, True, False]])).tolist()
    [1.0, 0.0, 3.0, 1.0]
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def distance_points(mask: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a point deep inside a mask, and one in its box far outside of it.

    The first is the pixel of the mask whose Euclidean distance to the nearest pixel outside the mask is
    largest; pixels beyond the border of the image are outside. The second is the pixel of the box, outside
    the mask, whose distance to the mask is largest; there is none if the mask fills the box.

    Args:
        mask: (H, W) bool, not empty.
        box: (4,) xyxy in pixels.

    Returns:
        (N, 2) float32 column and row, and (N,) bool, True for the first; of equal distances the first pixel
        in reading order.

    >>> distance_points(np.array([[True, True, True, False, False]]), np.array([0, 0, 4, 1]))[0].tolist()
    [[0.0, 0.0], [3.0, 0.0]]
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    found = [np.unravel_index(depth.argmax(), mask.shape)]
    outside = box_mask(box, mask.shape) & ~mask
    if outside.any():
        away = np.where(outside, ndimage.distance_transform_edt(~mask), -1)
        found.append(np.unravel_index(away.argmax(), mask.shape))
    points = np.array(found, np.float32)[:, ::-1]
    return points.copy(), np.arange(len(points)) == 0


def gaussian_mask(mask: np.ndarray, centre: np.ndarray, strength: float, span: float) -> np.ndarray:
    """Return the logits ``strength exp(-d^2 / (span A))`` in a mask, 0 outside.

    d is the distance of a pixel to the centre, A the area of the mask, both in pixels: the border of the
    mask, which is least certain, weighs less than its middle.

    Args:
        mask: (H, W) bool.
        centre: (2,) column and row.
        strength: logit at the centre.
        span: larger values fall more slowly towards the border.

    Returns:
        (H, W) float32.
    """
    rows, columns = np.arange(mask.shape[0])[:, None], np.arange(mask.shape[1])
    squared = (columns - centre[0]) ** 2 + (rows - centre[1]) ** 2
    fall = np.exp(-squared / (span * max(int(mask.sum()), 1)))
    return np.where(mask, strength * fall, 0).astype(np.float32)
