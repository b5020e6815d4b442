"""Compose scenes: a background of photographs, and objects pasted through outlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from scipy import ndimage

from wsstool.data.sample.drawing import bundled_image, crop, grey, smooth_noise

_PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "camera", "hubble", "retina", "moon", "clock")


@dataclass(frozen=True)
class Thing:
    """One object of an image.

    Args:
        class_id: its class.
        visible: (H, W) bool, its unoccluded pixels.
        attributes: such as its colour, for sentences.
        sentences: each names this object and no other of the image.
    """

    class_id: int
    visible: np.ndarray
    attributes: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()


def background(generator: np.random.Generator, size: int, part: str) -> np.ndarray:
    """Return (size, size, 3): two photographs with a crooked boundary, each with its own lighting."""
    image = np.zeros((size, size, 3), np.float32)
    border = smooth_noise(generator, size, size / 5) > generator.normal(0.5, 0.5)
    for where in (border, ~border):
        name = str(generator.choice(_PHOTOGRAPHS))
        photograph = crop(generator, name, (size, size), generator.uniform(110, 220), part=part, turn=0.5)
        photograph = photograph * generator.uniform(0.7, 1.15) + generator.uniform(0, 0.12)
        # Some lose their colour, so that a grey object does not stand out.
        photograph += (grey(photograph)[..., None] - photograph) * generator.choice((0.0, 0.5, 1.0))
        image[where] = photograph[where]
    return image


def outline(generator: np.random.Generator, shape: str, size: int, part: str) -> np.ndarray:
    """Return (h, w) float32 in 0..1, the shape at a random rotation."""
    if shape == "horse":
        solid = _horse()
        if generator.random() < 0.5:
            solid = solid[:, ::-1]
        stretched = ndimage.zoom(
            solid, np.array([generator.uniform(0.85, 1.15), 1]) * 1.15 * size / solid.shape[1], order=1
        )
        return np.clip(ndimage.rotate(stretched, generator.uniform(-20, 20), order=1), 0, 1)
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2)
    angle, squeeze = generator.uniform(-np.pi, np.pi), generator.uniform(0.8, 1.0)
    u = x * np.cos(angle) + y * np.sin(angle)
    v = (y * np.cos(angle) - x * np.sin(angle)) / squeeze
    radius, theta = np.hypot(u, v), np.arctan2(v, u)
    if shape == "disc":
        inside = 0.8 - radius
    elif shape == "crate":
        inside = 0.66 - np.maximum(np.abs(u), np.abs(v) + 0.12 * u * generator.uniform(-1, 1))
    elif shape == "leaf":
        inside = 0.42 * np.clip(1 - (u / 0.98) ** 2, 0, 1) ** 0.8 - np.abs(v + 0.12 * np.sin(2 * u)) - 0.01
    elif shape == "star":
        inside = 0.62 + 0.28 * np.cos(5 * theta) - radius
    else:
        inside = 0.55 + 0.12 * np.sin(2 * theta + angle) + 0.1 * np.cos(3 * theta) - radius
    return np.clip(inside * size / 2 + 0.5, 0, 1).astype(np.float32)


def tinted(generator: np.random.Generator, values: np.ndarray, hue: float | None = None) -> np.ndarray:
    """Colour a grey surface in this hue (radians) or a random one, lit from one side: (h, w, 3)."""
    hue = generator.uniform(0, 2 * np.pi) if hue is None else hue
    strength = generator.uniform(0.12, 0.4)
    colour = 1 + strength * np.cos(hue + np.array([0, 2.094, 4.189], np.float32))
    rows, columns = values.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    direction = generator.uniform(0, 2 * np.pi)
    light = generator.uniform(0.8, 1.1) + 0.15 * (x * np.cos(direction) + y * np.sin(direction))
    return (values * light).astype(np.float32)[..., None] * colour


def place(generator: np.random.Generator, size: int, stamp: np.ndarray) -> tuple[int, int]:
    """Return row and column of the stamp's corner; a tenth of it may lie outside."""
    top, left = (
        int(generator.integers(-n // 10, max(size - n + n // 10, -n // 10 + 1))) for n in stamp.shape
    )
    return top, left


def lay(
    generator: np.random.Generator,
    image: np.ndarray,
    stamp: np.ndarray,
    surface: np.ndarray,
    corner: tuple[int, int],
) -> None:
    """Paste a surface through a stamp, with a shadow and a dark edge."""
    size, margin = image.shape[0], image.shape[0] // 16 + 2
    padded = np.pad(stamp, margin)
    shift = np.rint(generator.uniform(-size / 25, size / 25, 2)).astype(int) - margin
    shadow = ndimage.gaussian_filter(padded, size / 50, output=np.float32)
    shadow = on_canvas(size, shadow, (corner[0] + int(shift[0]), corner[1] + int(shift[1])))
    image *= 1 - generator.uniform(0.2, 0.5) * shadow[..., None]
    depth = ndimage.distance_transform_edt(padded > 0.5)[margin:-margin, margin:-margin]
    rim = 0.72 + 0.28 * np.clip(depth / (size / 45), 0, 1)
    alpha = on_canvas(size, stamp, corner)[..., None]
    image += alpha * (on_canvas(size, surface * rim[..., None].astype(np.float32), corner) - image)


def on_canvas(size: int, stamp: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
    """Return the stamp on an empty canvas (size, size, ...), cut at its border."""
    canvas = np.zeros((size, size, *stamp.shape[2:]), np.float32)
    (top, left), (rows, columns) = corner, stamp.shape[:2]
    inner = (slice(max(top, 0), min(top + rows, size)), slice(max(left, 0), min(left + columns, size)))
    canvas[inner] = stamp[
        inner[0].start - top : inner[0].stop - top, inner[1].start - left : inner[1].stop - left
    ]
    return canvas


@lru_cache(maxsize=1)
def _horse() -> np.ndarray:
    """Return the silhouette, (h, w) float32, tightly cropped."""
    solid = grey(bundled_image("horse")) < 0.5
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return solid[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
