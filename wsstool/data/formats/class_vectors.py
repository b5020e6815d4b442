"""Class vectors: an npz of class names and the embeddings of text that stand for them."""

from __future__ import annotations

import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsstool.annotation_file import regular
from wsstool.data.classlist import BACKGROUND_NAMES
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
from wsstool.memory import check_zip_budget

NAMES, VECTORS, BACKGROUND = "names", "vectors", "background"
"""Arrays of the file: (C,) strings, (C,D) floats, and (K,) strings, which may be missing."""


@dataclass(frozen=True)
class ClassVectors:
    """Vectors of text in the space of an image tower.

    Attributes:
        names: of C classes.
        vectors: (C,D) float32, finite, none zero.
        background: (K,D) float32, vectors that compete with the classes but are none of them.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    background: np.ndarray


def read_class_vectors(path: Path) -> ClassVectors:
    """Read the class vectors in an npz file.

    The names listed in the array ``background``, and the usual names of a background, are no classes.

    Raises:
        MissingInputError: no such file.
        BadInputError: not an npz, damaged, with Python objects, without an array, names that are no texts,
            empty or repeated, a vector that is zero or not finite, as many names as vectors not given, or no
            class.
    """
    arrays = _arrays(path)
    names = _names(arrays, NAMES, path)
    vectors = arrays[VECTORS]
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu" or len(vectors) != len(names) or not vectors.size:
        raise BadInputError(
            f"'{path}': vectors must be numbers of shape ({len(names)}, D), one row per name, not "
            f"{vectors.dtype} of shape {vectors.shape}"
        )
    with np.errstate(over="ignore"):
        vectors = vectors.astype(np.float32)
    for problem, is_bad in (
        ("contains values that are not finite", ~np.isfinite(vectors).all(1)),
        ("is zero", ~vectors.any(1)),
    ):
        if is_bad.any():
            raise BadInputError(f"'{path}': the vector of '{names[int(is_bad.argmax())]}' {problem}")
    others = set(_names(arrays, BACKGROUND, path)) if BACKGROUND in arrays else set()
    if unknown := sorted(others - set(names)):
        raise BadInputError(f"'{path}': background lists '{unknown[0]}', which is not among the names")
    is_class = np.array([name not in others and name.lower() not in BACKGROUND_NAMES for name in names])
    if not is_class.any():
        raise BadInputError(f"'{path}': all names are background, so there is no class to map")
    classes = tuple(name for name, keep in zip(names, is_class, strict=True) if keep)
    return ClassVectors(classes, vectors[is_class], vectors[~is_class])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays without running any code of the file."""
    try:
        with zipfile.ZipFile(regular(path, seeks=True)) as archive:
            check_zip_budget(path, archive.infolist(), f"'{path}'")
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in (NAMES, VECTORS, BACKGROUND) if name in file.files}
            stored = file.files
    except FileNotFoundError:
        raise MissingInputError(f"there is no file '{path}' with class vectors") from None
    except WsstoolError:
        raise
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise BadInputError(
                f"'{path}' contains Python objects and was not opened, for safety; save names as an array of "
                "texts: np.array(names, dtype=str)"
            ) from error
        raise BadInputError(f"'{path}' is damaged or not an npz file ({error})") from error
    except Exception as error:  # damaged zips raise almost anything
        raise BadInputError(f"'{path}' is damaged or not an npz file ({error})") from error
    for name in (NAMES, VECTORS):
        if name not in found:
            raise BadInputError(
                f"'{path}' has no array '{name}'; it needs names and vectors, and has: "
                f"{', '.join(stored) or 'none'}"
            )
    return found


def _names(arrays: dict[str, np.ndarray], key: str, path: Path) -> list[str]:
    array = arrays[key]
    if array.ndim != 1 or (array.dtype.kind != "U" and array.size):
        raise BadInputError(
            f"'{path}': {key} must be a list of texts, not {array.dtype} of shape {array.shape}"
        )
    names = [unicodedata.normalize("NFC", str(name)).strip() for name in array]
    for i, name in enumerate(names):
        if not name:
            raise BadInputError(f"'{path}': {key} contains an empty text")
        if name in names[:i]:
            raise BadInputError(f"'{path}': {key} contains '{name}' twice")
    return names
