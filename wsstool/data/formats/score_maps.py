"""Class probabilities of other programs: one ``.npy`` per image, or one folder of grey PNGs per image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool.data.images import explained, opened
from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList

_ARRAY, _PICTURE = ".npy", ".png"


@dataclass(frozen=True)
class ScoreFolder:
    """A folder of class probabilities.

    Attributes:
        root: the folder.
        entries: image name in the folder, without suffix -> files of its maps, relative to the folder: one
            ``.npy``, or one PNG per class.
    """

    root: Path
    entries: dict[str, tuple[str, ...]]

    @property
    def files(self) -> list[str]:
        """All files, sorted."""
        return sorted(name for names in self.entries.values() for name in names)


def find(root: Path) -> ScoreFolder:
    """List the maps in a folder: ``a/b.npy`` or ``a/b/CLASS.png`` belong to the image ``a/b``.

    Raises:
        MissingInputError: there is none.
        BadInputError: an image has both.
    """
    files = [path for path in sorted(root.rglob("*")) if path.suffix.lower() in (_ARRAY, _PICTURE)]
    names = [path.relative_to(root).as_posix() for path in files if path.is_file()]
    arrays = {name[: -len(_ARRAY)]: (name,) for name in names if name.lower().endswith(_ARRAY)}
    entries: dict[str, tuple[str, ...]] = dict(arrays)
    for name in names:
        image = name.rpartition("/")[0]
        if not image or not name.lower().endswith(_PICTURE):
            continue
        if image in arrays:
            raise BadInputError(f"'{root}' has both {image}{_ARRAY} and PNGs in the folder {image}/")
        entries[image] = (*entries.get(image, ()), name)
    if not entries:
        raise MissingInputError(
            f"'{root}' contains no score maps: expected NAME.npy, (classes, rows, columns), or "
            "NAME/CLASS.png for each image"
        )
    return ScoreFolder(root, dict(sorted(entries.items())))


@dataclass(frozen=True)
class ScoreMaps:
    """The class probabilities of one image, not yet read.

    Attributes:
        class_ids: one per map, rising.
        shape: rows and columns of the maps.
        paths: the file, or one file per map.
        last: the classes are the last axis of the array, not the first.
        size: rows and columns of the image.
    """

    class_ids: tuple[int, ...]
    shape: tuple[int, int]
    paths: tuple[Path, ...]
    last: bool
    size: tuple[int, int]

    def read(self) -> np.ndarray:
        """Read the maps, (K, h, w) float32 in [0, 1].

        Raises:
            BadInputError: damaged, of another size than at first, or values that are not probabilities.
        """
        if self.paths[0].suffix.lower() == _ARRAY:
            maps = np.array(_array(self.paths[0]), np.float32)
            maps = np.moveaxis(maps, -1, 0) if self.last else maps
        else:
            maps = np.stack([_picture(path, self.shape) for path in self.paths])
        where = f"'{self.paths[0]}'"
        if maps.shape != (len(self.class_ids), *self.shape):
            raise BadInputError(f"{where} has changed while it was read")
        low, high = float(maps.min()), float(maps.max())
        if not (np.isfinite(maps).all() and low >= 0 and high <= 1 + 1e-3):
            raise BadInputError(
                f"{where} holds values from {low:.4g} to {high:.4g}; expected probabilities from 0 to 1 (the "
                "softmax of a network's output, not the output or a logarithm)"
            )
        return np.ascontiguousarray(maps.clip(0, 1))


def look(root: Path, files: tuple[str, ...], classes: ClassList, size: tuple[int, int]) -> ScoreMaps:
    """Find out the classes and the size of the maps of one image, without reading them.

    An array has one map for each class of the list, or for each but the background, as first axis or, where
    only that fits, as last. A PNG is named after its class or after the class's number; values are shares of
    the largest that 8 or 16 bits hold.

    Args:
        root: the folder.
        files: of the image, see ``ScoreFolder``.
        classes: the class list.
        size: rows and columns of the image.

    Raises:
        BadInputError: damaged, not that number of maps, an unknown class, maps of the turned image.
    """
    paths = tuple(root / name for name in files)
    if paths[0].suffix.lower() == _ARRAY:
        return _look_at_array(paths[0], classes, size)
    found: dict[int, Path] = {}
    for path in paths:
        found[_class_of(path, classes)] = path
    if len(found) < len(paths):
        raise BadInputError(f"'{paths[0].parent}' has two maps of one class")
    with explained(paths[0]), opened(paths[0]) as image:
        shape = image.height, image.width
    _check_upright(shape, size, paths[0])
    ids = tuple(sorted(found))
    return ScoreMaps(ids, shape, tuple(found[i] for i in ids), False, size)


def _look_at_array(path: Path, classes: ClassList, size: tuple[int, int]) -> ScoreMaps:
    shape = _array(path).shape
    known = {len(classes): tuple(range(len(classes))), len(classes.foreground): classes.foreground}
    if len(shape) == 3 and min(shape) > 0:
        first, last = shape[0] in known, shape[2] in known
        if first and last:  # the maps are most likely as large as the image
            first = shape[:2] != size
        if first or last:
            ids = known[shape[0] if first else shape[2]]
            grid = shape[1:] if first else shape[:2]
            _check_upright(grid, size, path)
            return ScoreMaps(ids, grid, (path,), not first, size)
    wanted = " or ".join(map(str, sorted(known)))
    raise BadInputError(
        f"'{path}' has the shape {' x '.join(map(str, shape))}; expected {wanted} classes x rows x columns "
        f"for {', '.join(classes.names)}"
    )


def _check_upright(shape: tuple[int, ...], size: tuple[int, int], path: Path) -> None:
    if shape != size and shape[::-1] == size:
        raise BadInputError(
            f"'{path}' has maps of {shape[0]} x {shape[1]}, but its image has {size[0]} rows and {size[1]} "
            "columns; the maps are turned"
        )


def _class_of(path: Path, classes: ClassList) -> int:
    name = path.stem
    if name in classes.names:
        return classes.names.index(name)
    if name.isascii() and name.isdigit() and int(name) < len(classes):
        return int(name)
    raise BadInputError(
        f"'{path}' is not named after a class or its number; the classes are: {', '.join(classes.names)}"
    )


def _array(path: Path) -> np.ndarray:
    """Return the array of a file, its values still on disk; pickled objects are refused."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise BadInputError(f"'{path}' cannot be read as an array ({error})") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        raise BadInputError(f"'{path}' does not hold floating-point numbers")
    return found


def _picture(path: Path, shape: tuple[int, int]) -> np.ndarray:
    with explained(path), opened(path) as image:
        mode, samples = image.mode, np.asarray(image)
    if mode not in ("L", "I", "I;16", "I;16B"):
        raise BadInputError(f"'{path}' is not a grey image (mode {mode})")
    if samples.shape != shape:
        raise BadInputError(f"'{path}' is not of the size of the maps beside it")
    return samples.astype(np.float32) / (255 if mode == "L" else 65535)
