"""Map every box of a data set with a trained network, image by image, for ``contour`` and ``predict``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import UsageError, WsstoolError
from wsstool.models.weights import load_weights
from wsstool.regions import box_in_window
from wsstool.runtime import pick_device
from wsstool.stages.inputs.boxes import BoxDataset, open_box_dataset
from wsstool.stages.inputs.image_batches import read_batches
from wsstool.stages.networks.contour_network import DEFAULT_MARGINS, ContourMapper, open_contour_mapper
from wsstool.stages.networks.segmenter_on_boxes import ClassMapper, open_class_mapper
from wsstool.stages.objects.columns import BoxColumns
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
        """The header of a file with one window per box; ``own``: further options of the stage."""
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
        """What a stage returns when it has written its file; ``own``: what it adds."""
        return {
            "images": len(writer.header),
            "objects": int(self.source.table.counts.sum()),
            **own,
            "dropped": dict(self.source.table.dropped),
            "failed": writer.failed,
            "key": writer.header.key,
        }

    def maps(self, start: int, workers: int) -> Iterator[BoxMaps | WsstoolError]:
        """The maps of every image from number ``start`` on, or why it cannot be read.

        Each image is computed by itself, so that a resumed run gives the same bytes.
        """
        dataset, table = self.source.dataset, self.source.table
        paths = [dataset.path(i) for i in range(len(table))]
        batches = [[i] for i in range(start, len(table))]
        for (i,), (image,) in read_batches(paths, table.sizes, batches, workers):
            if isinstance(image, WsstoolError):
                yield image
                continue
            boxes = table.of(i)
            windows = self.mapper.windows(boxes, (image.shape[0], image.shape[1]))
            placed = [box_in_window(box, window) for box, window in zip(boxes.xyxy, windows, strict=True)]
            pixels = [image[y0:y1, x0:x1] for x0, y0, x1, y1 in windows]
            yield BoxMaps(self.mapper(image, boxes), placed, pixels)


@dataclass(frozen=True)
class BoxMaps:
    """The maps of one image.

    Attributes:
        maps: (h, w) float in [0, 1], one per box.
        boxes: (4,) xyxy each, in pixels of its window.
        pixels: (h, w, 3) uint8, each window of the image.
    """

    maps: list[np.ndarray]
    boxes: list[np.ndarray]
    pixels: list[np.ndarray]


def open_maps(
    data: Path,
    weights: Path,
    *,
    boxes: Path | None,
    box_format: str,
    margin: Sequence[float] | None,
    flip: bool,
    split: str | None,
    class_list: Path | None,
    shard: str | None,
    batch_size: int,
    device: str,
    messages: Messages,
) -> MappedDataset:
    """Open the boxes of a data folder and the network of a weights file.

    Args:
        data, boxes, box_format, split, class_list, shard: see ``inputs.boxes.open_box_dataset``.
        weights: of a contour network, or of a segmenter.
        margin: around a box, shares of its sides in [0, 4]; the maps of several are averaged, on the
            window of the largest. None: ``DEFAULT_MARGINS``. Without effect on a network that sees the whole
            image.
        flip: average with the horizontally flipped image.
        batch_size: windows of one image that go through a contour network together.
        device: see ``runtime.pick_device``.

    Raises:
        UsageError: a margin outside its range. Others: see the parts.
    """
    margins = tuple(margin or DEFAULT_MARGINS)
    for one in margins:
        if not 0 <= one <= 4:
            raise UsageError(f"--margin {one:g}: give a number in [0, 4]")
    source = open_box_dataset(
        Path(data),
        boxes=boxes,
        box_format=box_format,
        split=split,
        class_list=class_list,
        shard=shard,
        messages=messages,
    )
    where, classes = pick_device(device), source.table.classes
    loaded = load_weights(weights)
    mapper: ContourMapper | ClassMapper
    if loaded.meta.get("task") == "segmentation":
        present = sorted({int(k) for one in source.table.boxes for k in one.class_ids})
        mapper = open_class_mapper(weights, where, classes, present, margins=margins, flip=flip)
    else:
        mapper = open_contour_mapper(
            weights, loaded, where, classes, margins=margins, flip=flip, batch_size=batch_size
        )
    params: dict[str, Any] = {
        "box_format": box_format if box_format != "auto" else None,
        "margin": list(margins),
        "flip": flip,
        "split": split,
        "class_list": str(class_list) if class_list else None,
        "shard": shard,
    }
    history = mapper.meta.get("provenance", ())
    inputs = [*source.inputs, store.Input.of_file(weights, role="weights", provenance=history)]
    return MappedDataset(source, mapper, params, inputs)
