"""``export``: label maps as palette PNGs, instance masks in the formats of annotation tools."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from wsstool import store
from wsstool.atomic import scratch_folder
from wsstool.errors import BadInputError, CannotWriteError, SomeFailedError, UsageError
from wsstool.stages.exchange.instances import write_instances
from wsstool.stages.exchange.label_maps import write_label_maps
from wsstool.types import SILENT, Messages

LABEL_MAPS = "png"
"""The format of ``mask`` files; those of ``selection`` files are in ``registry.EXPORTS``."""


def export(
    source: object = None,
    *,
    output: Path,
    format: str | None = None,
    settings: Sequence[str] | None = None,
    like: Path | None = None,
    score_threshold: float = 0.0,
    layer: str | None = None,
    prefix: str | None = None,
    flat: bool = False,
    force: bool = False,
    max_failed: int = 0,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Write a ``mask`` file as palette PNGs, or a ``selection`` file for another program.

    Nothing is seen at ``output`` before the input was read to its end and found whole.

    Args:
        source: a ``mask`` or ``selection`` file, ``-`` or None for standard input.
        output: a folder (``png``, ``yolo``, ``voc``), which is made when it is not there, or a file.
        format: ``png`` for a ``mask`` file, a name in ``registry.EXPORTS`` for a ``selection`` file; None:
            ``png``, or ``coco``.
        settings: ``NAME=VALUE`` options of the format.
        like: the COCO file whose image and category ids the COCO formats use.
        score_threshold: instances with a lower score are left out.
        layer: the layer of a ``mask`` file; several layers without a choice go to a folder each.
        prefix: what stands in front of a layer's name as its folder; also a single layer then has one.
        flat: leave out the folders that images lie in; else only ``images/``, where all lie in it, and not
            for ``png``.
        force: write into a folder that holds something already (files of other names stay), or over a file.
        max_failed: images that may have failed in the stage that wrote ``source``; they get no mask.
        messages: where progress goes.

    Returns:
        ``output``, ``format``, ``written`` (label maps, or instances) and ``failed`` (images).

    Raises:
        UsageError: something is there already, or an option that the kind of file does not have.
        BadInputError: two images would get one file, a name leads out of the folder, or a damaged input.
        SomeFailedError: more than ``max_failed`` images had failed.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    output = Path(output)
    _check_output(output, force)
    with store.open_records(source, kinds=("mask", "selection"), command="export") as reader:
        of_masks = reader.header.payload == "mask"
        format = format or (LABEL_MAPS if of_masks else "coco")
        if of_masks is not (format == LABEL_MAPS):
            raise UsageError(
                f"--format {format} is for {'selection' if of_masks else 'mask'} files, "
                f"and the input is a {reader.header.payload} file"
            )
        with scratch_folder(output) as staging:
            target = staging / "export"
            if of_masks:
                if settings or like or score_threshold:
                    raise UsageError("--set, --like and --score-threshold are for selection files")
                written = write_label_maps(reader, target, layer, prefix, flat, messages)
            else:
                if layer is not None or prefix is not None:
                    raise UsageError(
                        "--layer and --prefix are for mask files; a selection file has no layers"
                    )
                written = write_instances(
                    reader, target, format, settings or (), like, score_threshold, flat, messages
                )
            _put(target, output)
        failed = int((reader.tail["status"] != store.DONE).sum())
    if failed > max_failed:
        raise SomeFailedError(f"{failed} of {len(reader.header)} images had failed before and have no mask")
    return {"output": str(output), "format": format, "written": written, "failed": failed}


def _check_output(output: Path, force: bool) -> None:
    if output.exists() and not output.is_file() and not output.is_dir():
        raise CannotWriteError(f"cannot write '{output}': it is neither a file nor a folder")
    if force or not output.exists():
        return
    if not output.is_dir():
        raise UsageError(f"'{output}' exists; --force replaces it")
    if any(output.iterdir()):
        raise UsageError(f"'{output}' is not empty; --force writes into it all the same")


def _put(made: Path, output: Path) -> None:
    """Put what was made in its place: a file, or every file of a folder."""
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
    """Put every finished file in its place. A link inside the folder that leads out of it is not followed."""
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"'{output}' is a file; name a folder")
    output.mkdir(exist_ok=True)
    inside = output.resolve()
    for path in sorted(p for p in staging.rglob("*") if p.is_file()):
        target = output / PurePosixPath(path.relative_to(staging).as_posix())
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(inside):
            raise BadInputError(f"'{target}' leads out of '{output}'")
        os.replace(path, target)
