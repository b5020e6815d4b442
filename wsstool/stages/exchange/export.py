"""``export``: masks, class maps, sentences and trained networks in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from wsstool import store
from wsstool.atomic import scratch_folder
from wsstool.errors import SomeFailedError, UsageError
from wsstool.options import takes
from wsstool.registry import EXPORTS, EXPRESSION_EXPORTS
from wsstool.stages.exchange.instances import ScoreRange, write_instances
from wsstool.stages.exchange.label_maps import write_label_maps
from wsstool.stages.exchange.output import check_output, put
from wsstool.stages.exchange.overlays import write_overlays
from wsstool.stages.exchange.sentence_masks import PICTURES, check_format, write_expressions, write_pictures
from wsstool.stages.exchange.sentences import export_sentences
from wsstool.stages.exchange.slides import SLIDE_MAPS, write_slides
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.options.exchange import ExportOptions
from wsstool.types import SILENT, Messages

LABEL_MAPS, OVERLAY = "png", "overlay"
"""Formats of label maps and class maps; those of objects and regions are in ``registry.EXPORTS``."""

_DEFAULTS = {"mask": LABEL_MAPS, "cam": OVERLAY, "selection": "coco"}


@takes(ExportOptions)
def export(options: ExportOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Write label maps, class maps, object masks, sentences or a trained network for another program.

    A ``mask`` file becomes palette PNGs, overlays on the images, or its regions in the formats of objects; a
    ``cam`` file becomes overlays. Masks of sentences are written with their sentences, as annotations or as
    pictures. Label maps of the tiles of ``tiles`` become one file per slide. A weights file becomes a network
    that takes plain pixels, see ``export_network``.

    Nothing appears at ``output`` before the input was read completely and verified. Several layers go to one
    folder each.

    Returns:
        ``output``, ``format``, ``written`` (label maps, instances, sentences or networks) and ``failed``
        (images).

    Raises:
        UsageError: something is there already that no earlier export wrote, or an option that the kind of
            file does not have.
        BadInputError: two images would get one file, a name leads out of the folder, or a damaged input.
        SomeFailedError: more than ``max_failed`` images had failed.
        CannotWriteError: no space, no permission, a file where a folder is written or the reverse.
    """
    if options.expressions is not None:
        return export_sentences(options, messages)
    if options.is_network:
        from wsstool.stages.exchange.network import export_network  # loads torch

        return export_network(options, messages)
    output = Path(options.output)
    check_output(output, options.force)
    kinds = ("mask", "cam", "selection")
    with store.open_records(options.source, kinds=kinds, command="export", sentences=True) as reader:
        write, format = _writer(reader.header, options)
        with scratch_folder(output) as staging:
            written = write(reader, staging / "export", messages=messages)
            is_same = put(staging / "export", output, options.force)
        if is_same:
            messages.say(f"'{output}' is up to date")
        failed = int((reader.tail["status"] != store.DONE).sum())
    if failed > options.max_failed:
        what = "class map" if reader.header.payload == "cam" else "mask"
        raise SomeFailedError(
            f"{failed} of {len(reader.header)} images failed in an earlier stage and have no {what}"
        )
    return {"output": str(output), "format": format, "written": written, "failed": failed}


def _writer(header: store.Header, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for files of this kind, and its format.

    Raises:
        UsageError: an option that this kind does not have.
    """
    if options.min_area and (header.payload != "mask" or header.sentences is not None):
        raise UsageError("--min-area is for the regions of label maps")
    if header.sentences is not None:
        return _sentence_writer(header, options)
    if options.tiles is not None or options.format == SLIDE_MAPS:
        return _slide_writer(header, options)
    format = options.format or _DEFAULTS[header.payload]
    known = _formats(header.payload)
    if format in EXPRESSION_EXPORTS.names() and format not in EXPORTS.names():
        raise UsageError(f"--format {format} is for sentences; --expressions names their file")
    if format not in known:
        raise UsageError(
            f"--format {format} cannot hold a {header.payload} file; choose from {', '.join(known)}"
        )
    if header.payload == "selection":
        if options.layer is not None or options.prefix is not None:
            raise UsageError(
                "--layer and --prefix are for mask and cam files; a selection file has no layers"
            )
    elif options.limits_scores:
        raise UsageError("--score-threshold and --score-below need scores, which only selection files have")
    if format in EXPORTS.names():
        if options.prefix is not None:
            raise UsageError(f"--prefix is for folders of pictures; {format} has no folder per layer")
        return partial(write_instances, **_instance_options(options, format)), format
    if options.settings or options.like:
        raise UsageError(f"--set and --like are for object formats, not for {format}")
    if options.limits_scores:
        raise UsageError("--score-threshold and --score-below are for object formats, not for overlay")
    write: Callable[..., int] = write_label_maps
    if format == OVERLAY:
        write = partial(write_overlays, folder=image_folder(header, options.images, options.source))
    return partial(write, layer=options.layer, prefix=options.prefix, flat=options.flat), format


def _slide_writer(header: store.Header, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for the label maps of tiles, and its format."""
    format = options.format or SLIDE_MAPS
    if options.tiles is None:
        raise UsageError("--format tiff is for the masks of a tile set; name it with --tiles")
    if header.payload != "mask" or format not in (SLIDE_MAPS, "geojson"):
        raise UsageError("--tiles is for mask files, with --format tiff or geojson")
    if options.like or options.limits_scores or options.prefix is not None or options.flat:
        raise UsageError("--like, --prefix, --flat and limits of scores do nothing with --tiles")
    return partial(
        write_slides,
        tile_set=options.tiles,
        format=format,
        settings=options.settings or (),
        layer=options.layer,
        min_area=options.min_area,
    ), format


def _formats(payload: str) -> tuple[str, ...]:
    """The formats for a kind of file."""
    label_maps = (LABEL_MAPS,) if payload == "mask" else ()
    return (*label_maps, OVERLAY, *(() if payload == "cam" else EXPORTS.names()))


def _instance_options(options: ExportOptions, format: str) -> dict[str, Any]:
    return {
        "format": format,
        "settings": options.settings or (),
        "like": options.like,
        "scores": ScoreRange(options.score_threshold, options.score_below),
        "flat": options.flat,
        "layer": options.layer,
        "min_area": options.min_area,
    }


def _sentence_writer(header: store.Header, options: ExportOptions) -> tuple[Callable[..., int], str]:
    """Return the writer for masks of sentences, and its format."""
    format = options.format or "coco"
    check_format(format)
    if options.layer is not None or options.prefix is not None:
        raise UsageError("--layer and --prefix are for label maps; the input has one mask per sentence")
    if format in EXPORTS.names():
        return partial(write_instances, **_instance_options(options, format)), format
    if options.settings or options.like or options.limits_scores:
        raise UsageError(
            "--set, --like, --score-threshold and --score-below apply to --format coco, coco-results and csv"
        )
    if format not in PICTURES:
        return partial(write_expressions, format=format, flat=options.flat), format
    folder = image_folder(header, options.images, options.source) if format == "overlay" else None
    return partial(write_pictures, format=format, folder=folder, flat=options.flat), format
