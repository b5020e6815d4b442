"""The images and categories that a COCO file lists: every id once, names as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wsstool.data.images import MAX_PIXELS
from wsstool.errors import BadInputError


@dataclass(frozen=True)
class CocoIndex:
    """Images and categories of a COCO file.

    Args:
        files: image id -> file name.
        sizes: file name -> its stated (rows, columns), or None.
        categories: category id -> name, by ascending id; several ids may have one name.
        notes: sentences about what is joined.
    """

    files: dict[Any, str]
    sizes: dict[str, tuple[int, int] | None]
    categories: dict[int, str]
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the categories, each once, by ascending id."""
        return list(dict.fromkeys(self.categories.values()))

    @property
    def first_ids(self) -> dict[int, int]:
        """Category id -> the first id of that name."""
        first: dict[str, int] = {}
        return {i: first.setdefault(name, i) for i, name in self.categories.items()}


def read_index(data: dict[str, Any], source: str) -> CocoIndex:
    """Return the images and categories of the content of a COCO file; categories may be missing.

    Raises:
        BadInputError: an id twice, a category without a name, an image of two sizes or of too many pixels.
        KeyError, TypeError, ValueError, AttributeError: not in this format.
    """
    files: dict[Any, str] = {}
    sizes: dict[str, tuple[int, int] | None] = {}
    again = set()
    for image in data["images"]:
        key, name, size = image["id"], str(image["file_name"]), _stated_size(image)
        if key in files:
            raise BadInputError(f"{source} lists image id {key!r} twice, for {files[key]!r} and {name!r}")
        files[key] = name
        if name in sizes:
            again.add(name)
            if sizes[name] != size:
                raise BadInputError(f"{source} lists image {name!r} twice, with two sizes")
        sizes[name] = size
    categories = _categories(data, source)
    notes = []
    if again:
        more = f" and {len(again) - 1} others" if len(again) > 1 else ""
        notes.append(f"{source} lists image {min(again)!r}{more} under several ids; their objects are joined")
    for name in dict.fromkeys(categories.values()):
        ids = [str(i) for i, other in categories.items() if other == name]
        if len(ids) > 1:
            notes.append(f"{source} has {len(ids)} categories named '{name}' (ids {', '.join(ids)}), joined")
    return CocoIndex(files, sizes, categories, tuple(notes))


def _categories(data: dict[str, Any], source: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for category in sorted(data.get("categories") or (), key=lambda c: int(c["id"])):
        key, name = int(category["id"]), str(category["name"])
        if key in found:
            raise BadInputError(f"{source} lists category id {key} twice, for '{found[key]}' and '{name}'")
        if not name.strip():
            raise BadInputError(f"{source}: category {key} has no name")
        found[key] = name
    return found


def _stated_size(image: dict[str, Any]) -> tuple[int, int] | None:
    rows, columns = int(image.get("height") or 0), int(image.get("width") or 0)
    if rows * columns > MAX_PIXELS:
        raise ValueError(f"an image with {columns} x {rows} pixels is too large")
    return (rows, columns) if rows > 0 and columns > 0 else None
