"""Two views of an image with the same geometry: a noisy one to learn from, a clean one to label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wsstool.data.augmentation.erasing import RandomErasing
from wsstool.data.augmentation.rand_augment import RandAugment
from wsstool.data.augmentation.transforms import RandomResizedCrop


@dataclass(frozen=True)
class PairedViews:
    """A crop, RandAugment and random erasing for the student; for the teacher their geometry alone.

    Crop, flips, rotation, shear and translation are drawn once, so that a pixel of both views shows the same
    place of the image.

    Args:
        crop: draws the crop; its colour jitter is for the student.
        rand_augment: None: none.
        erasing: None: none.
        teacher: ``clean``, or ``full``: the teacher sees what the student sees.

    Source:
        Zhao et al., ICCV 2023, section 3.3. Written from a description of the program.
    """

    crop: RandomResizedCrop
    rand_augment: RandAugment | None = None
    erasing: RandomErasing | None = None
    teacher: Literal["clean", "full"] = "clean"

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the student's view alone: (H,W,3) uint8 -> (S,S,3) uint8."""
        return self._drawn(image, rng, with_clean=False)[0]

    def pair(self, image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw the student's and the teacher's view.

        Args:
            image: (H,W,3) uint8 RGB.
            rng: the only source of randomness.

        Returns:
            Two (S,S,3) uint8.
        """
        student, clean = self._drawn(image, rng, with_clean=self.teacher == "clean")
        return student, student if clean is None else clean

    def _drawn(
        self, image: np.ndarray, rng: np.random.Generator, *, with_clean: bool
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Draw the student's view and, if asked for, its clean copy; the draws are the same."""
        student, crop = self.crop.pair(image, rng)
        clean = crop if with_clean else None
        if self.rand_augment is not None:
            student, clean = self.rand_augment(student, clean, rng)
        if self.erasing is not None:
            student = self.erasing(student, rng)
        return student, clean
