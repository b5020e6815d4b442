"""Options that select a part of the images of a data folder: a list of names, a shard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from wsstool.errors import UsageError
from wsstool.options import Options, option

if TYPE_CHECKING:
    from wsstool.data.name_list import NameList

SHARD_IN_NAME = "%s"
"""Stands for the number of the shard in the name of an output."""


@dataclass(frozen=True, kw_only=True)
class ImageList(Options):
    """A list of images in place of a walk of the data folder."""

    files_from: Path | None = option(
        None,
        "file with the names of the images to use, relative to DATA, one per line; '-': standard input; the "
        "folder is not searched for others; with --split, those of them in that part",
        panel="Input",
        key=False,
        metavar="FILE",
    )

    @cached_property
    def name_list(self) -> NameList | None:
        """The list, read once; None: all images of the folder.

        Raises:
            UsageError, MissingInputError, BadInputError: see ``read_name_list``.
        """
        if self.files_from is None:
            return None
        from wsstool.data.name_list import read_name_list  # imports numpy

        return read_name_list(self.files_from)

    def check_split(self, folder: object) -> None:
        """Raise UsageError if the option ``--split`` names one that a data folder cannot have."""
        split = getattr(self, "split", None)
        if split is None or folder is None or self.files_from is not None or self.unused("split"):
            return
        check_split(Path(str(folder)), split)


def check_split(folder: Path, split: str) -> None:
    """Raise the error of ``split_indices`` if neither lists, folders nor label files can name a split.

    The images are listed only where no list and no folder near the top has that name, so that a right split
    costs next to nothing. What only the stage can judge passes: a file of names, which may lie in several
    places, the splits inside files with sentences, and input that is no data folder.

    Raises:
        UsageError: no split of that name; the message lists those that are there.
    """
    from wsstool.data.formats import coco  # these import numpy
    from wsstool.data.listing import Lookup, find_images
    from wsstool.data.splits import names_split, split_files, split_indices
    from wsstool.expressions.recognise import candidates

    if not folder.is_dir() or Path(split).suffix or Path(split).is_absolute() or candidates(folder):
        return
    if any(path.stem == split for path in split_files(folder)):
        return
    if (folder / split).is_dir() or any(path.is_dir() for path in folder.glob(f"*/{_literal(split)}")):
        return
    try:
        own = any(names_split(path.name, split) for path in coco.candidates(folder, split))
    except UsageError:  # several, and none is that of the split
        own = False
    names = find_images(folder)
    if names and not own:
        split_indices(folder, names, Lookup(names), split)


def _literal(name: str) -> str:
    """Return a pattern that only ``name`` itself matches."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


@dataclass(frozen=True, kw_only=True)
class Shard(Options):
    """One of several parts of the images, for runs on several machines."""

    shard: str | None = option(
        None,
        "only the I-th of N parts, I from 0; 'merge' joins them; auto: as a Slurm array or torchrun numbers "
        "this process; %s in the name of the output stands for I",
        panel="Input",
        metavar="I/N|auto",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard is None:
            return
        is_auto = self.shard == "auto"
        if is_auto:
            object.__setattr__(self, "shard", shard_of_environment(os.environ))
        from wsstool.store import parse_shard  # imports h5py

        number, count = parse_shard(str(self.shard))
        output = getattr(self, "output", None)
        if output is not None and SHARD_IN_NAME in str(output):
            object.__setattr__(self, "output", Path(str(output).replace(SHARD_IN_NAME, str(number))))
        elif is_auto and output is not None and count > 1 and not _numbered(str(output), number):
            raise UsageError(
                f"-o {output}: {count} tasks would write the same file; write {SHARD_IN_NAME} in its name "
                "for the number of the shard"
            )


def _numbered(output: str, number: int) -> bool:
    """Whether the name of an output holds the number of the shard, or of its task."""
    own = {str(number), os.environ.get("SLURM_ARRAY_TASK_ID", str(number))}
    return output == "-" or any(one in output for one in own)


def shard_of_environment(variables: Mapping[str, str]) -> str:
    """Return the shard ``I/N`` that a Slurm array or torchrun gives to this process.

    Args:
        variables: of the environment. An array sets ``SLURM_ARRAY_TASK_ID``, ``_COUNT``, ``_MIN``, ``_MAX``
            and ``_STEP``; torchrun sets ``RANK`` and ``WORLD_SIZE``.

    Raises:
        UsageError: neither is set or both are and differ, a variable is missing or is no number, or the array
            has gaps.

    Example:
        >>> shard_of_environment({"RANK": "3", "WORLD_SIZE": "8"})
        '3/8'
    """
    found = [one for one in (_of_array(variables), _of_ranks(variables)) if one is not None]
    if not found:
        raise UsageError(
            "--shard auto: neither a Slurm array (SLURM_ARRAY_TASK_ID) nor torchrun (RANK, WORLD_SIZE) "
            "numbers this process; give --shard I/N"
        )
    if len(set(found)) > 1:
        raise UsageError(
            f"--shard auto: the Slurm array says {found[0]}, but RANK and WORLD_SIZE say {found[1]}; give "
            "--shard I/N"
        )
    return found[0]


def _of_array(variables: Mapping[str, str]) -> str | None:
    prefix = "SLURM_ARRAY_TASK_"
    if f"{prefix}ID" not in variables:
        return None
    number, count = (_whole(variables, prefix + name) for name in ("ID", "COUNT"))
    first = _whole(variables, f"{prefix}MIN", 0)
    step = _whole(variables, f"{prefix}STEP", 1)
    last = _whole(variables, f"{prefix}MAX", first + step * (count - 1))
    place, odd = divmod(number - first, max(1, step))
    if odd or not 0 <= place < count or last != first + step * (count - 1):
        raise UsageError(
            f"--shard auto: task {number} of {count} from {first} to {last} is no array without gaps; to run "
            "some tasks of an array again, requeue them or give --shard I/N"
        )
    return f"{place}/{count}"


def _of_ranks(variables: Mapping[str, str]) -> str | None:
    if "RANK" not in variables and "WORLD_SIZE" not in variables:
        return None
    rank, size = _whole(variables, "RANK"), _whole(variables, "WORLD_SIZE")
    if not rank < size:
        raise UsageError(f"--shard auto: RANK is {rank}, but WORLD_SIZE {size}; give --shard I/N")
    return f"{rank}/{size}"


def _whole(variables: Mapping[str, str], name: str, default: int | None = None) -> int:
    """Return the number in a variable of the environment."""
    text = variables.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isdecimal():
        raise UsageError(
            f"--shard auto: {name} is {'not set' if text is None else repr(text)}; give --shard I/N"
        )
    return int(text)
