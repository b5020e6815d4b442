"""Map every box of a data set with a trained network, image by image, for ``contour`` and ``predict``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, WsstoolError
from wsstool.memory import within_memory
from wsstool.models.weights import Weights, load_weights
from wsstool.regions import box_in_window
from wsstool.runtime import pick_device
from wsstool.stages.inputs.boxes import BoxDataset, open_box_dataset
from wsstool.stages.inputs.image_batches import dataset_batches
from wsstool.stages.networks.contour_network import DEFAULT_MARGINS, ContourMapper, open_contour_mapper
from wsstool.stages.networks.published_copies import chosen_average
from wsstool.stages.networks.referring import no_language, reads
from wsstool.stages.networks.segmenter_on_boxes import ClassMapper, open_class_mapper
from wsstool.stages.networks.whole_tokens import say_padding, without_small
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.objects.maps import BoxMaps
from wsstool.stages.objects.sentence_maps import MappedSentences, open_mapped_boxes
from wsstool.stages.options.objects import ContourOptions
from wsstool.stages.options.predict import ObjectMaskOptions
from wsstool.types import Messages


@dataclass(frozen=True)
class MappedDataset:
    """Images with boxes, the network that maps them, and what a file of the maps says about both.

    Attributes:
        source: images with boxes.
        mapper: the network; a segmenter's maps are those of the classes of the boxes.
        params: options that shape the maps.
        inputs: for the key and the history.
    """

    source: BoxDataset
    mapper: ContourMapper | ClassMapper
    params: dict[str, Any]
    inputs: list[store.Input]

    def header(self, payload: str, stage: str, **own: Any) -> store.Header:
        """Build the header of a file with one window per box; ``own``: further options of the stage."""
        dataset, table = self.source.dataset, self.source.table
        windows = [
            window
            for i, (rows, columns) in enumerate(table.sizes.tolist())
            for window in self.mapper.windows(table.of(i), (int(rows), int(columns)))
        ]
        boxes = BoxColumns.of(dataset.names, table.sizes, table.classes, table.boxes, windows)
        return store.new_header(
            payload,
            stage=stage,
            params={**self.params, **own},
            inputs=self.inputs,
            image_root=dataset.root,
            **boxes.header_fields(),
        )

    def summary(self, writer: store.Writer, **own: Any) -> dict[str, Any]:
        """Return the result of a stage that has written its file; ``own``: its additions."""
        return {
            "images": len(writer.header),
            "objects": int(self.source.table.counts.sum()),
            **own,
            "dropped": dict(self.source.table.dropped),
            "failed": writer.failed,
            "key": writer.header.key,
        }

    def maps(self, start: int, workers: int) -> Iterator[BoxMaps | WsstoolError]:
        """Yield the maps of every image from number ``start`` on, or the error that prevents reading it.

        Each image is computed by itself, so that a resumed run gives the same bytes.
        """
        dataset, table = self.source.dataset, self.source.table
        batches = dataset_batches(dataset, table.sizes, 1, workers, start)
        if isinstance(self.mapper, ClassMapper):
            batches = without_small(batches, self.mapper.trained.networks[0])
        for (i,), (image,) in batches:
            if not isinstance(image, np.ndarray):
                assert isinstance(image, WsstoolError)
                yield image
                continue
            boxes = table.of(i)
            windows = self.mapper.windows(boxes, (image.shape[0], image.shape[1]))
            placed = [box_in_window(box, window) for box, window in zip(boxes.xyxy, windows, strict=True)]
            pixels = [image[y0:y1, x0:x1] for x0, y0, x1, y1 in windows]
            maps = within_memory(partial(self.mapper, image, boxes), image.shape[:2])
            yield maps if isinstance(maps, WsstoolError) else BoxMaps(maps, placed, pixels)


def open_contour_maps(options: ContourOptions, messages: Messages) -> MappedDataset | MappedSentences:
    """Open boxes, or for a network that reads them sentences, and the network that maps them.

    Raises:
        UsageError: ``expressions`` with a network without language. Others: see ``open_maps`` and
            ``open_mapped_boxes``.
    """
    loaded = load_weights(Path(options.weights), averaged=options.averaged)
    if reads(loaded):
        return open_mapped_boxes(options, loaded, messages)
    if options.expressions is not None:
        raise BadInputError(no_language(options.weights, "--expressions"))
    return open_maps(options, messages, loaded)


def open_maps(
    options: ContourOptions | ObjectMaskOptions, messages: Messages, loaded: Weights | None = None
) -> MappedDataset:
    """Open the boxes of a data folder and the network that maps them.

    Args:
        options: of the command; without ``margin``, ``DEFAULT_MARGINS``. Margins have no effect on a network
            that sees the whole image; the largest is that of the record's windows.
        messages: receives what is left out.
        loaded: content of the weights file, if it has been read already.

    Raises:
        BadInputError: weights of another network or for other classes, boxes that do not fit. Others: see the
            parts.
    """
    margins = tuple(options.margin or DEFAULT_MARGINS)
    source = open_box_dataset(
        Path(options.data),
        boxes=options.boxes,
        box_format=options.box_format,
        split=options.split,
        class_list=options.class_list,
        name_list=options.name_list,
        shard=options.shard,
        messages=messages,
    )
    where, classes = pick_device(options.device), source.table.classes
    weights, flip = Path(options.weights), options.flip
    loaded = loaded or load_weights(weights, averaged=options.averaged)
    averaged = chosen_average(options, {weights: loaded}, messages)
    mapper: ContourMapper | ClassMapper
    if loaded.meta.get("task") == "segmentation":
        present = sorted({int(k) for one in source.table.boxes for k in one.class_ids})
        mapper = open_class_mapper(
            weights, where, classes, present, margins=margins, flip=flip, loaded=loaded
        )
        say_padding(mapper.trained.networks[0], source.table.sizes, messages)
    else:
        mapper = open_contour_mapper(
            weights, loaded, where, classes, margins=margins, flip=flip, batch_size=options.batch_size
        )
    params: dict[str, Any] = {
        "box_format": options.box_format if options.box_format != "auto" else None,
        "margin": list(margins),
        "flip": flip,
        "split": options.split,
        "class_list": str(options.class_list) if options.class_list else None,
        "shard": options.shard,
        **({} if averaged else {"ema": False}),
    }
    history = mapper.meta.get("provenance", ())
    inputs = [*source.inputs, store.Input.of_file(weights, role="weights", provenance=history)]
    return MappedDataset(source, mapper, params, inputs)
