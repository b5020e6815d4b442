"""The record of one image, by the kind of its file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.api.maps import ClassMaps
from wsstool.argument_types import checked
from wsstool.data.images import read_image
from wsstool.data.palettes import class_palette
from wsstool.errors import ArgumentError
from wsstool.regions import proposal_boxes
from wsstool.report.overlays import blend
from wsstool.store import Record
from wsstool.types import IGNORE


class ImageRecord:
    """What a record file holds for one image."""

    def __init__(self, record: Record, tail: Mapping[str, np.ndarray], folder: Callable[[], Path]) -> None:
        self._record, self._tail, self._folder = record, tail, folder
        self._header = record.header
        self.name, self.size, self.failed = record.name, record.size, record.failed

    @property
    def data(self) -> np.ndarray:
        """The payload."""
        return self._record.data

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the image-level labels."""
        if self._header.labels is None:
            return ()
        return tuple(self._names(np.flatnonzero(self._header.labels[self._record.index])))

    @property
    def image(self) -> np.ndarray:
        """(H, W, 3) uint8: the image, from the image folder."""
        return read_image(self._folder() / self.name)

    def _names(self, ids: np.ndarray) -> list[str]:
        names = self._header.classes.names
        return [names[i] if i < len(names) else str(i) for i in ids.tolist()]

    def _rows(self, column: str, index: str) -> np.ndarray:
        """The rows of this image of a column before or behind the payload."""
        columns = self._tail if column in self._tail else self._header.columns
        return columns[column][self._header.rows(self._record.index, index)]

    def _says(self) -> str:
        return f"{len(self.data)} rows"

    def __repr__(self) -> str:
        rows, columns = self.size
        says = "failed" if self.failed else self._says()
        return f"<{self._header.payload} of '{self.name}', {rows} x {columns}: {says}>"


