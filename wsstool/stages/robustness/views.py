"""Images as a network sees them under each condition, and their ground truth moved along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from wsstool.corruptions import corrupt, moved
from wsstool.stages.inputs.corruption import textures_of
from wsstool.stages.options.scoring import RobustnessOptions
from wsstool.stages.robustness.conditions import CLEAN, Condition


@dataclass(frozen=True)
class Views:
    """How images are corrupted and resized.

    Attributes:
        image_size: short side after resizing with bicubic interpolation; None: images as they are.
        crop: cut out the central square.
        at: corrupt before (``native``) or after (``input``) resizing.
        seed: of the corruptions.
        textures: folder of photographs of frost; empty: those of the installed package.
    """

    image_size: int | None = None
    crop: bool = False
    at: str = "native"
    seed: int = 0
    textures: str = ""

    def image(self, image: np.ndarray, name: str, condition: Condition) -> np.ndarray:
        """(H, W, 3) uint8 -> (h, w, 3) uint8; ``name`` is the path in the data folder."""
        if condition == CLEAN:
            return self._fitted(image)
        if self.at == "native":
            return self._fitted(self._corrupted(image, name, condition))
        return self._corrupted(self._fitted(image), name, condition)

    def truth(self, mask: np.ndarray, name: str, condition: Condition) -> np.ndarray:
        """(H, W) uint8 ground truth, moved where the corruption moves objects."""
        if condition == CLEAN:
            return mask
        size = self.corrupted_size((mask.shape[0], mask.shape[1]))
        return moved(mask, *condition, image_name=name, seed=self.seed, drawn_at=size)

    @classmethod
    def of(cls, options: RobustnessOptions) -> Views:
        """Return what the options ask for."""
        at = options.corrupt_at if options.image_size else "native"
        is_cropped = options.crop and options.image_size is not None
        return cls(options.image_size, is_cropped, at, options.seed, str(options.frost or ""))

    def input_sizes(self, sizes: np.ndarray) -> np.ndarray:
        """Return the (N, 2) rows and columns that the network sees of images of ``sizes``."""
        if self.image_size is None:
            return sizes
        found = [self._input_size((rows, columns)) if rows else (0, 0) for rows, columns in sizes.tolist()]
        return np.array(found, np.int32).reshape(-1, 2)

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.image_size is None:
            return size
        return (self.image_size, self.image_size) if self.crop else fitted_size(size, self.image_size)

    def corrupted_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the rows and columns at which an image of ``size`` is corrupted."""
        return size if self.at == "native" else self._input_size(size)

    def _corrupted(self, image: np.ndarray, name: str, condition: Condition) -> np.ndarray:
        own = textures_of(condition.name, self.textures)
        return corrupt(image, *condition, image_name=name, seed=self.seed, **own)

    def _fitted(self, image: np.ndarray) -> np.ndarray:
        if self.image_size is None:
            return image
        rows, columns = fitted_size((image.shape[0], image.shape[1]), self.image_size)
        if (rows, columns) != image.shape[:2]:
            image = np.array(Image.fromarray(image).resize((columns, rows), Image.Resampling.BICUBIC))
        if not self.crop:
            return image
        top, left = (round((side - self.image_size) / 2) for side in (rows, columns))
        return image[top : top + self.image_size, left : left + self.image_size]


def fitted_size(size: tuple[int, int], short: int) -> tuple[int, int]:
    """Return rows and columns with the short side ``short``; the long side is rounded down.

    >>> fitted_size((300, 401), 224), fitted_size((401, 300), 224)
    ((224, 299), (299, 224))
    """
    rows, columns = size
    if rows <= columns:
        return short, max(short, short * columns // rows)
    return max(short, short * rows // columns), short
