"""Masks of what sentences name, by a network that reads them, streamed to a ``selection`` file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.expressions.expression import Expression
from wsstool.expressions.tokenizer import MAX_WORDS, is_unicode, tokenize
from wsstool.family import setting_texts
from wsstool.models.weights import Weights
from wsstool.selection.confidence import agreement
from wsstool.stages.inputs.named_objects import NamedObjects, open_named_objects
from wsstool.stages.inputs.untagged import open_images
from wsstool.stages.objects.maps import BoxMaps
from wsstool.stages.objects.sentence_maps import check_not_flipped, mapped
from wsstool.stages.options.predict import SentenceMaskOptions
from wsstool.stages.predict.objects import refined
from wsstool.stages.records import Payload, create, write_all
from wsstool.stages.refiners import Refiner, find_refiner
from wsstool.types import ClassList, Messages


def predict_sentences(options: SentenceMaskOptions, loaded: Weights, messages: Messages) -> dict[str, Any]:
    """Write the mask of every sentence: the pixels on which its map reaches ``threshold``.

    Args:
        options: ``data`` is a folder or an image; ``expression`` are asked about every image, else the
            sentences of ``expressions``, or those found in the folder, about their own image.
        loaded: content of the weights file.
        messages: receives what the network does not know.

    Returns:
        ``images``, ``objects``, ``sentences``, ``empty`` (masks), ``failed`` and ``key``.

    Raises:
        BadInputError: a sentence without words, no sentence about the image, weights without vocabulary.
        UsageError: an image without sentences, sentences from two sources, ``flip``.
        Others: see the parts.

    Notes:
        A mask may be empty: the network takes the sentence for one that names nothing in the image.
    """
    check_not_flipped(flip=options.flip)
    refiner, own = find_refiner(options.refine, options.settings, messages, of_probabilities=True)
    source = _sentences(options, messages)
    params = {
        "split": options.split,
        "shard": options.shard,
        "ensemble": options.ensemble or None,
        "threshold": options.threshold,
        "refine": options.refine,
        "set": setting_texts(own) or None,
        "expression": options.expression,
    }
    opened = mapped(options, loaded, source, params, messages, margin=None, ensemble=options.ensemble)
    if opened.mapper.meta.get("draws") == "outline":
        raise BadInputError(
            f"'{options.weights}' predicts outlines; make masks from them with 'wsstool contour' and "
            "'wsstool select'"
        )
    masks = partial(_masks, threshold=options.threshold, refiner=refiner)

    def results(start: int) -> Iterator[Payload | WsstoolError]:
        for found in opened.maps(start, options.workers):
            yield found if isinstance(found, WsstoolError) else masks(found)

    header = opened.header("selection", "predict")
    with create(header, options, messages) as writer:
        write_all(writer, results(writer.start), messages, "sentences")
        empty = int((writer.tail["score"] == 0).sum())
    return opened.summary(writer, empty=empty)


def _masks(found: BoxMaps, threshold: float, refiner: Refiner | None) -> Payload:
    """Return the masks of one image with their scores: how certain the map is of them."""
    maps = found.maps
    if refiner is not None:
        whole = zip(maps, found.boxes, found.pixels, strict=True)
        maps = [refined(refiner, one, _around(pixels), pixels) for one, _, pixels in whole]
    masks = [(one >= threshold).astype(np.uint8) for one in maps]
    scores = [agreement(mask, one, "region") for mask, one in zip(masks, maps, strict=True)]
    return Payload(
        np.concatenate([np.zeros(0, np.uint8), *(mask.reshape(-1) for mask in masks)]),
        {"score": np.array(scores, np.float32), "fallback": np.zeros(len(masks), np.uint8)},
    )


def _around(pixels: np.ndarray) -> np.ndarray:
    return np.array([0, 0, pixels.shape[1], pixels.shape[0]], np.float32)


def _sentences(options: SentenceMaskOptions, messages: Messages) -> NamedObjects:
    """Open the sentences to segment, with their images."""
    data, is_image = Path(options.data), Path(options.data).is_file()
    if options.expression is not None:
        if options.expressions is not None:
            raise UsageError("give sentences with --expression or a file with --expressions, not both")
        return _typed(options, options.expression, messages)
    if not is_image:
        return open_named_objects(
            data,
            options.expressions,
            split=options.split,
            name_list=options.name_list,
            shard=options.shard,
            messages=messages,
        )
    if options.expressions is None:
        raise UsageError(f"name what to segment in '{data}', with --expression or --expressions")
    if options.files_from is not None:
        raise UsageError(f"--files-from lists images of a folder, but '{data}' is an image")
    found = open_named_objects(data.parent, options.expressions, split=options.split, messages=messages)
    is_here = np.array([row.image == data.name for row in found.rows], bool)
    if not is_here.any():
        raise BadInputError(f"{found.source} has no sentence about '{data.name}'")
    return replace(found.only(is_here), image=data)


def _typed(options: SentenceMaskOptions, texts: list[str], messages: Messages) -> NamedObjects:
    """Return sentences from the command line, each about every image."""
    for text in texts:
        if not is_unicode(text):
            raise UsageError(f"--expression {text!r} is not valid UTF-8")
        n_words = len(tokenize(text))
        if not n_words:
            raise BadInputError(f"the sentence {text!r} has no words")
        if n_words > MAX_WORDS:
            messages.say(f"a sentence has {n_words} words; the network reads the first {MAX_WORDS}")
    data = Path(options.data)
    if data.is_file():
        if any(one is not None for one in (options.split, options.files_from, options.shard)):
            raise UsageError(
                f"--split, --files-from and --shard select images of a folder, but '{data}' is an image"
            )
        dataset = Dataset(data.parent, (data.name,), ClassList(()), None, "")
    else:
        dataset = open_images(data, split=options.split, name_list=options.name_list)
        dataset = dataset.subset(store.shard_indices(dataset.names, options.shard))
    rows = [Expression(name, (text,), number=k + 1) for name in dataset.names for k, text in enumerate(texts)]
    image_of = np.repeat(np.arange(len(dataset)), len(texts))
    image = data if data.is_file() else None
    return NamedObjects(dataset, tuple(rows), image_of, "the command line", options.split, image=image)
