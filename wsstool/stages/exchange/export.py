"""``export``: label maps as palette PNGs, instance masks and sentences in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.atomic import scratch_folder
from wsstool.errors import SomeFailedError, UsageError
from wsstool.options import takes
from wsstool.registry import EXPORTS
from wsstool.stages.exchange.instances import write_instances
from wsstool.stages.exchange.label_maps import write_label_maps
from wsstool.stages.exchange.output import check_output, put
from wsstool.stages.exchange.sentence_masks import PICTURES, check_format, write_expressions, write_pictures
from wsstool.stages.exchange.sentences import export_sentences
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.options.exchange import ExportOptions
from wsstool.types import SILENT, Messages

LABEL_MAPS = "png"
"""The format of ``mask`` files; those of ``selection`` files are in ``registry.EXPORTS``."""


@takes(ExportOptions)
def export(options: ExportOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Write a ``mask`` file as palette PNGs, a ``selection`` file or sentences for another program.

    Masks of sentences are written with their sentences, as annotations or as pictures.

    Nothing appears at ``output`` before the input was read completely and verified. Several layers go to one
    folder each.

    Returns:
        ``output``, ``format``, ``written`` (label maps, instances or sentences) and ``failed`` (images).

    Raises:
        UsageError: something is there already that no earlier export wrote, or an option that the kind of
            file does not have.
        BadInputError: two images would get one file, a name leads out of the folder, or a damaged input.
        SomeFailedError: more than ``max_failed`` images had failed.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    if options.expressions is not None:
        return export_sentences(options, messages)
    output = Path(options.output)
    check_output(output, options.force)
    kinds = ("mask", "selection")
    with store.open_records(options.source, kinds=kinds, command="export", sentences=True) as reader:
        write, format = _writer(reader.header, options)
        with scratch_folder(output) as staging:
            written = write(reader, staging / "export", messages=messages)
            is_same = put(staging / "export", output, options.force)
        if is_same:
            messages.say(f"'{output}' is up to date")
        failed = int((reader.tail["status"] != store.DONE).sum())
    if failed > options.max_failed:
        raise SomeFailedError(
            f"{failed} of {len(reader.header)} images failed in an earlier stage and have no mask"
        )
    return {"output": str(output), "format": format, "written": written, "failed": failed}


def _writer(header: store.Header, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for files of this kind, and its format.

    Raises:
        UsageError: an option that this kind does not have.
    """
    if header.sentences is not None:
        return _sentence_writer(header, options)
    payload, are_label_maps = header.payload, header.payload == "mask"
    format = options.format or (LABEL_MAPS if are_label_maps else "coco")
    if format == "overlay":
        raise UsageError("--format overlay is for masks of sentences; 'wsstool report' shows all others")
    if format != LABEL_MAPS and format not in EXPORTS.names():
        raise UsageError(f"--format {format} is for sentences; --expressions names their file")
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
    return partial(write_instances, **_instance_options(options, format)), format


def _instance_options(options: ExportOptions, format: str) -> dict[str, Any]:
    return {
        "format": format,
        "settings": options.settings or (),
        "like": options.like,
        "score_threshold": options.score_threshold,
        "flat": options.flat,
    }


def _sentence_writer(header: store.Header, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for masks of sentences, and its format."""
    format = options.format or "coco"
    check_format(format)
    if options.layer is not None or options.prefix is not None:
        raise UsageError("--layer and --prefix are for label maps; the input has one mask per sentence")
    if format in EXPORTS.names():
        return partial(write_instances, **_instance_options(options, format)), format
    if options.settings or options.like or options.score_threshold:
        raise UsageError("--set, --like and --score-threshold apply to --format coco and coco-results")
    if format not in PICTURES:
        return partial(write_expressions, format=format, flat=options.flat), format
    folder = image_folder(header, options.images, options.source) if format == "overlay" else None
    return partial(write_pictures, format=format, folder=folder, flat=options.flat), format
