"""Objects in clutter: five classes of objects from photographs and textures, composed over photographs.

A class is a shape and a surface: coins are photographed coins, crates are squares of brick, horses are
silhouettes in fur, leaves are pointed and of grass, stars are of gravel. A class tends to one hue, but
distractors have every hue and the same shapes, with surfaces of no class (print, cells, retina). Light, size,
rotation and position are random, and objects occlude each other.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import ndimage

from wsstool.data.sample.composition import (
    Thing,
    background,
    lay,
    on_canvas,
    outline,
    place,
    tinted,
)
from wsstool.data.sample.drawing import bundled_image, crop, grey, relief, smooth_noise
from wsstool.types import ClassList

CLASSES = ClassList(
    ("background", "coin", "crate", "horse", "leaf", "star"),
    0,
    ((0, 0, 0), (230, 159, 0), (213, 94, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167)),
)

_SURFACES = {"crate": ("brick", 100.0), "leaf": ("grass", 90.0), "star": ("gravel", 130.0)}
_HUES = {"coin": -0.9, "crate": 0.7, "horse": -0.3, "leaf": -2.1, "star": 2.1}  # radians: red 0, green -2.1
_FUR = (0.32, 0.05, 1.0, 1.0)  # where chelsea is fur and not wall
_NEUTRAL = ("text", "page", "cell", "microaneurysms", "retina")
_SMALLEST = 0.5  # share of an object that must stay visible


def draw(generator: np.random.Generator, size: int, part: str) -> tuple[np.ndarray, np.ndarray, list[Thing]]:
    """Draw one image.

    Args:
        generator: the only source of randomness.
        size: rows and columns, pixels.
        part: ``train``, ``val`` or ``test``: which raw material may be used.

    Returns:
        image (size, size, 3) uint8, mask (size, size) uint8 class ids, and the objects in drawing order.
    """
    image = background(generator, size, part)
    for _ in range(generator.integers(0, 4)):
        shape = str(generator.choice(("disc", "crate", "leaf", "star", "blob")))
        name = str(generator.choice(_NEUTRAL))
        stamp = outline(generator, shape, round(size * generator.uniform(0.15, 0.32)), part)
        surface = relief(generator, crop(generator, name, stamp.shape, 110.0, part=part))
        lay(generator, image, stamp, tinted(generator, surface), place(generator, size, stamp))
    things: list[Thing] = []
    for _ in range(generator.choice((1, 2, 3), p=(0.35, 0.4, 0.25))):
        name = str(generator.choice(CLASSES.names[1:]))
        stamp, surface = _cut_out(generator, name, round(size * generator.uniform(0.42, 0.62)), part)
        things = _lay_visibly(generator, image, stamp, surface, CLASSES.names.index(name), things)
    image *= 1 + 0.07 * smooth_noise(generator, size, size / 3)[..., None]
    image += generator.normal(0, 0.015, image.shape)
    mask = np.zeros((size, size), np.uint8)
    for thing in things:
        mask[thing.visible] = thing.class_id
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), mask, things


def _cut_out(
    generator: np.random.Generator, name: str, size: int, part: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return outline (h, w) float32 in 0..1 and surface (h, w, 3) of an object of a class."""
    hue = _HUES[name] + generator.normal(0, 0.5)
    if name == "coin":
        coins = _coins(part)
        coin, inside = coins[generator.integers(len(coins))]
        angle = generator.uniform(0, 360)
        zoom = 0.85 * size / max(coin.shape)
        turned = [
            ndimage.rotate(ndimage.zoom(a, zoom, order=1), angle, reshape=True, order=1)
            for a in (coin, inside)
        ]
        return np.clip(turned[1] * 2 - 0.5, 0, 1), tinted(generator, turned[0], hue)
    stamp = outline(generator, name, size, part)
    if name == "horse":
        fur = crop(generator, "chelsea", stamp.shape, 70.0, part=part, within=_FUR)
        return stamp, tinted(generator, relief(generator, fur), hue)
    source, window = _SURFACES[name]
    texture = relief(
        generator, crop(generator, source, stamp.shape, window * generator.uniform(0.8, 1.25), part=part)
    )
    return stamp, tinted(generator, texture, hue)


def _lay_visibly(
    generator: np.random.Generator,
    image: np.ndarray,
    stamp: np.ndarray,
    surface: np.ndarray,
    class_id: int,
    things: list[Thing],
) -> list[Thing]:
    """Place an object where all objects stay visible enough; skip it if there is no such place."""
    for _ in range(20):
        corner = place(generator, image.shape[0], stamp)
        own = on_canvas(image.shape[0], stamp, corner) > 0.5
        left = [Thing(t.class_id, t.visible & ~own) for t in things]
        kept = all(
            b.visible.sum() >= (1 - (1 - _SMALLEST) / 2) * a.visible.sum()
            for a, b in zip(things, left, strict=True)
        )
        if kept and own.sum() >= _SMALLEST * (stamp > 0.5).sum():
            lay(generator, image, stamp, surface, corner)
            return [*left, Thing(class_id, own)]
    return things


@lru_cache(maxsize=3)
def _coins(part: str) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the photographed coins of a part: grey values and outline, both (h, w) float32."""
    values = grey(bundled_image("coins"))
    light = values - ndimage.gaussian_filter(values, 60)
    solid = ndimage.binary_fill_holes(ndimage.binary_opening(light > 0.06, iterations=2))
    numbered, _ = ndimage.label(solid)
    found = []
    for i, (rows, columns) in enumerate(ndimage.find_objects(numbered), 1):
        height, width = rows.stop - rows.start, columns.stop - columns.start
        inside = numbered[rows, columns] == i
        # Whole coins only: roughly round, and as full as a disc.
        if min(height, width) > 30 and max(height, width) < 75 and 0.72 < inside.mean() < 0.86:
            is_train = (columns.start + columns.stop) / 2 < 0.6 * values.shape[1]
            if is_train == (part == "train"):
                y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
                found.append((values[rows, columns], (np.hypot(y, x) < 0.97).astype(np.float32)))
    return found
