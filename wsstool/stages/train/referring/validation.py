"""IoU of a network that reads sentences on ground-truth masks, after the epochs of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from wsstool import store
from wsstool.data.images import read_image
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.expressions.tokenizer import tokenize
from wsstool.expressions.vocabulary import Vocabulary
from wsstool.metrics.referring import SentenceCounts, referring_scores, sentence_counts
from wsstool.stages.inputs.named_objects import NamedObjects, open_named_objects
from wsstool.stages.networks.referring import SentenceMapper
from wsstool.stages.options.trainers.cotrain import CotrainOptions
from wsstool.stages.options.trainers.train_contour import TrainContourOptions
from wsstool.stages.train.referring.masks import NamedMasks
from wsstool.types import Messages

THRESHOLD = 0.5
"""Probability from which a pixel belongs to the object."""


def open_validation(
    options: TrainContourOptions | CotrainOptions, data: Path | None, messages: Messages
) -> NamedObjects | None:
    """Open the sentences whose masks select the best epoch; None if neither folder nor split is given.

    Args:
        options: ``val``, ``val_split``, and ``expressions``, which count if the folder is ``data``.
        data: the folder of the training images, used without ``val``; None: they are not in a data folder.
        messages: receives what is left out.

    Raises:
        UsageError: a split without a folder.
    """
    if options.val is None and options.val_split is None:
        return None
    folder = options.val or data
    if folder is None:
        raise UsageError("--val-split needs --val, the data folder with the ground-truth masks")
    is_same = data is not None and folder.resolve() == data.resolve()
    return open_named_objects(
        folder,
        options.expressions if is_same else None,
        split=options.val_split,
        role="val",
        messages=messages,
    )


def validation_inputs(valid: NamedObjects | None) -> list[store.Input]:
    """Return images, sentences and masks of the validation as inputs of the run."""
    return [] if valid is None else [*valid.inputs, NamedMasks(valid).input]


class OverallIou:
    """Network -> ``{"val_overall_iou": ..., "val_mean_iou": ...}`` over sentences whose object has a mask.

    Args:
        data: images with sentences and masks; unreadable images are not counted.
        meta: ``mean``, ``std`` and ``image_size`` of the network.
        vocabulary: of the network.

    Raises:
        BadInputError: no object has a mask.
    """

    def __init__(self, data: NamedObjects, meta: dict[str, Any], vocabulary: Vocabulary) -> None:
        has_mask = np.array([row.mask is not None for row in data.rows], bool)
        if not has_mask.any():
            raise BadInputError(f"{data.source} has no masks that could select the best epoch")
        self.data, self.meta, self.vocabulary = data.only(has_mask), meta, vocabulary

    def __call__(self, network: nn.Module) -> dict[str, Any]:
        mapper = SentenceMapper([network], self.meta, self.vocabulary)
        parts = [self._counts(mapper, image) for image in range(len(self.data.dataset))]
        counts = SentenceCounts.joined([part for part in parts if part is not None])
        scores = referring_scores(counts, bootstrap=0)
        return {"val_overall_iou": scores["overall_iou"], "val_mean_iou": scores["mean_iou"]}

    def _counts(self, mapper: SentenceMapper, image: int) -> SentenceCounts | None:
        """Return the pixel counts of the sentences of an image; None if it cannot be read."""
        try:
            pixels = read_image(self.data.dataset.path(image))
        except WsstoolError:
            return None
        numbers = [int(n) for n in np.flatnonzero(self.data.image_of == image)]
        named = [(n, text) for n in numbers for text in self.data.rows[n].sentences]
        texts = [text for _, text in named]
        masks = {n: self.data.mask(n) for n in numbers}
        return sentence_counts(
            list(mapper(pixels, texts) >= THRESHOLD),
            [masks[n] for n, _ in named],
            image=[image] * len(named),
            words=[len(tokenize(text)) for text in texts],
        )
