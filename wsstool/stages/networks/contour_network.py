"""A trained contour network, and the maps that it gives the boxes of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsstool import store
from wsstool.data.augmentation.box_windows import margin_window, whole_view, window_view
from wsstool.data.boxes.table import BoxTable
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.models.contour import ContourNet
from wsstool.models.contour_maps import Shown, Window, joined, view_maps
from wsstool.models.weights import Weights, build_from_weights, load_weights
from wsstool.regions import Boxes, box_in_window
from wsstool.runtime import pick_device
from wsstool.stages.inputs.boxes import Boxed, open_boxed
from wsstool.stages.inputs.image_batches import read_batches
from wsstool.stages.networks.segmenter_on_boxes import ClassMapper, open_class_mapper
from wsstool.types import ClassList, Messages

DEFAULT_MARGINS = (0.25,)
"""Around the box, share of its side: near the middle of what training draws."""


@dataclass(frozen=True)
class Mapper:
    """A contour network and how it is asked.

    Attributes:
        network: in eval mode on its device.
        meta: the description in the weights file.
        margins: of the windows whose maps are averaged; the largest is that of the record.
        flip: also the mirrored views.
        batch_size: views a pass.
    """

    network: ContourNet
    meta: dict[str, Any]
    margins: tuple[float, ...] = DEFAULT_MARGINS
    flip: bool = False
    batch_size: int = 16

    def windows(self, boxes: Boxes, size: tuple[int, int]) -> list[Window]:
        """The window of each box that its map is written for."""
        if self.meta["window"] == "image":
            return [(0, 0, size[1], size[0])] * len(boxes)
        return [margin_window(box, max(self.margins), size) for box in boxes.xyxy]

    def __call__(self, picture: np.ndarray, boxes: Boxes) -> list[np.ndarray]:
        """The map of each box on its window, float, 0 to 1.

        Args:
            picture: (H,W,3) uint8.
            boxes: inside it.
        """
        size = (picture.shape[0], picture.shape[1])
        side, views = int(self.meta["image_size"]), []
        is_whole = self.meta["window"] == "image"
        margins = (0.0,) if is_whole else self.margins
        for box, class_id in zip(boxes.xyxy, boxes.class_ids.tolist(), strict=True):
            for margin in margins:
                if is_whole:
                    window = (0, 0, size[1], size[0])
                    view = whole_view(picture, box, side)
                else:
                    window = margin_window(box, margin, size)
                    view = window_view(picture, box, window, side)
                views.append(Shown(view.image, view.extent, window, class_id))
        maps = view_maps(
            self.network,
            views,
            mean=self.meta["mean"],
            std=self.meta["std"],
            flip=self.flip,
            batch_size=self.batch_size,
        )
        found = []
        for k, into in enumerate(self.windows(boxes, size)):
            own = slice(k * len(margins), (k + 1) * len(margins))
            found.append(joined(maps[own], [view.window for view in views[own]], into))
        return found


def open_mapper(
    weights: Path,
    loaded: Weights,
    device: torch.device,
    classes: ClassList,
    *,
    margins: Sequence[float] | None = None,
    flip: bool = False,
    batch_size: int = 16,
) -> Mapper:
    """The contour network of a weights file.

    Args:
        weights: the file.
        loaded: its content.
        device: where it computes.
        classes: of the boxes; a network that is told the class must have been trained for them.
        margins, flip, batch_size: see ``Mapper``; None: ``DEFAULT_MARGINS``.

    Raises:
        BadInputError: other weights, damaged ones, or other classes.
        UsageError: a margin outside its range, or a batch of nothing.
    """
    chosen = _margins(margins)
    if batch_size < 1:
        raise UsageError(f"--batch-size must be at least 1, not {batch_size}")
    if loaded.meta.get("task") != "contour":
        raise BadInputError(f"'{weights}' is no contour network; 'wsstool train-contour' makes one")
    network, meta = build_from_weights(weights, loaded)
    assert isinstance(network, ContourNet)
    if meta.get("condition") == "class" and tuple(meta["classes"]) != classes.names:
        odd = sorted(set(meta["classes"]) ^ set(classes.names)) or ["their order"]
        raise BadInputError(
            f"'{weights}' is told the class of each box, and was trained for other classes (such as {odd[0]})"
        )
    return Mapper(network.to(device), meta, chosen, flip, batch_size)


def _margins(margins: Sequence[float] | None) -> tuple[float, ...]:
    chosen = tuple(margins or DEFAULT_MARGINS)
    for margin in chosen:
        if not 0 <= margin <= 4:
            raise UsageError(f"--margin {margin:g}: a share of the side, from 0 to 4")
    return chosen


@dataclass(frozen=True)
class Opened:
    """Boxes, the network that maps them, and what a file of either says about both.

    Attributes:
        source: pictures with boxes.
        mapper: the network; a segmenter's maps are those of the classes of the boxes.
        params: options that shape the maps.
        inputs: for the key and the history.
    """

    source: Boxed
    mapper: Mapper | ClassMapper
    params: dict[str, Any]
    inputs: list[store.Input]

    def header(self, payload: str, stage: str, **own: Any) -> store.Header:
        """The header of a file with one window a box; ``own``: further options of the stage."""
        dataset, table = self.source.dataset, self.source.table
        windows = [
            self.mapper.windows(table.of(i), (int(rows), int(columns)))
            for i, (rows, columns) in enumerate(table.sizes.tolist())
        ]
        areas = [sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in one) for one in windows]
        counts = table.counts
        return store.new_header(
            payload,
            stage=stage,
            params={**self.params, **own},
            inputs=self.inputs,
            images=dataset.names,
            sizes=table.sizes,
            shapes=np.stack([counts, np.full_like(counts, -1), np.full_like(counts, -1)], 1),
            elements=np.array(areas, np.int64),
            classes=table.classes,
            image_root=dataset.root,
            columns=box_columns(table, [window for one in windows for window in one]),
        )

    def told(self, writer: store.Writer, **own: Any) -> dict[str, Any]:
        """What a stage returns when it has written its file; ``own``: what it alone can say."""
        return {
            "images": len(writer.header),
            "objects": int(self.source.table.counts.sum()),
            **own,
            "dropped": dict(self.source.table.dropped),
            "failed": writer.failed,
            "key": writer.header.key,
        }


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
) -> Opened:
    """The boxes of a data folder and the network of a weights file, for the stages that map boxes.

    Args:
        data, boxes, box_format, split, class_list, shard: see ``boxed.open_boxed``.
        weights: of a contour network, or of a segmenter.
        margin, flip, batch_size: see ``Mapper``.
        device: see ``runtime.pick_device``.

    Raises:
        Those of the parts.
    """
    source = open_boxed(
        Path(data),
        boxes=boxes,
        box_format=box_format,
        split=split,
        class_list=class_list,
        shard=shard,
        messages=messages,
    )
    where, classes = pick_device(device), source.table.classes
    mapper: Mapper | ClassMapper
    loaded = load_weights(weights)
    if loaded.meta.get("task") == "segmentation":
        present = sorted({int(k) for one in source.table.boxes for k in one.class_ids})
        mapper = open_class_mapper(weights, where, classes, present, margins=_margins(margin), flip=flip)
    else:
        mapper = open_mapper(
            weights, loaded, where, classes, margins=margin, flip=flip, batch_size=batch_size
        )
    params: dict[str, Any] = {
        "box_format": box_format if box_format != "auto" else None,
        "margin": list(mapper.margins),
        "flip": flip,
        "split": split,
        "class_list": str(class_list) if class_list else None,
        "shard": shard,
    }
    inputs = [
        *source.inputs,
        store.Input.of_file(weights, role="weights", provenance=mapper.meta.get("provenance", ())),
    ]
    return Opened(source, mapper, params, inputs)


@dataclass(frozen=True)
class Mapped:
    """The maps of one image.

    Attributes:
        maps: (h, w) float, 0 to 1, one a box.
        boxes: (4,) xyxy each, in pixels of its window.
        pixels: (h, w, 3) uint8, each window of the picture.
    """

    maps: list[np.ndarray]
    boxes: list[np.ndarray]
    pixels: list[np.ndarray]


def mapped(opened: Opened, start: int, workers: int) -> Iterator[Mapped | WsstoolError]:
    """The maps of every image from number ``start`` on, or why it cannot be read.

    An image is computed by itself, so that a resumed run gives the same bytes.
    """
    dataset, table, mapper = opened.source.dataset, opened.source.table, opened.mapper
    paths = [dataset.path(i) for i in range(len(table))]
    batches = [[i] for i in range(start, len(table))]
    for (i,), (picture,) in read_batches(paths, table.sizes, batches, workers):
        if isinstance(picture, WsstoolError):
            yield picture
        else:
            boxes = table.of(i)
            windows = mapper.windows(boxes, (picture.shape[0], picture.shape[1]))
            placed = [box_in_window(box, window) for box, window in zip(boxes.xyxy, windows, strict=True)]
            yield Mapped(
                mapper(picture, boxes), placed, [picture[y0:y1, x0:x1] for x0, y0, x1, y1 in windows]
            )


def box_columns(table: BoxTable, windows: Sequence[Window]) -> dict[str, np.ndarray]:
    """The head columns of boxes and their windows."""

    def stacked(name: str, width: int) -> np.ndarray:
        return np.concatenate([getattr(one, name).reshape(-1, width) for one in table.boxes])

    return {
        "box_offset": np.concatenate([[0], np.cumsum(table.counts)]),
        "box": stacked("xyxy", 4),
        "box_class": stacked("class_ids", 1)[:, 0],
        "box_id": stacked("ids", 1)[:, 0],
        "window": np.array(windows, np.int32).reshape(-1, 4),
    }