class MaskRecord(ImageRecord):
    """The label maps of an image."""

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers."""
        return self._header.layers

    @property
    def data(self) -> np.ndarray:
        """(H, W) uint8 class ids, (L, H, W) for several layers; 255: undecided."""
        found = self._record.data
        return found[0] if len(found) == 1 else found

    @checked
    def overlay(self, layer: int = 0, opacity: float = 0.55) -> Image.Image:
        """Draw the label map over the image.

        Args:
            layer: number of the layer, from 0.
            opacity: of the colours, [0, 1].

        Raises:
            ArgumentError: the file has no such layer.
        """
        if not 0 <= layer < len(self._record.data):
            raise ArgumentError(f"layer {layer}: there are {len(self._record.data)}")
        classes = self._header.classes
        labels, palette = self._record.data[layer], class_palette(classes)
        drawn = blend(self.image, labels, palette, background=classes.background, opacity=opacity)
        return Image.fromarray(drawn)

    def _says(self) -> str:
        ids = np.unique(self._record.data)
        undecided = ["undecided"] if IGNORE in ids else []
        return ", ".join(self._names(ids[ids != IGNORE]) + undecided)


class CamRecord(ImageRecord):
    """The class maps of an image."""

    @property
    def class_ids(self) -> np.ndarray:
        """(K,) int64."""
        return self._record.class_ids

    @property
    def scores(self) -> np.ndarray:
        """(K,) float32: score of each class in the image, in [0, 1]."""
        return self._rows("score", "map")

    @property
    def data(self) -> np.ndarray:
        """(K, h, w) float32 maps of the first layer, raw scale."""
        return self.maps.data

    @property
    def maps(self) -> ClassMaps:
        """The maps of the first layer."""
        return self.layer(self._header.layers[0])

    @checked
    def layer(self, name: str) -> ClassMaps:
        """Return the maps of a layer.

        Raises:
            ArgumentError: the file has no such layer.
        """
        if name not in self._header.layers:
            raise ArgumentError(f"no layer '{name}'; there are: {', '.join(self._header.layers)}")
        k = self._header.layers.index(name)
        largest = self._tail["scale"].reshape(-1, len(self._header.layers))[self._record.index, k]
        data = self._record.maps[k].astype(np.float32) * np.float32(largest)
        classes = self._header.classes
        return ClassMaps(
            data, self.class_ids, self.size, classes.names, classes.background, self._header.normalisation
        )

    def _says(self) -> str:
        return "maps of " + (", ".join(self._names(self.class_ids)) or "no class")


class EntryRecord(ImageRecord):
    """One mask or map per box or sentence of an image."""

    @property
    def boxes(self) -> np.ndarray:
        """(B, 4) float32 xyxy, pixels; NaN for a sentence without a box."""
        return self._rows("box", "box")

    @property
    def sentences(self) -> tuple[str, ...]:
        """The sentence of each mask or map; empty if they are of boxes."""
        rows = self._header.rows(self._record.index, "box")
        return (self._header.sentences or ())[rows]

    @property
    def ids(self) -> np.ndarray:
        """(B,) int64: number of each object; sentences about one object share it."""
        return self._rows("box_id", "box")

    @property
    def class_ids(self) -> np.ndarray:
        """(B,) int64."""
        return self._rows("box_class", "box").astype(np.int64)

    @cached_property
    def data(self) -> np.ndarray:  # type: ignore[override]
        """(B, H, W): each window in its place, zero around it."""
        found = np.zeros((len(self.boxes), *self.size), self._record.data.dtype)
        for one, placed in zip(found, self._record.placed, strict=True):
            one[...] = placed
        return found

    def _says(self) -> str:
        if self._header.sentences is not None:
            return f"{len(self.sentences)} sentences"
        names = ", ".join(self._names(self.class_ids))
        return f"{len(self.boxes)} objects" + (f" ({names})" if names else "")


class ObjectRecord(EntryRecord):
    """One mask or map per box or sentence of an image, with its quality."""

    @property
    def scores(self) -> np.ndarray:
        """(B,) float32: quality of each mask or map, in [0, 1]."""
        return self._rows("score", "box")


class ProposalRecord(ImageRecord):
    """The regions that were proposed for an image, best first."""

    @property
    def boxes(self) -> np.ndarray:
        """(P, 4) float32 xyxy, pixels."""
        return proposal_boxes(self._record.proposals)

    @property
    def data(self) -> np.ndarray:
        """(P, H, W) bool."""
        found = self._record.proposals
        return found.members()[:, found.superpixels]

    def _says(self) -> str:
        return f"{len(self._record.proposals)} proposals"


class BoxRecord(ImageRecord):
    """The detections of an image."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of ``data``."""
        return tuple(self._header.attributes.get("columns", ()))

    @property
    def boxes(self) -> np.ndarray:
        """(R, 4) float32 xyxy, pixels."""
        return self._columns("x0", "y0", "x1", "y1")

    @property
    def scores(self) -> np.ndarray:
        """(R,) float32."""
        return self._columns("score")[:, 0]

    @property
    def class_ids(self) -> np.ndarray:
        """(R,) int64."""
        return self._columns("class")[:, 0].astype(np.int64)

    def _columns(self, *names: str) -> np.ndarray:
        table = self._record.data.reshape(-1, len(self.columns))
        return table[:, [self.columns.index(name) for name in names]]


class ScoreRecord(ImageRecord):
    """What a network made of an image, clean and corrupted; ``data`` is (M, K, F), see ``measure``."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Corruption and severity of each condition, such as "fog 3"; "clean 0" is the first."""
        return tuple(self._header.attributes["conditions"])

    @property
    def measure(self) -> str:
        """``class``: the id of the best class; ``scores``: of each class; ``pixels``: counts per class."""
        return str(self._header.attributes["measure"])

    def _says(self) -> str:
        return f"{self.measure} under {len(self.conditions)} conditions"


KINDS: dict[str, type[ImageRecord]] = {
    "mask": MaskRecord,
    "cam": CamRecord,
    "selection": ObjectRecord,
    "contour": ObjectRecord,
    "proposal": ProposalRecord,
    "box": BoxRecord,
    "score": ScoreRecord,
}
"""Kind of file -> its records; in a ``mask`` file with sentences they are ``EntryRecord``."""
