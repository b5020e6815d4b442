"""Image names as another machine wrote them: addresses, backslashes, drive letters, folders not here."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from urllib.parse import unquote

from wsstool.data.images import SUFFIXES

_DRIVE = re.compile(r"^[A-Za-z]:")
_SERVER = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_LOCAL_FILE = re.compile(r"\?(?:[^#]*&)?d=")


def path_parts(name: str) -> list[str]:
    r"""Return the folders and the file name of a path of any system, without drive and dots.

    >>> path_parts(r"C:\set\..\images\a.png")
    ['set', 'images', 'a.png']
    """
    return [p for p in _DRIVE.sub("", name).replace("\\", "/").split("/") if p not in ("", ".", "..")]


def path_of_address(address: str) -> str:
    """Return the path of an image in a web address, or a plain path as it is.

    A query or a fragment ends the path only behind the suffix of an image, so that names with ``?`` and ``#``
    that were not escaped are read. Label Studio's local files are named by the query, ``?d=PATH``.

    >>> path_of_address("https://example.org/set/a%20b.png?x=1"), path_of_address("/data/a#1.png")
    ('/set/a b.png', '/data/a#1.png')
    """
    if local := _LOCAL_FILE.search(address):
        return unquote(_before(address[local.end() :], "&"))
    if address.startswith("/") or _SERVER.match(address):
        return unquote(_before(_SERVER.sub("", address), "?#"))
    return address


def _before(path: str, marks: str) -> str:
    """Cut a path at the first of some marks that comes behind the suffix of an image."""
    ends = (k for k, letter in enumerate(path) if letter in marks)
    return next((path[:k] for k in ends if os.path.splitext(path[:k])[1].lower() in SUFFIXES), path)


def by_trailing_path(
    names: Iterable[str], images: Sequence[str], taken: Collection[int], usable: Collection[int] | None = None
) -> dict[str, int]:
    """Match names with images by the longest trailing path that they share, at least the bare file name.

    A name is matched with the only image that shares the most with it, and an image with one name only.

    Args:
        names: paths of another machine; a suffix is optional.
        images: posix paths relative to the data folder.
        taken: numbers of images that have a name already.
        usable: numbers of images that decide between several that share as much; None: all.

    Returns:
        Name -> number of its image.

    >>> by_trailing_path(["/home/me/val/a.png", "D:/b.png"], ["train/a.png", "val/a.png", "c.png"], ())
    {'/home/me/val/a.png': 1}
    """
    places: dict[str, list[int]] = {}
    folders = [path_parts(image)[:-1] for image in images]
    for i, image in enumerate(images):
        bare = image.rpartition("/")[2]
        for spelling in {bare, os.path.splitext(bare)[0]}:
            places.setdefault(spelling, []).append(i)
    found: dict[str, int] = {}
    for name in names:
        parts = path_parts(name)
        candidates = places.get(parts[-1], ()) if parts else ()
        shared = {i: _shared(parts[:-1], folders[i]) for i in candidates}
        best = [i for i in candidates if shared[i] == max(shared.values())]
        if len(best) > 1 and usable is not None:
            best = [i for i in best if i in usable]
        if len(best) == 1:
            found[name] = best[0]
    times = Counter(found.values())
    return {name: i for name, i in found.items() if times[i] == 1 and i not in taken}


def _shared(some: Sequence[str], others: Sequence[str]) -> int:
    """The number of trailing folders that two paths share."""
    count = 0
    for one, other in zip(reversed(some), reversed(others), strict=False):
        if one != other:
            break
        count += 1
    return count
