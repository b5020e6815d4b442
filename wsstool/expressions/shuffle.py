"""Give every object the sentences of other images: what a network scores then, it scores without reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from wsstool.errors import UsageError
from wsstool.expressions.expression import Expression


def shuffled(rows: Sequence[Expression], seed: int) -> tuple[tuple[Expression, ...], list[str]]:
    """Exchange the sentences between images, at random within each data set and split.

    Every object keeps its place, its ids and the number of its sentences; each of these comes from another
    image. No sentence is lost and none is doubled, so that length and vocabulary stay what they are.

    Args:
        rows: the objects.
        seed: of the exchange; the same seed gives the same sentences.

    Returns:
        The objects, and the names of the data sets and splits whose sentences stay where they are, since one
        image has more than half of them.

    Raises:
        UsageError: all sentences would stay where they are.
    """
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    texts = [[*row.sentences] for row in rows]
    parts = dict.fromkeys((row.dataset, row.split) for row in rows)
    for part in parts:
        places = [
            (i, k)
            for i, row in enumerate(rows)
            if (row.dataset, row.split) == part
            for k in range(len(row.sentences))
        ]
        image = np.unique([rows[i].image for i, _ in places], return_inverse=True)[1]
        if 2 * np.bincount(image).max() > len(image):
            kept.append(" ".join(name for name in part if name) or "all")
            continue
        order = _exchanged(image, rng)
        for (i, k), source in zip(places, order, strict=True):
            j, other = places[source]
            texts[i][k] = rows[j].sentences[other]
    if len(kept) == len(parts):
        raise UsageError("--shuffle: in every split one image has more than half of the sentences")
    made = zip(rows, texts, strict=True)
    return tuple(replace(row, sentences=tuple(own), sentence_ids=()) for row, own in made), kept


def _exchanged(image: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Return a random order in which no place has an entry of its own image.

    Args:
        image: (n,) number of the image of each place; none has more than half of them.
        rng: source of randomness.
    """
    order = rng.permutation(len(image))
    for place in range(len(image)):
        own = image[order[place]]
        if own == image[place]:
            others = np.flatnonzero((image[order] != own) & (image != own))
            other = rng.choice(others)
            order[[place, other]] = order[[other, place]]
    return [int(one) for one in order]
