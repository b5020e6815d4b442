"""Restrict a classifier to some of its outputs, as ImageNet-A and ImageNet-R are scored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wsstool.errors import BadInputError, MissingInputError
from wsstool.types import ClassList


def read_subset(path: Path, n_outputs: int) -> list[int]:
    """Read the numbers of the outputs that may win, one per line, counted from 0.

    Args:
        path: text file; empty lines are skipped.
        n_outputs: of the network.

    Raises:
        MissingInputError: no such file.
        BadInputError: a line that is no number, a number that is no output or stands there twice.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MissingInputError(f"cannot read '{path}': {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"'{path}' is not a text file with one output number per line") from error
    found: list[int] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text:
            continue
        if not text.isdecimal() or int(text) >= n_outputs:
            raise BadInputError(
                f"'{path}', line {number}: '{text}' is not the number of an output, 0 to {n_outputs - 1}"
            )
        if int(text) in found:
            raise BadInputError(f"'{path}', line {number}: output {text} is listed twice")
        found.append(int(text))
    if not found:
        raise BadInputError(f"'{path}' lists no output")
    return found


def classes_of_outputs(
    names: Sequence[str], chosen: Sequence[int], classes: ClassList, path: object
) -> list[int]:
    """Return the class of the data that each chosen output stands for.

    Names decide where the data have a class of the name of every chosen output. Otherwise line k of the file
    belongs to class k of the data (without the background): the class folders of ImageNet-A and -R in their
    order.

    Args:
        names: of all outputs.
        chosen: numbers of outputs.
        classes: of the data.
        path: of the file, for messages.

    Raises:
        BadInputError: neither names nor number of classes fit.

    Example:
        >>> classes_of_outputs(["cat", "cow", "dog"], [2, 0], ClassList(("cat", "dog")), "animals.txt")
        [1, 0]
        >>> classes_of_outputs(["0", "1", "2"], [0, 2], ClassList(("n01", "n07")), "animals.txt")
        [0, 1]
    """
    own = [names[k] for k in chosen]
    if set(own) <= {classes.names[i] for i in classes.foreground}:
        return [classes.names.index(name) for name in own]
    if len(chosen) != len(classes.foreground):
        raise BadInputError(
            f"'{path}' lists {len(chosen)} outputs, but the data have {len(classes.foreground)} classes"
        )
    return list(classes.foreground)
