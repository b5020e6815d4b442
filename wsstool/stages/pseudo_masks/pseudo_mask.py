"""``pseudo-mask``: ``cam`` or ``selection`` in, ``mask`` out."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.atomic import temporary_folder
from wsstool.options import takes
from wsstool.stages.checks import only
from wsstool.stages.options.pseudo_mask import ClassMapOptions, ObjectOptions, PseudoMaskOptions
from wsstool.stages.pseudo_masks.masks_of_class_maps import Records, label_class_maps
from wsstool.stages.pseudo_masks.masks_of_objects import label_objects
from wsstool.stages.pseudo_masks.masks_of_sentences import mask_sentences
from wsstool.types import SILENT, Messages


@takes(PseudoMaskOptions)
def pseudo_mask(options: PseudoMaskOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Turn the class maps of every image into one label map per layer, or the masks of its boxes into one.

    Masks of sentences become one mask of the whole image each.

    Returns:
        ``images``, ``failed``, ``key`` and ``background_threshold`` (one per layer; empty where not used);
        of masks of boxes also ``weak``, the number of objects below ``min_score``.

    Raises:
        UsageError: an option's value, or an option of the other kind of input.
        MissingInputError: a refiner or a background needs images that are not there.
        BadInputError: the input. Others: see the parts.

    Notes:
        On msrc21 (21 classes, maps of a frozen network) ``normalise="class"`` before ``crf`` gave mIoU 0.630
        and ``joint`` 0.619; without a refiner it was 0.554 against 0.562.
        An image that failed before stays failed. One without labels becomes background, or 255 where there
        is none, where the image tells it, and under rules that go by labels; a warning is printed.
    """
    with ExitStack() as stack:
        kinds = ("cam", "selection")
        reader = stack.enter_context(
            store.open_records(options.source, kinds=kinds, command="pseudo-mask", sentences=True)
        )
        reread = partial(_reread, reader, options.source, stack)
        if reader.header.payload == "selection":
            why = "applies to class maps, but the input holds masks of boxes"
            always_accepted = ("background_threshold", "background_threshold_low", "device")
            of_objects = only(ObjectOptions, options, why, ignored=always_accepted)
            records, tail = reread()
            write = label_objects if reader.header.sentences is None else mask_sentences
            return write(reader.header, records, tail["score"], of_objects, messages)
        why = "applies to masks of boxes, but the input holds class maps"
        return label_class_maps(reader, reread, only(ClassMapOptions, options, why), messages)


def _reread(reader: store.Reader, source: object, stack: ExitStack) -> tuple[Records, dict[str, np.ndarray]]:
    """The records of ``reader`` as often as asked, and its tail; a pipe is kept in a temporary file."""
    if source is None or str(source) == "-" or not Path(str(source)).is_file():
        folder = stack.enter_context(temporary_folder())
        source = Path(folder) / "records.h5"
        store.copy(reader, source)
    access = store.open_random(source)
    return lambda start: (access[i] for i in range(start, len(access))), access.tail
