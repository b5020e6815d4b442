"""Checks of options beside the other ones or the input, and the limit on failed images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TypeVar

import numpy as np

from wsstool.errors import BadInputError, SomeFailedError, UsageError
from wsstool.options import Options, spelled
from wsstool.types import IGNORE, ClassList

Kind = TypeVar("Kind", bound=Options)


def only(kind: type[Kind], options: Options, why: str, ignored: Sequence[str] = ()) -> Kind:
    """Reduce the options of a command to those of the kind of input or output at hand.

    Args:
        kind: a base class of ``type(options)``.
        options: of the command.
        why: completes the error "--x ...".
        ignored: options of another kind that may be set all the same.

    Raises:
        UsageError: another option of another kind is not at its default.
    """
    own = kind.declarations()
    for one in fields(options):
        if one.name not in own and one.name not in ignored and getattr(options, one.name) != one.default:
            raise UsageError(f"{spelled(options, one.name)} {why}")
    return kind(**{name: getattr(options, name) for name in own})


def check_failed(failed: int, max_failed: int) -> None:
    """Raise SomeFailedError when more images failed than allowed; the weights are written."""
    if failed > max_failed:
        raise SomeFailedError(f"{failed} images failed and were left out; --max-failed allows {max_failed}")


def check_fits_label_map(map_class: np.ndarray, background: int = -1) -> None:
    """Raise BadInputError if a label map cannot hold one of these class ids, or that of the background."""
    highest = max(int(map_class.max(initial=0)), background)
    if highest >= IGNORE:
        raise BadInputError(f"a label map holds classes 0 to {IGNORE - 1}; the input has class {highest}")


def class_id(name: str | None, classes: ClassList) -> int | None:
    """The class that ``--ignore-class`` names, by name or id.

    Raises:
        UsageError: there is none.
    """
    if name is None:
        return None
    if name in classes.names:
        return classes.names.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    raise UsageError(f"--ignore-class {name}: unknown class; the classes are: {', '.join(classes.names)}")
