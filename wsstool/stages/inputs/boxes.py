"""Open the images of a data folder with their boxes, as inputs for the key."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, read_boxes
from wsstool.data.dataset import Dataset
from wsstool.data.name_list import NameList
from wsstool.stages.inputs.tags import has_train_split
from wsstool.stages.inputs.untagged import open_images
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.images.object_images import Object
from wsstool.types import Messages


@dataclass(frozen=True)
class BoxDataset:
    """Images and their boxes.

    Attributes:
        dataset: the images.
        table: their boxes, in the same order.
        inputs: for the key and the history: the images, and the boxes as they are used. Masks have no
            part in them.
        split: the part that was taken, None for all.
    """

    dataset: Dataset
    table: BoxTable
    inputs: list[store.Input]
    split: str | None

    def objects(self) -> list[Object]:
        """Every usable box, image by image."""
        return [
            Object(i, k, boxes.xyxy[k], int(boxes.class_ids[k]), int(boxes.ids[k]))
            for i, boxes in enumerate(self.table.boxes)
            for k in range(len(boxes))
        ]


def open_box_dataset(
    data: Path,
    *,
    boxes: Path | None = None,
    box_format: str = "auto",
    split: str | None = None,
    class_list: Path | None = None,
    name_list: NameList | None = None,
    shard: str | None = None,
    training: bool = False,
    messages: Messages,
) -> BoxDataset:
    """Open the images of a folder, whatever tags it has, and their boxes.

    Args:
        data: data folder.
        boxes, box_format: see ``data.boxes.table.read_boxes``.
        split, class_list, name_list: see ``open_images``.
        shard: see ``store.shard_indices``.
        training: without a split and a list, the split ``train`` if there is one, and only images that have
            a box.
        messages: receives what is left out.

    Raises:
        BadInputError: there are boxes, but none that can be used; in a shard that is no error.
        Those of ``open_images`` and ``read_boxes``.
    """
    if training and split is None and name_list is None and has_train_split(data):
        split = "train"
    # Read for all images: their format is judged by all boxes, and a shard may have none.
    dataset = open_images(data, split=split, class_list=class_list, name_list=name_list, messages=messages)
    table = read_boxes(dataset, boxes, box_format=box_format, messages=messages)
    if shard is not None:
        part = store.shard_indices(dataset.names, shard)
        dataset, table = dataset.subset(part), table.subset(part)
    else:
        table.check_usable()
    if training:
        kept = np.flatnonzero(table.counts)
        dataset, table = dataset.subset(kept), table.subset(kept)
    return BoxDataset(
        dataset,
        table,
        [store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed), _used(table, boxes)],
        split,
    )


def _used(table: BoxTable, boxes: Path | None) -> store.Input:
    """Return the boxes as an input identified by content, whatever their file."""
    content = [[one.xyxy.tolist(), one.class_ids.tolist(), one.ids.tolist()] for one in table.boxes] + [
        list(table.classes.names)
    ]
    return store.Input("boxes", {"fingerprint": digest(canonical_json(content))}, str(boxes or ""))
