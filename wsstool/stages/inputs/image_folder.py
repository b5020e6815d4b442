"""Locate the image folder of a record file."""

from __future__ import annotations

import os
from collections.abc import Sequence
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
    folders = tried_folders(header.image_root, images, source)
    found = [folder for folder in folders if folder.is_dir()]
    if not found:
        raise MissingInputError(
            f"the images are not in {in_words(folders)}; name their folder with --images"
            if folders
            else "the input does not state where its images are; name their folder with --images"
        )
    for name, size in zip(header.images, header.sizes.tolist(), strict=True):
        if size != [0, 0] and not (found[0] / name).is_file():
            raise MissingInputError(
                f"there is no image '{name}' in '{found[0]}'; name the image folder with --images"
            )
    return found[0]


def tried_folders(image_root: str, images: Path | None = None, source: object = None) -> list[Path]:
    """Return the folders in which ``image_folder`` looks, in order; ``image_root`` is that of the header."""
    if given := images or os.environ.get("WSSTOOL_IMAGES"):
        return [Path(given)]
    if not image_root:
        return []
    beside = [Path(str(source)).parent / image_root] if source is not None and str(source) != "-" else []
    return [Path(image_root), *beside]


def in_words(folders: Sequence[Path]) -> str:
    """Return the full paths of folders, for a message."""
    return " or ".join(dict.fromkeys(f"'{folder.absolute()}'" for folder in folders))
