"""Background thresholds from the class maps of a sample of the data set, equal for all its shards."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.masks.background import ThresholdFromScores
from wsstool.masks.normalise import MODES, normalise
from wsstool.stages.records import OutputOptions

THRESHOLDS = "background_thresholds"
"""Attribute of a shard's ``cam`` file: the thresholds of its whole data set."""

SAMPLE = 300
"""Images from which a threshold is chosen; of a smaller data set, all."""

Thresholds = dict[str, list[float | None]]
"""Normalisation -> threshold of each layer; None: no score is above 0."""


def sample_of(names: Sequence[str]) -> list[int]:
    """Return the indices of the sample, by hash of the name, so that a new image replaces at most one.

    >>> sample_of(["a.jpg", "b.jpg"])
    [0, 1]
    """
    by_hash = sorted(range(len(names)), key=lambda i: (zlib.crc32(names[i].encode()), names[i]))
    return sorted(by_hash[:SAMPLE])


def choose_thresholds(
    images: Iterable[Sequence[np.ndarray]], n_layers: int, modes: Sequence[str] = MODES
) -> Thresholds:
    """Choose a background threshold per normalisation and layer from the class maps of all ``images``.

    Args:
        images: the (K, h, w) maps of each layer, foreground classes only; a layer with NaN is left out.
        n_layers: number of layers.
        modes: normalisations, see ``wsstool.masks.normalise``.
    """
    rules = {mode: [ThresholdFromScores() for _ in range(n_layers)] for mode in modes}
    for blocks in images:
        for mode, of_mode in rules.items():
            with suppress(BadInputError):  # the image is reported when its turn comes
                for rule, scores in zip(of_mode, [normalise(one, mode) for one in blocks], strict=True):
                    rule.add(scores)
    return {
        mode: [rule.threshold() if rule.has_scores else None for rule in of_mode]
        for mode, of_mode in rules.items()
    }


def with_thresholds(
    header: store.Header, options: OutputOptions, total: int, maps: Iterable[Sequence[np.ndarray]]
) -> store.Header:
    """Add the thresholds of the whole data set to the header of a shard.

    Args:
        header: of the ``cam`` file of a shard.
        options: of the command; those of an output that is up to date are taken from there.
        total: images of the data set.
        maps: of the images of its sample; they are computed when they are asked for.
    """
    found = None if options.force else _earlier(options.output, header.key)
    if found is None:
        found = {"images": total, **choose_thresholds(maps, len(header.layers))}
    return replace(header, attributes={**header.attributes, THRESHOLDS: found})


def _earlier(output: Path | None, key: str) -> dict[str, Any] | None:
    """Return the thresholds in an earlier output of the same key."""
    if output is None or not Path(output).is_file():
        return None
    with suppress(WsstoolError), store.open_records(output) as reader:
        if reader.header.key == key:
            found: dict[str, Any] | None = reader.header.attributes.get(THRESHOLDS)
            return found
    return None
