"""``export``: a mask file as a folder of palette PNGs that every program shows and reads."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.classlist import write_class_list
from wsstool.data.listing import checked_name, without_suffix
from wsstool.data.masks import write_mask
from wsstool.errors import BadInputError, CannotWriteError, SomeFailedError, UsageError
from wsstool.types import SILENT, Messages, tracked

CLASS_FILE = "classes.txt"


def export(
    source: object = None,
    *,
    output: Path,
    layer: str | None = None,
    prefix: str | None = None,
    flat: bool = False,
    force: bool = False,
    max_failed: int = 0,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Write every mask as ``NAME.png`` below a folder, and the class list beside them.

    Nothing is seen in ``output`` before the input was read to its end and found whole.

    Args:
        source: a ``mask`` file, ``-`` or None for standard input.
        output: the folder; made when it is not there. Names of images are kept, endings become ``.png``.
        layer: the layer to write; several layers without a choice go to a folder each.
        prefix: what stands in front of a layer's name as its folder; also a single layer then has one.
        flat: leave out the folders that images lie in.
        force: write into a folder that holds something already; files of other names stay.
        max_failed: images that may have failed in the stage that wrote ``source``; they get no file.
        messages: where progress goes.

    Returns:
        ``folder``, ``written`` and ``failed``. Masks in which no pixel is known get no file either.

    Raises:
        UsageError: the folder is not empty, or there is no such layer.
        BadInputError: two images would get one file, a name leads out of the folder, or a damaged input.
        SomeFailedError: more than ``max_failed`` images had failed.
        CannotWriteError: no space, no permission, or ``output`` is a file.
    """
    output = Path(output)
    _check_folder(output, force)
    with store.open_records(source, kinds=("mask",), command="export") as reader:
        header = reader.header
        layers = _layers(header.layers, layer, prefix)
        names = _file_names(header.images, flat)
        empty = 0
        with _staged(output) as staging:
            write_class_list(staging / CLASS_FILE, header.classes)
            for record in tracked(reader.records(), messages, len(header), "masks"):
                if record.failed:  # or with nothing known: both are 255 throughout, the status tells
                    empty += 1
                    continue
                for k, folder in layers:
                    target = staging / folder / names[record.index]
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write_mask(target, np.ascontiguousarray(record.data[k]), header.classes)
            _move_into(staging, output)
        failed = int((reader.tail["status"] != store.DONE).sum())
    if empty > failed:
        messages.warn(f"{empty - failed} masks without a labelled pixel were left out")
    if failed > max_failed:
        raise SomeFailedError(f"{failed} of {len(names)} images had failed before and have no mask")
    return {"folder": str(output), "written": len(names) - empty, "failed": failed}


def _check_folder(output: Path, force: bool) -> None:
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"'{output}' is a file; name a folder")
    if not force and output.is_dir() and any(output.iterdir()):
        raise UsageError(f"'{output}' is not empty; --force writes into it all the same")


def _layers(layers: Sequence[str], chosen: str | None, prefix: str | None) -> list[tuple[int, str]]:
    """(number, folder below the output) of the layers to write."""
    if chosen is not None and chosen not in layers:
        raise UsageError(f"--layer {chosen}: there is no such layer; there are: {', '.join(layers)}")
    numbers = range(len(layers)) if chosen is None else [list(layers).index(chosen)]
    if len(numbers) == 1 and prefix is None:
        return [(numbers[0], "")]
    return [(k, checked_name(f"{prefix or ''}{layers[k]}", "the output")) for k in numbers]


def _file_names(images: Sequence[str], flat: bool) -> list[str]:
    names = [without_suffix(checked_name(name, "the input")) + ".png" for name in images]
    if flat:
        names = [PurePosixPath(name).name for name in names]
    seen: dict[str, str] = {}
    for name, image in zip(names, images, strict=True):
        if name in seen:
            raise BadInputError(f"'{seen[name]}' and '{image}' would both become '{name}'")
        seen[name] = image
    return names


class _staged:  # noqa: N801 - reads as a statement: with _staged(...)
    """A folder beside the output for what is not complete yet; removed at the end."""

    def __init__(self, output: Path) -> None:
        self.output = output

    def __enter__(self) -> Path:
        try:
            parent = self.output.absolute().parent
            self.folder = Path(tempfile.mkdtemp(prefix=f".{self.output.name}-", suffix=".part", dir=parent))
        except OSError as error:
            raise CannotWriteError(f"cannot write '{self.output}': {error.strerror}") from error
        return self.folder

    def __exit__(self, *exc: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _move_into(staging: Path, output: Path) -> None:
    """Put every finished file in its place. A link inside the folder that leads out of it is not followed."""
    try:
        output.mkdir(exist_ok=True)
        inside = output.resolve()
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            target = output / PurePosixPath(path.relative_to(staging).as_posix())
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.parent.resolve().is_relative_to(inside):
                raise BadInputError(f"'{target}' leads out of '{output}'")
            os.replace(path, target)
    except OSError as error:
        raise CannotWriteError(f"cannot write '{output}': {error.strerror or error}") from error
