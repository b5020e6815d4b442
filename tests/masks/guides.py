"""Refiners with what they read beside scores and image, made from the colours of the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from wsstool.prompts.segmenter import Prompt, PromptedImage
from wsstool.regions import Proposals, box_mask
from wsstool.registry import REFINERS


def with_guides(name: str, **own) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """A refiner as ``f(scores, image) -> scores``."""
    refine = REFINERS.load(name)
    made = {guide: make for guide, make in GUIDES.items() if REFINERS.takes(name, guide)}
    return lambda scores, image: refine(
        scores, image, **{guide: make(image) for guide, make in made.items()}, **own
    )


def regions_of(image: np.ndarray) -> Proposals:
    """One region per range of the first colour, and every superpixel of two columns of it."""
    colour = image.reshape(*image.shape[:2], -1)[:, :, 0].astype(int) // 60
    columns = np.broadcast_to(np.arange(image.shape[1]) // 2, colour.shape)
    superpixels = np.unique(colour * 1000 + columns, return_inverse=True)[1].reshape(colour.shape)
    count = superpixels.max() + 1
    rows = [(s, s, 1) for s in range(count)]
    for value in np.unique(colour):
        first, *rest = np.unique(superpixels[colour == value]).tolist()
        top = first
        for k, other in enumerate(rest):
            rows.append((top, other, int(k == len(rest) - 1)))
            top = count + len(rows) - 1
    return Proposals(superpixels.astype(np.uint16), np.array(rows, np.uint16))


def features_of(image: np.ndarray) -> np.ndarray:
    """One channel per range of the first colour, and a constant one."""
    colour = image.reshape(*image.shape[:2], -1)[:, :, 0].astype(int) // 60
    return np.stack([*(colour == value for value in range(5)), np.ones_like(colour)]).astype(np.float32)


class Colours:
    """A promptable segmenter: the mask of a prompt is the most frequent colour range of its box."""

    def __init__(self) -> None:
        self.encoded: list[tuple[int, ...]] = []
        self.prompts: list[Prompt] = []

    def encode(self, image: np.ndarray) -> np.ndarray:
        self.encoded.append(image.shape)
        return image[:, :, 0].astype(int) // 60

    def features(self, state: np.ndarray) -> np.ndarray:
        return np.stack([state == value for value in range(5)]).astype(np.float32)

    def masks(self, state: np.ndarray, prompts: Iterable[Prompt]) -> Iterator[tuple[np.ndarray, float]]:
        for prompt in prompts:
            self.prompts.append(prompt)
            inside = state[box_mask(prompt.box, state.shape)]
            yield state == np.bincount(inside).argmax(), 0.75


def segmenter_of(image: np.ndarray) -> PromptedImage:
    return PromptedImage(Colours(), image)


GUIDES = {"regions": regions_of, "features": features_of, "segmenter": segmenter_of}
