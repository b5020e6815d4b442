"""The files of predicted label maps and class probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset
from wsstool.stages.records import Payload
from wsstool.types import ClassList

MAP_STRIDE = 4
"""Image pixels per cell of the stored probabilities."""


def mask_header(
    params: dict[str, Any],
    inputs: Sequence[store.Input],
    dataset: Dataset,
    classes: ClassList,
    sizes: np.ndarray,
) -> store.Header:
    """Describe a ``mask`` file with one label map per image; arguments as in ``store.new_header``."""
    return store.new_header(
        "mask",
        stage="predict",
        params=params,
        inputs=inputs,
        images=dataset.names,
        sizes=sizes,
        shapes=np.concatenate([np.ones((len(sizes), 1), np.int64), sizes], 1),
        classes=classes,
        labels=_tags(dataset, classes),
        image_root=dataset.root,
        attributes={"layers": ["prediction"]},
    )


def probability_header(
    params: dict[str, Any],
    inputs: Sequence[store.Input],
    dataset: Dataset,
    classes: ClassList,
    sizes: np.ndarray,
    allowed: np.ndarray,
    ids: np.ndarray,
) -> store.Header:
    """Describe a ``cam`` file with one map per class that may occur.

    Args:
        params, inputs, dataset, classes: see ``store.new_header``; ``params["dtype"]`` is that of the maps.
        sizes: (N, 2) rows and columns; (0, 0) for images that cannot be read, which get no map.
        allowed: (N, C) bool, the outputs that have a map.
        ids: (C,) class id of each output.
    """
    allowed = allowed & (sizes.sum(1) > 0)[:, None]
    counts = allowed.sum(1)
    grids = -(-sizes // MAP_STRIDE)
    return store.new_header(
        "cam",
        stage="predict",
        params=params,
        inputs=inputs,
        images=dataset.names,
        sizes=sizes,
        shapes=np.concatenate([counts[:, None], grids], 1),
        classes=classes,
        labels=_tags(dataset, classes),
        image_root=dataset.root,
        dtype=params["dtype"],
        columns={
            "layer_size": grids[:, None],
            "map_offset": np.concatenate([[0], np.cumsum(counts)]),
            "map_class": ids[np.nonzero(allowed)[1]],
        },
        attributes={"layers": ["prediction"]},
    )


def probability_payload(probs: np.ndarray) -> Payload:
    """Divide (K, h, w) probabilities by their largest; that and the maximum of each class go to the tail."""
    largest = float(probs.max())
    return Payload(probs / largest, {"scale": [largest], "score": probs.max(axis=(1, 2))})


def _tags(dataset: Dataset, classes: ClassList) -> np.ndarray | None:
    """The image-level labels, where they are of the same classes."""
    return dataset.labels if dataset.classes.names == classes.names else None
