"""Map what sentences name with a network that reads them, image by image, for ``contour`` and ``predict``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.expressions.tokenizer import MAX_WORDS, tokenize
from wsstool.models.weights import Weights
from wsstool.regions import box_in_window
from wsstool.runtime import pick_device
from wsstool.stages.inputs.image_batches import dataset_batches
from wsstool.stages.inputs.named_objects import NamedObjects, open_named_objects
from wsstool.stages.networks.contour_network import DEFAULT_MARGINS
from wsstool.stages.networks.referring import SentenceMapper, open_sentence_mapper
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.objects.maps import BoxMaps
from wsstool.stages.options.objects import ContourOptions
from wsstool.types import Messages


@dataclass(frozen=True)
class MappedSentences:
    """Images with sentences, the network that maps them, and what a file of the maps says about both.

    Attributes:
        source: images with sentences.
        columns: one entry per sentence.
        mapper: the network.
        params: options that shape the maps.
        inputs: for the key and the history.
    """

    source: NamedObjects
    columns: BoxColumns
    mapper: SentenceMapper
    params: dict[str, Any]
    inputs: list[store.Input]

    def header(self, payload: str, stage: str, **own: Any) -> store.Header:
        """Build the header of a file with one window per sentence; ``own``: further options of the stage."""
        return store.new_header(
            payload,
            stage=stage,
            params={**self.params, **own},
            inputs=self.inputs,
            image_root=self.source.dataset.root,
            **self.columns.header_fields(),
        )

    def summary(self, writer: store.Writer, **own: Any) -> dict[str, Any]:
        """Return the result of a stage that has written its file; ``own``: its additions."""
        return {
            "images": len(writer.header),
            "objects": len(self.source.rows),
            "sentences": len(self.source.sentences),
            **own,
            "dropped": {},
            "failed": writer.failed,
            "key": writer.header.key,
        }

    def maps(self, start: int, workers: int) -> Iterator[BoxMaps | WsstoolError]:
        """Yield the maps of every image from number ``start`` on, or the error that prevents reading it."""
        boxes, windows = self.columns.given_boxes, self.columns.columns["window"]
        texts = self.columns.sentences or ()
        for (i,), (image,) in dataset_batches(self.source.dataset, self.columns.sizes, 1, workers, start):
            if not isinstance(image, np.ndarray):
                assert isinstance(image, WsstoolError)
                yield image
                continue
            rows = self.columns.rows(i)
            maps = self.mapper(image, [texts[row] for row in rows])
            corners = [tuple(windows[row].tolist()) for row in rows]
            yield BoxMaps(
                [one[y0:y1, x0:x1] for one, (x0, y0, x1, y1) in zip(maps, corners, strict=True)],
                [box_in_window(boxes[row], corner) for row, corner in zip(rows, corners, strict=True)],
                [image[y0:y1, x0:x1] for x0, y0, x1, y1 in corners],
            )


def open_mapped_boxes(options: ContourOptions, loaded: Weights, messages: Messages) -> MappedSentences:
    """Open the sentences of a data folder whose objects have a box, and the network that maps them.

    Raises:
        UsageError: options that have no meaning with sentences.
        BadInputError: no sentence about an object with a box. Others: see the parts.
    """
    if options.boxes is not None:
        raise UsageError("--boxes does not apply to sentences: their boxes stand beside them")
    check_not_flipped(flip=options.flip)
    source = open_named_objects(
        Path(options.data),
        options.expressions,
        split=options.split,
        name_list=options.name_list,
        shard=options.shard,
        messages=messages,
    )
    has_box = np.array([row.box is not None for row in source.rows], bool)
    if not has_box.any():
        raise BadInputError(f"no object of {source.source} has a box; predict needs none")
    if not has_box.all():
        messages.say(f"left out {(~has_box).sum()} objects of {source.source} without a box")
        source = source.only(has_box)
    margin = max(options.margin or DEFAULT_MARGINS)
    params = {"margin": [margin], "split": options.split, "shard": options.shard}
    return mapped(options, loaded, source, params, messages, margin=margin)


def mapped(
    options: Any,
    loaded: Weights,
    source: NamedObjects,
    params: dict[str, Any],
    messages: Messages,
    *,
    margin: float | None,
    ensemble: bool = False,
) -> MappedSentences:
    """Open the network of a command for the sentences of ``source``.

    Args:
        options: ``weights``, ``device`` and ``batch_size``.
        loaded: content of the weights file.
        source: the sentences.
        params: options that shape the maps.
        messages: receives what the network does not know.
        margin: of the windows, see ``BoxColumns.of_sentences``.
        ensemble: use both networks.
    """
    weights = Path(options.weights)
    mapper = open_sentence_mapper(
        weights, loaded, pick_device(options.device), ensemble=ensemble, batch_size=options.batch_size
    )
    report_unknown(mapper, source.sentences, messages)
    dataset = source.dataset
    columns = BoxColumns.of_sentences(dataset.names, dataset.sizes(), source.rows, margin=margin)
    history = mapper.meta.get("provenance", ())
    inputs = [*source.inputs, store.Input.of_file(weights, role="weights", provenance=history)]
    return MappedSentences(source, columns, mapper, params, inputs)


def check_not_flipped(*, flip: bool) -> None:
    """Raise UsageError if maps are to be averaged over flips, which change what sentences mean."""
    if flip:
        raise UsageError("--flip does not apply to sentences: 'left' would become right")


def report_unknown(mapper: SentenceMapper, sentences: list[str], messages: Messages) -> None:
    """Report words that the network has not learned."""
    unknown = {text: mapper.vocabulary.unknown(text) for text in sentences}
    words = sorted({word for found in unknown.values() for word in found})
    if words:
        affected = sum(bool(unknown[text]) for text in sentences)
        messages.say(f"{affected} sentences have words that the network does not know, such as '{words[0]}'")
    blank = [text for text, found in unknown.items() if len(found) == len(tokenize(text)[:MAX_WORDS])]
    if blank:
        first = repr(blank[0])
        messages.warn(f"the network knows no word of {len(blank)} sentences, such as {first}; it guesses")
