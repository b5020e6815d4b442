"""Locate the image folder of a record file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from wsstool.errors import MissingInputError
from wsstool.store import Header


def image_folder(header: Header, images: Path | None = None, source: object = None) -> Path:
    """Return the folder of a file's images: the one given, ``WSSTOOL_IMAGES``, or the one it was made from.

    Args:
        header: of the record file.
        images: what ``--images`` says.
        source: path of the record file; a relative folder in its header is resolved from the working
            directory, then from the folder of the file.

    Raises:
        MissingInputError: no such folder, or an image of the file is not in it.
    """
    given = images or os.environ.get("WSSTOOL_IMAGES")
    folders = [Path(given)] if given else list(_made_from(header, source))
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        where = str(folders[0]) if folders else ""
        raise MissingInputError(
            f"the images are not in '{where}'; name their folder with --images"
            if where
            else "the input does not state where its images are; name their folder with --images"
        )
    for name, size in zip(header.images, header.sizes.tolist(), strict=True):
        if size != [0, 0] and not (found[0] / name).is_file():
            raise MissingInputError(
                f"there is no image '{name}' in '{found[0]}'; name the image folder with --images"
            )
    return found[0]


def _made_from(header: Header, source: object) -> Iterator[Path]:
    if header.image_root:
        root = Path(header.image_root)
        yield root
        if source is not None and str(source) != "-":
            yield Path(str(source)).parent / root
