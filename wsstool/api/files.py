"""Record files by image name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.api.records import KINDS, EntryRecord, ImageRecord
from wsstool.argument_types import checked
from wsstool.errors import ArgumentError, UnknownImageError
from wsstool.stages.inputs.image_folder import image_folder


class RecordFile(Mapping[str, ImageRecord]):
    """A record file, open for reading: image name -> record.

    Attributes:
        kind: ``cam``, ``mask``, ``contour``, ``selection``, ``proposal``, ``box`` or ``score``.
        classes: names of all classes; a class id is an index.
        background: class id of the background, or -1.
        stage: the command that wrote the file.
    """

    def __init__(self, path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None) -> None:
        self.path = Path(path)
        self._folder = Path(images) if images is not None else None
        self._records: store.RandomAccess | None = store.open_random(self.path, command="open")
        self._header, self._tail = self._records.header, self._records.tail
        self._numbers = {name: i for i, name in enumerate(self._header.images)}
        self.kind, self.stage = self._header.payload, self._header.stage
        self.classes, self.background = self._header.classes.names, self._header.classes.background

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __getitem__(self, name: str) -> ImageRecord:
        """Return the record of an image.

        Args:
            name: path in the data folder, as iteration yields it; or the file name, if only one image has it.

        Raises:
            UnknownImageError: the file has no image of that name, or several.
            ArgumentError: the file is closed.
        """
        if self._records is None:
            raise ArgumentError(f"'{self.path}' is closed")
        number = self._numbers.get(name)
        if number is None:
            found = [i for one, i in self._numbers.items() if one.rpartition("/")[2] == name]
            if len(found) != 1:
                count = f"{len(found)} images are" if found else "no image is"
                raise UnknownImageError(f"{count} called '{name}' in '{self.path}'")
            number = found[0]
        is_entry = self.kind == "mask" and self._header.sentences is not None
        kind = EntryRecord if is_entry else KINDS[self.kind]
        return kind(self._records[number], self._tail, self.image_folder)

    def image_folder(self) -> Path:
        """Return the folder of the images.

        Raises:
            MissingInputError: it is not there; name it with ``open(path, images=...)``.
        """
        return image_folder(self._header, self._folder, self.path, compared=False)

    def close(self) -> None:
        """Close the file; records that were read stay valid."""
        self._records = None

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        classes = ", ".join(self.classes)
        classes = classes if len(classes) <= 60 else f"{classes[:57]}..."
        state = " (closed)" if self._records is None else ""
        return f"<{self.kind} file '{self.path}'{state}: {len(self)} images, classes {classes or 'none'}>"


@checked
def open(path: str | os.PathLike[str], images: str | os.PathLike[str] | None = None) -> RecordFile:
    """Open a record file to read its records by image name.

    Args:
        path: file that a stage wrote.
        images: folder of its images; None: the one that it was made from.

    Returns:
        A mapping from image name to record, with ``kind``, ``classes`` (names; a class id is an index),
        ``background`` (class id or -1) and ``close()``; also a context manager. An image is named by its
        path in the data folder, or by its file name alone if only one image has it. Every record has
        ``name``, ``size`` (H, W), ``failed``, ``tags`` (names of the image-level labels) and ``image``
        ((H, W, 3) uint8, read from the image folder), and by kind:

        - ``mask``: ``data`` (H, W) uint8 class ids, 255 undecided, (L, H, W) for L > 1 layers; ``layers``;
          ``overlay()`` a Pillow image.
        - ``cam``: ``maps`` (``ClassMaps``), ``data`` (K, h, w) float32, ``class_ids``, ``scores`` (K,);
          ``layer(NAME)`` the maps of another layer.
        - ``selection``, ``contour``: ``boxes`` (B, 4) xyxy pixels, ``class_ids``, ``scores`` and ``data``
          (B, H, W): masks (1 object, 0 not, 255 unsure), or maps in [0, 1]; ``ids`` (B,), and ``sentences``
          if there is one per mask. A ``mask`` file with sentences has the same, without ``scores``.
        - ``proposal``: ``data`` (P, H, W) bool, ``boxes`` (P, 4), best first.
        - ``box``: ``boxes`` (R, 4), ``scores``, ``class_ids``, ``data`` (R, F) and ``columns``.
        - ``score``: ``data`` (M, K, F), ``conditions`` (M texts such as "fog 3") and ``measure``.

    Raises:
        MissingInputError: no such file.
        BadInputError: damaged, incomplete, or not a record file.
    """
    return RecordFile(path, images)
