"""Scenes for referring segmentation: several objects share a kind, and sentences tell them apart.

Objects differ in colour, size, texture and place. Each has one to four sentences that name it and no other:
with attributes, absolute and relative places, ordinals, superlatives and negation, in different words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from wsstool.data.sample.composition import Thing, background, lay, on_canvas, outline
from wsstool.data.sample.drawing import crop, grey, smooth_noise
from wsstool.data.sample.referring.lexicon import COLOURS, KINDS, SIZES, TEXTURES
from wsstool.data.sample.referring.meaning import Item
from wsstool.data.sample.referring.sentences import describe
from wsstool.types import ClassList

CLASSES = ClassList(
    ("background", *KINDS),
    0,
    ((0, 0, 0), (230, 159, 0), (213, 94, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167)),
)

_OUTLINES = {"ball": "disc"}  # the other kinds have the name of their outline
_SIDES = {"small": (0.24, 0.3), "large": (0.42, 0.5)}  # of an outline, as a share of the image
_GRAINS = ("brick", "grass", "gravel")
_FEWEST = 4  # pixels of an object
_TRIES = 40


@dataclass(frozen=True)
class _Body:
    """An object before it is painted: its outline and where it goes."""

    item: Item
    stamp: np.ndarray
    corner: tuple[int, int]
    visible: np.ndarray


def draw(generator: np.random.Generator, size: int, part: str) -> tuple[np.ndarray, np.ndarray, list[Thing]]:
    """Draw one image.

    Args:
        generator: the only source of randomness.
        size: rows and columns, pixels.
        part: ``train``, ``val`` or ``test``: which raw material may be used.

    Returns:
        image (size, size, 3) uint8, mask (size, size) uint8 class ids, and the objects. At least two objects
        of one kind have sentences.
    """
    while True:
        shared = str(generator.choice(list(KINDS)))
        bodies = _placed(generator, _planned(generator, shared), size, part)
        items = [body.item for body in bodies]
        texts = [describe(generator, items, k, int(generator.integers(2, 5))) for k in range(len(items))]
        if sum(bool(text) and item.kind == shared for text, item in zip(texts, items, strict=True)) >= 2:
            break
    image = background(generator, size, part)
    mask = np.zeros((size, size), np.uint8)
    things = []
    for body, text in zip(bodies, texts, strict=True):
        lay(generator, image, body.stamp, _surface(generator, body, part), body.corner)
        class_id = CLASSES.names.index(body.item.kind)
        mask[body.visible] = class_id
        words = {name: getattr(body.item, name) for name in ("colour", "texture", "size")}
        things.append(Thing(class_id, body.visible, words, text))
    image *= 1 + 0.05 * smooth_noise(generator, size, size / 3)[..., None]
    image += generator.normal(0, 0.015, image.shape)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8), mask, things


def _planned(generator: np.random.Generator, shared: str) -> list[Item]:
    """Return two or three objects of one kind and up to one other; a third repeats a colour."""
    others = [str(generator.choice(list(KINDS))) for _ in range(generator.integers(0, 2))]
    planned: list[Item] = []
    for kind in [shared] * int(generator.integers(2, 4)) + others:
        colour, texture, size = (str(generator.choice(list(words))) for words in (COLOURS, TEXTURES, SIZES))
        if planned and generator.random() < 0.3:
            colour = planned[generator.integers(len(planned))].colour
        planned.append(Item(kind, colour, texture, size, 0.5, 0.5, 0.0))
    return planned


def _placed(generator: np.random.Generator, planned: list[Item], size: int, part: str) -> list[_Body]:
    """Return the objects at places where none covers another, the large ones first; some may find none."""
    bodies: list[_Body] = []
    taken = np.zeros((size, size), bool)
    for item in sorted(planned, key=lambda one: one.size != "large"):
        side = round(size * generator.uniform(*_SIDES[item.size]))
        stamp = outline(generator, _OUTLINES.get(item.kind, item.kind), side, part)
        if max(stamp.shape) > size:
            continue
        for _ in range(_TRIES):
            top, left = (int(generator.integers(0, size - n + 1)) for n in stamp.shape)
            visible = on_canvas(size, stamp, (top, left)) > 0.5
            if visible.sum() >= _FEWEST and not (visible & taken).any():
                taken |= ndimage.binary_dilation(visible, iterations=max(1, size // 48))
                bodies.append(_Body(_seen(item, visible), stamp, (top, left), visible))
                break
    return bodies


def _seen(item: Item, visible: np.ndarray) -> Item:
    """Return the object with centre and area of its pixels."""
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    height, width = visible.shape
    y, x = (rows[0] + rows[-1] + 1) / 2 / height, (columns[0] + columns[-1] + 1) / 2 / width
    return replace(item, x=float(x), y=float(y), area=float(visible.mean()))


def _surface(generator: np.random.Generator, body: _Body, part: str) -> np.ndarray:
    """Return (h, w, 3): the colour of an object with grain, pattern and light from one side."""
    rows, columns = shape = body.stamp.shape
    grain = grey(crop(generator, str(generator.choice(_GRAINS)), shape, 100.0, part=part))
    values = 0.85 + 0.12 * (grain - grain.mean()) / (grain.std() + 1e-3)
    values *= 1 - 0.7 * _pattern(generator, body.item.texture, shape)
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    direction = generator.uniform(0, 2 * np.pi)
    light = generator.uniform(0.9, 1.1) + 0.12 * (x * np.cos(direction) + y * np.sin(direction))
    colour = np.array(COLOURS[body.item.colour]) + generator.normal(0, 0.03, 3)
    return np.clip((values * light)[..., None] * colour, 0, 1).astype(np.float32)


def _pattern(generator: np.random.Generator, texture: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return (h, w) in 0..1, 1 where the pattern is dark."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = generator.uniform(-np.pi, np.pi)
    period = max(4.0, max(shape) / generator.uniform(4.0, 5.5))
    u = (columns * np.cos(angle) + rows * np.sin(angle)) * 2 * np.pi / period
    v = (rows * np.cos(angle) - columns * np.sin(angle)) * 2 * np.pi / period
    if texture == "plain":
        return np.zeros(shape, np.float32)
    waves = {
        "striped": np.sin(u),
        "checkered": np.sin(u) * np.sin(v),
        "spotted": (np.cos(u) + np.cos(v)) / 2 - 0.3,
    }
    return np.clip(waves[texture] * 4 + 0.5, 0, 1)
