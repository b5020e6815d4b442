"""Locate the image folder of a record file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from wsstool.errors import MissingInputError
from wsstool.stages.inputs.image_content import check_content
from wsstool.store import Header


def image_folder(
    header: Header, images: Path | None = None, source: object = None, *, compared: bool = True
) -> Path:
    """Return the folder of a file's images: the one given, ``WSSTOOL_IMAGES``, or the one it was made from.

    In a folder that is named, every image of the file is read once to compare its content.

    Args:
        header: of the record file.
        images: what ``--images`` says.
        source: path of the record file; a relative folder in its header is resolved from the working
            directory, then from the folder of the file.
        compared: whether the content counts; not where no pixels are read.

    Raises:
        MissingInputError: no such folder, or an image of the file is not in it.
        BadInputError: the images of a folder that is named are others than those the file was made from.
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
    if compared and _named(images):
        check_content(header, found[0], source)
    return found[0]


def tried_folders(image_root: str, images: Path | None = None, source: object = None) -> list[Path]:
    """Return the folders in which ``image_folder`` looks, in order; ``image_root`` is that of the header."""
    if given := _named(images):
        return [Path(given)]
    return own_folders(image_root, source)


def own_folders(image_root: str, source: object = None) -> list[Path]:
    """Return the folders in which the images may be that a file was made from."""
    if not image_root:
        return []
    beside = [Path(str(source)).parent / image_root] if source is not None and str(source) != "-" else []
    return [Path(image_root), *beside]


def _named(images: Path | None) -> Path | str | None:
    return images or os.environ.get("WSSTOOL_IMAGES")


def in_words(folders: Sequence[Path]) -> str:
    """Return the full paths of folders, for a message."""
    return " or ".join(dict.fromkeys(f"'{folder.absolute()}'" for folder in folders))
