"""RandAugment on two copies of an image: all operations for one, the geometric ones alone for the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from wsstool.data.augmentation.crops import PAPER
from wsstool.errors import UsageError

SPATIAL = ("rotate", "shear-x", "shear-y", "translate-x", "translate-y")
COLOR = (
    "autocontrast",
    "equalize",
    "invert",
    "posterize",
    "solarize",
    "solarize-add",
    "saturation",
    "contrast",
    "brightness",
    "sharpness",
)
OPERATIONS = (*COLOR, *SPATIAL)

MAX_MAGNITUDE = 10.0
DEVIATION = 0.5
PROBABILITY = 0.5
LAYERS = 2


@dataclass(frozen=True)
class RandAugment:
    """Two operations out of ``OPERATIONS``, drawn with replacement, each applied with probability 0.5.

    The magnitude of each is drawn from N(magnitude, 0.5) and clipped to [0, 10]; every operation changes the
    image more the larger it is. Rotation, shear, translation and the four enhancements go in either direction
    with equal probability.

    Args:
        magnitude: mean magnitude, [0, 10].

    Raises:
        UsageError: a magnitude outside its range.

    Source:
        Cubuk et al., CVPRW 2020, with the increasing magnitudes and the noise that are common in training
        transformers (``rand-m9-mstd0.5-inc1``). Written from the paper and a description of the program.
    """

    magnitude: float

    def __post_init__(self) -> None:
        if not 0 <= self.magnitude <= MAX_MAGNITUDE:
            raise UsageError(f"RandAugment magnitude {self.magnitude:g} is not in [0, {MAX_MAGNITUDE:g}]")

    def __call__(
        self, student: np.ndarray, teacher: np.ndarray | None, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Augment an image, and a copy of it that differs in nothing but colour, if there is one.

        The geometry is the same for both; the interpolation filters, bilinear or bicubic, are drawn for each.

        Args:
            student: (H,W,3) uint8 RGB.
            teacher: the copy, or None.
            rng: the only source of randomness; always draws the same numbers in the same order.

        Returns:
            Two (H,W,3) uint8, or one and None; outside the image they have the mean colour of photographs.
        """
        names = rng.integers(len(OPERATIONS), size=LAYERS)
        magnitudes = rng.normal(self.magnitude, DEVIATION, LAYERS).clip(0, MAX_MAGNITUDE).tolist()
        draws = rng.random((LAYERS, 4))
        first, second = Image.fromarray(student), None if teacher is None else Image.fromarray(teacher)
        for number, magnitude, (applied, sign, *filters) in zip(names, magnitudes, draws, strict=True):
            if applied >= PROBABILITY:
                continue
            name, signed = OPERATIONS[number], magnitude if sign < 0.5 else -magnitude
            if name in SPATIAL:
                own, other = (bool(draw < 0.5) for draw in filters)
                first = spatial(name, first, signed, bicubic=own)
                second = None if second is None else spatial(name, second, signed, bicubic=other)
            else:
                first = color(name, signed)(first)
        return np.array(first), None if second is None else np.array(second)


def spatial(name: str, image: Image.Image, signed: float, *, bicubic: bool = False) -> Image.Image:
    """Rotate, shear or translate an image by a signed magnitude.

    At magnitude 10: 30 degrees about the centre; a shear of 0.3 that keeps the top left corner; 45 % of the
    side.

    Args:
        name: one of ``SPATIAL``.
        image: RGB.
        signed: [-10, 10].
        bicubic: filter; else bilinear.
    """
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional

    share = signed / MAX_MAGNITUDE
    look = {
        "interpolation": InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR,
        "fill": list(PAPER),
    }
    if name == "rotate":
        return functional.rotate(image, 30 * share, **look)
    along_x = name.endswith("-x")
    shear = math.degrees(math.atan(0.3 * share)) if name.startswith("shear") else 0.0
    shift = 0.45 * share * image.size[0 if along_x else 1] if name.startswith("translate") else 0.0
    return functional.affine(
        image,
        angle=0.0,
        translate=[shift, 0.0] if along_x else [0.0, shift],  # type: ignore[arg-type]
        scale=1.0,
        shear=[shear, 0.0] if along_x else [0.0, shear],
        center=[0.0, 0.0],
        **look,
    )


def color(name: str, signed: float) -> Callable[[Image.Image], Image.Image]:
    """Return a colour operation of a signed magnitude.

    At magnitude m: ``posterize`` keeps 4 - 0.4 m bits, at least one; ``solarize`` inverts values from
    256 - 25.6 m on; ``solarize-add`` adds 11 m to values below 128; the enhancements blend with factor
    1 +- 0.09 m, at least 0.1. Only these use the sign.

    Args:
        name: one of ``COLOR``.
        signed: [-10, 10].
    """
    from torchvision.transforms.v2 import functional

    share = abs(signed) / MAX_MAGNITUDE
    factor = max(0.1, 1 + 0.9 * signed / MAX_MAGNITUDE)
    operations: dict[str, Callable[..., Any]] = {
        "autocontrast": functional.autocontrast,
        "equalize": functional.equalize,
        "invert": functional.invert,
        "posterize": partial(functional.posterize, bits=max(1, 4 - int(share * 4))),
        "solarize": partial(functional.solarize, threshold=256 - int(share * 256)),
        "solarize-add": partial(_solarize_add, added=int(share * 110)),
        "saturation": partial(functional.adjust_saturation, saturation_factor=factor),
        "contrast": partial(functional.adjust_contrast, contrast_factor=factor),
        "brightness": partial(functional.adjust_brightness, brightness_factor=factor),
        "sharpness": partial(functional.adjust_sharpness, sharpness_factor=factor),
    }
    return operations[name]


def _solarize_add(image: Image.Image, added: int) -> Image.Image:
    return image.point([min(255, v + added) if v < 128 else v for v in range(256)] * 3)
