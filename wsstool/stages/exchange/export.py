"""``export``: label maps as palette PNGs, instance masks in the formats of annotation tools."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from wsstool import store
from wsstool.atomic import scratch_folder
from wsstool.errors import BadInputError, CannotWriteError, SomeFailedError, UsageError
from wsstool.options import takes
from wsstool.stages.exchange.instances import write_instances
from wsstool.stages.exchange.label_maps import write_label_maps
from wsstool.stages.options.exchange import ExportOptions
from wsstool.types import SILENT, Messages

LABEL_MAPS = "png"
"""The format of ``mask`` files; those of ``selection`` files are in ``registry.EXPORTS``."""


@takes(ExportOptions)
def export(options: ExportOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Write a ``mask`` file as palette PNGs, or a ``selection`` file for another program.

    Nothing appears at ``output`` before the input was read completely and verified. Several layers go to one
    folder each.

    Returns:
        ``output``, ``format``, ``written`` (label maps, or instances) and ``failed`` (images).

    Raises:
        UsageError: something is there already, or an option that the kind of file does not have.
        BadInputError: two images would get one file, a name leads out of the folder, or a damaged input.
        SomeFailedError: more than ``max_failed`` images had failed.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    output = Path(options.output)
    _check_output(output, options.force)
    with store.open_records(options.source, kinds=("mask", "selection"), command="export") as reader:
        write, format = _writer(reader.header.payload, options)
        with scratch_folder(output) as staging:
            written = write(reader, staging / "export", messages=messages)
            _put(staging / "export", output)
        failed = int((reader.tail["status"] != store.DONE).sum())
    if failed > options.max_failed:
        raise SomeFailedError(
            f"{failed} of {len(reader.header)} images failed in an earlier stage and have no mask"
        )
    return {"output": str(output), "format": format, "written": written, "failed": failed}


def _writer(payload: str, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for files of this kind, and its format.

    Raises:
        UsageError: an option that this kind does not have.
    """
    are_label_maps = payload == "mask"
    format = options.format or (LABEL_MAPS if are_label_maps else "coco")
    if are_label_maps is not (format == LABEL_MAPS):
        raise UsageError(
            f"--format {format} is for {'selection' if are_label_maps else 'mask'} files, but the input is "
            f"a {payload} file"
        )
    if are_label_maps:
        if options.settings or options.like or options.score_threshold:
            raise UsageError("--set, --like and --score-threshold are for selection files")
        return partial(
            write_label_maps, layer=options.layer, prefix=options.prefix, flat=options.flat
        ), format
    if options.layer is not None or options.prefix is not None:
        raise UsageError("--layer and --prefix are for mask files; a selection file has no layers")
    return partial(
        write_instances,
        format=format,
        settings=options.settings or (),
        like=options.like,
        score_threshold=options.score_threshold,
        flat=options.flat,
    ), format


def _check_output(output: Path, force: bool) -> None:
    if output.exists() and not output.is_file() and not output.is_dir():
        raise CannotWriteError(f"cannot write '{output}': it is neither a file nor a folder")
    if force or not output.exists():
        return
    if not output.is_dir():
        raise UsageError(f"'{output}' exists; --force replaces it")
    if any(output.iterdir()):
        raise UsageError(f"'{output}' is not empty; --force writes into it anyway")


def _put(made: Path, output: Path) -> None:
    """Move the finished output into place: a file, or every file of a folder."""
    try:
        if made.is_dir():
            _move_into(made, output)
        elif output.is_dir():
            raise CannotWriteError(f"'{output}' is a folder; this format writes a file")
        else:
            os.replace(made, output)
    except OSError as error:
        raise CannotWriteError(f"cannot write '{output}': {error.strerror or error}") from error


def _move_into(staging: Path, output: Path) -> None:
    """Move every finished file into place. A link inside the folder that leads out of it is not followed."""
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"'{output}' is a file; name a folder")
    output.mkdir(exist_ok=True)
    inside = output.resolve()
    for path in sorted(p for p in staging.rglob("*") if p.is_file()):
        target = output / PurePosixPath(path.relative_to(staging).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(inside):
            raise BadInputError(f"'{target}' is outside of '{output}'")
        os.replace(path, target)
