"""The images of a data folder and the objects that sentences name in them, as inputs for the key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.name_list import NameList
from wsstool.errors import BadInputError
from wsstool.expressions.expression import Expression
from wsstool.expressions.splits import in_split
from wsstool.stages.inputs.sentences import open_sentences, rows_of_split, true_mask
from wsstool.stages.inputs.tags import has_train_split
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import Messages

TRAIN = "train"


@dataclass(frozen=True)
class NamedObjects:
    """Images and the objects that sentences name in them.

    Attributes:
        dataset: the images that have such objects.
        rows: the objects, image by image.
        image_of: (R,) int64 number of the image of each object.
        source: the file, for messages.
        split: the part that was taken, None for all.
        role: of the images among the inputs.
        file: the file as the user named it, None: found in the folder.
        image: the only image, if the user named that instead of a folder.
    """

    dataset: Dataset
    rows: tuple[Expression, ...]
    image_of: np.ndarray
    source: str
    split: str | None
    role: str = "data"
    file: Path | None = None
    image: Path | None = None

    @property
    def sentences(self) -> list[str]:
        """Every sentence, object by object."""
        return [text for row in self.rows for text in row.sentences]

    @property
    def inputs(self) -> list[store.Input]:
        """The images and the sentences, for the key and the history; masks have no part in them."""
        content = [[row.image, row.sentences, row.box] for row in self.rows]
        identity = {"fingerprint": digest(canonical_json(content))}
        if self.role == "data":
            named = store.Input("expressions", identity, str(self.file or ""))
        else:
            named = store.Input(f"{self.role}-sentences", identity)
        images = store.Input.of_folder(self.dataset.root, self.dataset.names, role=self.role)
        return [images if self.image is None else replace(images, path=str(self.image)), named]

    def only(self, kept: np.ndarray) -> NamedObjects:
        """Return the objects for which ``kept``, (R,) bool, is true, and their images."""
        rows = tuple(row for row, is_kept in zip(self.rows, kept, strict=True) if is_kept)
        used, image_of = np.unique(self.image_of[kept], return_inverse=True)
        return replace(self, dataset=self.dataset.subset(used), rows=rows, image_of=image_of)

    def mask(self, number: int) -> np.ndarray | None:
        """Return the ground-truth mask of an object, see ``true_mask``."""
        return true_mask(self.rows[number], self.source)


def open_named_objects(
    data: Path,
    expressions: Path | None = None,
    *,
    split: str | None = None,
    name_list: NameList | None = None,
    shard: str | None = None,
    training: bool = False,
    role: str = "data",
    messages: Messages,
) -> NamedObjects:
    """Open the images of a folder and the sentences about them.

    Args:
        data: data folder.
        expressions: file with sentences; None: the only one in the folder.
        split: name of a split of the sentences or of the images.
        name_list: see ``open_dataset``.
        shard: see ``store.shard_indices``; of the images.
        training: without a split and a list, the split ``train`` if there is one; objects without a target
            and without both box and mask are left out.
        role: of the images among the inputs.
        messages: receives what is left out.

    Raises:
        BadInputError: no usable object.
        Those of ``open_sentences`` and ``rows_of_split``.
    """
    data = Path(data)
    found = open_sentences(data, expressions, name_list=name_list, messages=messages)
    has_train = any(in_split(row.split, TRAIN) for row in found.rows) or has_train_split(data)
    if training and split is None and name_list is None and has_train:
        split = TRAIN
    rows = rows_of_split(found, data, split, name_list)
    if training:
        usable = [row for row in rows if not row.no_target and (row.box is not None or row.mask is not None)]
        if len(usable) < len(rows):
            messages.say(f"left out {len(rows) - len(usable)} objects of {found.source} without box and mask")
        rows = tuple(usable)
    if not rows:
        raise BadInputError(f"{found.source} has no object that can be used")
    dataset = open_dataset(data, labels="images", name_list=name_list)
    wanted = {row.image for row in rows}
    dataset = dataset.subset(i for i, name in enumerate(dataset.names) if name in wanted)
    dataset = dataset.subset(store.shard_indices(dataset.names, shard))
    place = {name: i for i, name in enumerate(dataset.names)}
    rows = tuple(sorted((row for row in rows if row.image in place), key=lambda row: place[row.image]))
    image_of = np.array([place[row.image] for row in rows], np.int64)
    return NamedObjects(dataset, rows, image_of, found.source, split, role, expressions)
