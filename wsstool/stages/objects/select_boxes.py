"""The boxes for which ``select`` makes masks: those of the maps, of the data folder, or of sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.expressions.expression import Expression
from wsstool.stages.inputs.boxes import open_box_dataset
from wsstool.stages.inputs.sentences import open_sentences, rows_of_split
from wsstool.stages.objects.columns import BoxColumns, boxes_of
from wsstool.stages.objects.select_inputs import SelectInputs
from wsstool.stages.options.objects import SelectOptions
from wsstool.types import Messages

Boxes = tuple[BoxColumns, tuple[store.Input, ...]]


def boxes_to_mask(
    inputs: SelectInputs, folder: Path | None, options: SelectOptions, messages: Messages
) -> Boxes:
    """Return the boxes and their inputs beyond the open files.

    Args:
        inputs: the open files.
        folder: of the images, where it is known.
        options: of the command.
        messages: receives what is left out.

    Raises:
        UsageError: options that exclude each other.
        MissingInputError: no boxes, or no images beside which they could stand.
        BadInputError: boxes that do not fit.
    """
    given, box_format = options.boxes, options.box_format
    if options.split is not None and inputs.folder is None and options.expressions is None:
        raise UsageError("--split applies to data folders, not to files")
    if options.expressions is not None:
        return _boxes_of_sentences(inputs, folder, options, messages)
    if inputs.maps is not None and given is None:
        if box_format != "auto":
            raise UsageError("--box-format applies to box files, but the boxes are those of the contour file")
        return BoxColumns.of_header(inputs.maps.header), ()
    if inputs.maps is not None and inputs.maps.header.sentences is not None:
        raise UsageError(
            "--boxes does not apply to maps of sentences, whose boxes are those of the contour file"
        )
    more: tuple[store.Input, ...] = ()
    if inputs.folder is not None:
        source = open_box_dataset(
            inputs.folder, boxes=given, box_format=box_format, split=options.split, messages=messages
        )
        boxes = BoxColumns.of_table(source.dataset.names, source.table.sizes, source.table)
        more = (source.inputs[0],)
    else:
        if folder is None:
            raise MissingInputError(
                "the boxes are stored with the images, which were not found; name their folder with --images"
            )
        header = inputs.header
        assert header is not None
        boxes, table = boxes_of(
            folder, header.images, header.sizes, header.classes, given,
            box_format=box_format, messages=messages,
        )  # fmt: skip
        if not header.params.get("shard"):
            table.check_usable()
    return boxes, (*more, store.Input("boxes", {"fingerprint": boxes.digest()}, str(given or "")))


def _boxes_of_sentences(
    inputs: SelectInputs, folder: Path | None, options: SelectOptions, messages: Messages
) -> Boxes:
    """Return one entry per sentence whose object has a box."""
    if inputs.maps is not None:
        raise UsageError("--expressions does not apply with maps, whose boxes are those of the contour file")
    if options.boxes is not None or options.box_format != "auto":
        raise UsageError("give --boxes or --expressions, not both; sentences have boxes of their own")
    if folder is None:
        raise MissingInputError("the images of the sentences were not found; name their folder with --images")
    expressions = open_sentences(folder, options.expressions, messages=messages)
    rows = rows_of_split(expressions, folder, options.split)
    boxed = [row for row in rows if row.box is not None]
    without = sum(len(row.sentences) for row in rows) - sum(len(row.sentences) for row in boxed)
    if not boxed:
        raise BadInputError(f"{expressions.source} has no box for any of its sentences")
    if without:
        messages.say(f"{without} sentences of {expressions.source} have no box and are left out")
    more: tuple[store.Input, ...] = ()
    if inputs.header is None:
        images, sizes = _images(boxed)
        more = (store.Input.of_folder(folder, images),)
    else:
        images, sizes = inputs.header.images, inputs.header.sizes
    boxes = BoxColumns.of_sentences(images, sizes, boxed)
    if not len(boxes.columns["box"]):
        raise BadInputError(f"{expressions.source} names none of the {len(images)} images of the proposals")
    identity = {"fingerprint": boxes.digest()}
    return boxes, (*more, store.Input("expressions", identity, str(options.expressions)))


def _images(rows: list[Expression]) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and (N, 2) sizes of the images of objects; (0, 0) where one cannot be read."""
    sizes = {row.image: row.size or (0, 0) for row in rows}
    names = tuple(sorted(sizes))
    return names, np.array([sizes[name] for name in names], np.int32)
