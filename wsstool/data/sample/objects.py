"""Objects in clutter: five classes of objects from photographs and textures, composed over photographs.

A class is a shape and a surface: coins are photographed coins, crates are squares of brick, horses are
silhouettes in fur, leaves are pointed and of grass, stars are of gravel. A class tends to one hue, but
distractors have every hue and the same shapes, with surfaces of no class (print, cells, retina). Light, size,
rotation and position are random, and objects occlude each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from wsstool.data.sample.drawing import bundled_image, crop, grey, relief, smooth_noise
from wsstool.types import ClassList

CLASSES = ClassList(
    ("background", "coin", "crate", "horse", "leaf", "star"),
    0,
    ((0, 0, 0), (230, 159, 0), (213, 94, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167)),
)

_PHOTOGRAPHS = ("astronaut", "coffee", "rocket", "camera", "hubble", "retina", "moon", "clock")
_SURFACES = {"crate": ("brick", 100.0), "leaf": ("grass", 90.0), "star": ("gravel", 130.0)}
_HUES = {"coin": -0.9, "crate": 0.7, "horse": -0.3, "leaf": -2.1, "star": 2.1}  # radians: red 0, green -2.1
_FUR = (0.32, 0.05, 1.0, 1.0)  # where chelsea is fur and not wall
_NEUTRAL = ("text", "page", "cell", "microaneurysms", "retina")
_SMALLEST = 0.5  # share of an object that must stay visible


@dataclass(frozen=True)
class Thing:
    """One object of an image.

    Args:
        class_id: its class.
        visible: (H, W) bool, its unoccluded pixels.
    """

    class_id: int
    visible: np.ndarray


def draw(generator: np.random.Generator, size: int, part: str) -> tuple[np.ndarray, np.ndarray, list[Thing]]:
    """Draw one image.

    Args:
        generator: the only source of randomness.
        size: rows and columns, pixels.
        part: ``train``, ``val`` or ``test``: which raw material may be used.

    Returns:
        image (size, size, 3) uint8, mask (size, size) uint8 class ids, and the objects in drawing order.
    """
    image = _background(generator, size, part)
    for _ in range(generator.integers(0, 4)):
        shape = str(generator.choice(("disc", "crate", "leaf", "star", "blob")))
        name = str(generator.choice(_NEUTRAL))
        stamp = _outline(generator, shape, round(size * generator.uniform(0.15, 0.32)), part)
        surface = crop(generator, name, stamp.shape, 110.0, part=part)
        _lay(
            generator,
            image,
            stamp,
            _tinted(generator, relief(generator, surface)),
            _place(generator, size, stamp),
        )
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


def _background(generator: np.random.Generator, size: int, part: str) -> np.ndarray:
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
        return np.clip(turned[1] * 2 - 0.5, 0, 1), _tinted(generator, turned[0], hue)
    stamp = _outline(generator, name, size, part)
    if name == "horse":
        fur = crop(generator, "chelsea", stamp.shape, 70.0, part=part, within=_FUR)
        return stamp, _tinted(generator, relief(generator, fur), hue)
    source, window = _SURFACES[name]
    texture = relief(
        generator, crop(generator, source, stamp.shape, window * generator.uniform(0.8, 1.25), part=part)
    )
    return stamp, _tinted(generator, texture, hue)


def _outline(generator: np.random.Generator, shape: str, size: int, part: str) -> np.ndarray:
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


def _tinted(generator: np.random.Generator, values: np.ndarray, hue: float | None = None) -> np.ndarray:
    """Colour a grey surface in this hue (radians) or a random one, lit from one side: (h, w, 3)."""
    hue = generator.uniform(0, 2 * np.pi) if hue is None else hue
    strength = generator.uniform(0.12, 0.4)
    colour = 1 + strength * np.cos(hue + np.array([0, 2.094, 4.189], np.float32))
    rows, columns = values.shape
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    direction = generator.uniform(0, 2 * np.pi)
    light = generator.uniform(0.8, 1.1) + 0.15 * (x * np.cos(direction) + y * np.sin(direction))
    return (values * light).astype(np.float32)[..., None] * colour


def _place(generator: np.random.Generator, size: int, stamp: np.ndarray) -> tuple[int, int]:
    """Return row and column of the stamp's corner; a tenth of it may lie outside."""
    top, left = (
        int(generator.integers(-n // 10, max(size - n + n // 10, -n // 10 + 1))) for n in stamp.shape
    )
    return top, left


def _lay(
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
    shadow = _on_canvas(size, shadow, (corner[0] + int(shift[0]), corner[1] + int(shift[1])))
    image *= 1 - generator.uniform(0.2, 0.5) * shadow[..., None]
    depth = ndimage.distance_transform_edt(padded > 0.5)[margin:-margin, margin:-margin]
    rim = 0.72 + 0.28 * np.clip(depth / (size / 45), 0, 1)
    alpha = _on_canvas(size, stamp, corner)[..., None]
    image += alpha * (_on_canvas(size, surface * rim[..., None].astype(np.float32), corner) - image)


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
        corner = _place(generator, image.shape[0], stamp)
        own = _on_canvas(image.shape[0], stamp, corner) > 0.5
        left = [Thing(t.class_id, t.visible & ~own) for t in things]
        kept = all(
            b.visible.sum() >= (1 - (1 - _SMALLEST) / 2) * a.visible.sum()
            for a, b in zip(things, left, strict=True)
        )
        if kept and own.sum() >= _SMALLEST * (stamp > 0.5).sum():
            _lay(generator, image, stamp, surface, corner)
            return [*left, Thing(class_id, own)]
    return things


def _on_canvas(size: int, stamp: np.ndarray, corner: tuple[int, int]) -> np.ndarray:
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
