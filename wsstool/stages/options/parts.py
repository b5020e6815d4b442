"""Options that select a part of the images of a data folder: a list of names, a shard."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from wsstool.options import Options, option
from wsstool.stages.options.panels import INPUT

if TYPE_CHECKING:
    from wsstool.data.name_list import NameList


@dataclass(frozen=True, kw_only=True)
class ImageList(Options):
    """A list of images in place of a walk of the data folder."""

    files_from: Path | None = option(
        None,
        "file with the names of the images to use, relative to DATA, one per line; '-': standard input; the "
        "folder is not searched for others; with --split, those of them in that part",
        panel=INPUT,
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


@dataclass(frozen=True, kw_only=True)
class Shard(Options):
    """One of several parts of the images, for runs on several machines."""

    shard: str | None = option(
        None, "only the I-th of N parts, I from 0; 'merge' joins them", panel=INPUT, metavar="I/N"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard is not None:
            from wsstool.store import parse_shard  # imports h5py

            parse_shard(self.shard)
