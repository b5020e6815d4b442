"""Tell by their content whether two files, or a file and a folder, have the same images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsstool.errors import BadInputError
from wsstool.store import Header
from wsstool.store.provenance import fingerprint_folder, fingerprint_of_files, hashed_files


def content_of(header: Header) -> str | None:
    """Return the fingerprint of the images of a file; None where it does not have that of their content."""
    found = {given["role"]: given.get("fingerprint", "") for given in header.inputs}
    is_of_pixels = len(found) == len(header.inputs) and "import" not in found  # which reads none
    if header.payload == "box" or not is_of_pixels:  # files of boxes were read, if any
        return None
    return found["data"] if "data" in found and ":" not in found["data"] else None


def check_content(
    header: Header, folder: Path, source: object = None, fingerprint: str | None = None
) -> None:
    """Check that a folder has the images that a file was made from, if the file knows their content.

    Args:
        header: of the file.
        folder: with images of these names.
        source: the file as typed, for the message.
        fingerprint: of the images in the folder, if known; else every image is read once.

    Raises:
        BadInputError: images of other content.
    """
    content = content_of(header)
    if content is None:
        return
    if (fingerprint or fingerprint_folder(folder, header.images)) != content:
        raise BadInputError(
            f"'{source or 'stdin'}' was made from other images than those in '{folder}', which have equal "
            "names, but different content"
        )


def has_same_content(larger: Header, smaller: Header, folders: Sequence[Path]) -> bool | None:
    """Return whether two files were made from the same images, of which one file has more.

    A fingerprint covers all images of a file together, so those of different lists of images can only be
    compared where the images are.

    Args:
        larger: header of the file that has every image of the other.
        smaller: header of the other file.
        folders: where the images of ``larger`` may be; each image is read at most once per folder.

    Returns:
        None: the images that ``larger`` was made from are in none of the folders, or a file does not know
        the content of its images.
    """
    first, second = content_of(larger), content_of(smaller)
    if first is None or second is None:
        return None
    if larger.images == smaller.images:
        return first == second
    for folder in folders:
        if folder.is_dir():
            files = hashed_files(folder, larger.images)
            if fingerprint_of_files(files) == first:
                return fingerprint_of_files({name: files[name] for name in smaller.images}) == second
    return None
