"""Names of images in exported files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from wsstool.data.listing import IMAGE_FOLDERS, checked_name, without_suffix
from wsstool.errors import BadInputError


def unique(names: Sequence[str], images: Sequence[str]) -> None:
    """Raise BadInputError if two images get the same name."""
    seen: dict[str, str] = {}
    for name, image in zip(names, images, strict=True):
        if name in seen:
            raise BadInputError(f"'{seen[name]}' and '{image}' would both become '{name}'")
        seen[name] = image


def names_for_others(images: Sequence[str], flat: bool) -> list[str]:
    """Return image names for annotation tools: without a common leading ``images/``.

    Args:
        images: paths relative to the data folder.
        flat: leave out all folders.

    Raises:
        BadInputError: a name that leads out of the folder, or one name twice.
    """
    names = [checked_name(name, "the input") for name in images]
    first = {name.partition("/")[0] for name in names}
    if flat:
        names = [PurePosixPath(name).name for name in names]
    elif len(first) == 1 and first <= set(IMAGE_FOLDERS):
        names = [name.partition("/")[2] for name in names]
    unique([without_suffix(name) for name in names], images)
    return names
