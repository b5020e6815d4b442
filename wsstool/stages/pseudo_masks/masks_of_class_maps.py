"""Label maps from class maps: the ``cam`` half of ``pseudo-mask``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.masks.method import Method
from wsstool.memory import say_peak, within_memory
from wsstool.models.windows.plan import plan_windows
from wsstool.parallel import map_in_threads
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.inputs.windows import in_windows, scale_of_params
from wsstool.stages.options.pseudo_mask import ClassMapOptions
from wsstool.stages.pseudo_masks.guides import Guides, open_guides
from wsstool.stages.pseudo_masks.large_label_maps import label_large_image
from wsstool.stages.pseudo_masks.mask_method import mask_method
from wsstool.stages.pseudo_masks.score_thresholds import SAMPLE, THRESHOLDS, choose_thresholds, sample_of
from wsstool.stages.records import Payload, computed, create, write_all
from wsstool.types import Messages, Params

Records = Callable[[int], Iterator[store.Record]]
"""The records of a file from a number on."""


def label_class_maps(
    reader: store.Reader,
    reread: Callable[[], tuple[Records, dict[str, np.ndarray]]],
    options: ClassMapOptions,
    messages: Messages,
) -> dict[str, Any]:
    """Write one label map per image and layer.

    Args:
        reader: of a ``cam`` file; its records come once.
        reread: gives its records as often as asked.
        options, messages: as in ``pseudo_mask``.

    Returns:
        As ``pseudo_mask``.

    Raises:
        As ``pseudo_mask``.
    """
    header = reader.header
    check_fits_label_map(header.columns["map_class"], header.classes.background)
    records: Callable[..., Iterator[store.Record]] = reader.records
    guides = open_guides(header, options, messages)
    method, resolved = mask_method(header, options, messages, guides.names)
    layers = _layers(header, options.layer)
    thresholds: list[float] = []
    is_added = method.background >= 0 and method.background not in header.columns["map_class"]
    if is_added and options.background_power is None:
        thresholds = [method.threshold] * len(layers)
        if options.constant_background is None:
            thresholds = _of_data_set(header, layers, method.normalise)
            if not thresholds:
                records, _ = reread()
                thresholds = _chosen(header, records(0), layers, method.normalise)
                _say_if_of_a_shard(header, messages)
            text = ", ".join(f"{value:g}" for value in thresholds)
            messages.say(f"chose background threshold {text} from the scores")
    methods = [replace(method, threshold=one) for one in thresholds] or [method] * len(layers)
    folder = image_folder(header, options.images, options.source) if method.reads_pixels else None
    constant = "auto" if options.constant_background is None else options.constant_background
    params = options.key_params(
        **resolved,
        background_threshold=constant if thresholds else None,
        layer=[header.layers[i] for i in layers] if options.layer else None,
    )
    if constant == "auto" and thresholds and (n := _images_of_data_set(header)) > SAMPLE:
        params = Params({**params, "threshold_images": SAMPLE}, {*params.unused, "threshold_images"})
        messages.say(f"the threshold is that of {SAMPLE} of the {n} images")
    _say_what_is_missing(header, method, messages)
    if method.reads_pixels and (name := header.params.get("corruption")):
        messages.warn(f"the class maps are of images under {name}, but --refine reads the images as they are")
    out = _header(header, params, options, layers, thresholds, guides)
    how: dict[str, Any] = {"methods": methods, "layers": layers, "folder": folder, "guides": guides}
    large = in_windows(options.window, header.sizes)
    windows = plan_windows(options.window or None, None)

    def label_maps(record: store.Record) -> Payload | WsstoolError:
        if large[record.index] and not record.failed:
            return computed(partial(label_large_image, record, windows, **how), record.size)
        return within_memory(partial(_label_maps, record, **how), record.size)

    with create(out, options, messages, [reader]) as writer:
        found = map_in_threads(label_maps, records(writer.start), options.workers)
        write_all(writer, found, messages, "label maps")
        if large[writer.start :].any():
            say_peak(messages)
    return {
        "images": len(out),
        "failed": writer.failed,
        "key": out.key,
        "background_threshold": thresholds,
    }


def _header(
    header: store.Header,
    params: dict[str, Any],
    options: ClassMapOptions,
    layers: Sequence[int],
    thresholds: list[float],
    guides: Guides,
) -> store.Header:
    """Build the header of the output: L label maps per image."""
    attributes: dict[str, Any] = {"layers": [header.layers[i] for i in layers]}
    if thresholds:
        attributes["background_threshold"] = thresholds
    return store.new_header(
        "mask",
        stage="pseudo-mask",
        params=params,
        inputs=[header.as_input(path=options.source), *guides.inputs],
        images=header.images,
        sizes=header.sizes,
        shapes=np.concatenate([np.full((len(header), 1), len(layers)), header.sizes], 1),
        classes=header.classes,
        labels=header.labels,
        image_root=options.images or header.image_root,
        attributes=attributes,
    )


def _layers(header: store.Header, layer: Sequence[str] | None) -> list[int]:
    """Return the numbers of the layers to use."""
    for name in layer or ():
        if name not in header.layers:
            raise UsageError(f"--layer {name}: unknown layer; the layers are: {', '.join(header.layers)}")
    return [header.layers.index(name) for name in layer] if layer else list(range(len(header.layers)))


def _say_what_is_missing(header: store.Header, method: Method, messages: Messages) -> None:
    """Warn about images without a tag, whose masks are empty, and about absent classes without a map."""
    readable = header.sizes.sum(1) > 0
    maps = np.diff(header.columns["map_offset"])
    tags = header.labels.sum(1) if method.gated and header.labels is not None else maps
    bare = np.flatnonzero(readable & (tags == 0))
    if len(bare) and method.background < 0:
        messages.warn(
            f"{len(bare)} images without labels have value 255 in all pixels, such as "
            f"{header.images[bare[0]]}"
        )
    if method.gated and (maps[readable] < len(header.classes.foreground)).any():
        messages.say(
            "absent classes have no maps, so the scores are scaled by the present ones; run 'cam "
            "--targets all' for maps of all classes"
        )


def _of_data_set(header: store.Header, layers: Sequence[int], mode: str) -> list[float]:
    """Return the background threshold of each layer that a shard brings for its whole data set, or []."""
    brought = header.attributes.get(THRESHOLDS)
    if brought is None:
        return []
    try:
        found = [brought[mode][i] for i in layers]
        is_right = all(one is None or 0 <= one <= 1 for one in found) and brought["images"] > 0
    except (KeyError, IndexError, TypeError):
        is_right = False
    if not is_right:
        raise BadInputError(f"the attribute {THRESHOLDS} of the input is damaged")
    return _found(found)


def _images_of_data_set(header: store.Header) -> int:
    brought = header.attributes.get(THRESHOLDS)
    return int(brought["images"]) if brought else len(header)


def _chosen(
    header: store.Header, records: Iterable[store.Record], layers: Sequence[int], mode: str
) -> list[float]:
    """Choose one background threshold per layer from the scores of a sample of the images."""
    sample = set(sample_of(header.images))
    maps = (record.maps for record in records if record.index in sample and not record.failed)
    chosen = choose_thresholds(([blocks[i] for i in layers] for blocks in maps), len(layers), (mode,))
    return _found(chosen[mode])


def _found(thresholds: Sequence[float | None]) -> list[float]:
    found = [one for one in thresholds if one is not None]
    if len(found) < len(thresholds):
        raise UsageError("no score above 0 in the whole data set: give --background-threshold as a number")
    return found


def _say_if_of_a_shard(header: store.Header, messages: Messages) -> None:
    if shard := header.params.get("shard"):
        messages.warn(
            f"the input is shard {shard} and brings no thresholds of its data set: the threshold is that of "
            "the shard alone, and 'merge' refuses shards with different ones; run 'wsstool cam' again"
        )


def _label_maps(
    record: store.Record,
    *,
    methods: Sequence[Method],
    layers: Sequence[int],
    folder: Path | None,
    guides: Guides,
) -> Payload | WsstoolError:
    """(L, H, W) uint8 label maps of one image, or why there are none."""
    if record.failed:
        return BadInputError("failed in an earlier stage")
    image = None
    if folder is not None:
        picture = read_sized_image(
            folder / record.name, np.array(record.size), scale_of_params(record.header.params)
        )
        if isinstance(picture, WsstoolError):
            return picture
        image = picture
    beside = guides.of(record.name, image)
    if isinstance(beside, WsstoolError):
        return beside
    blocks, ids, labels = record.maps, record.class_ids, record.header.labels
    tags = None if labels is None else np.flatnonzero(labels[record.index])
    try:
        return Payload(
            np.stack(
                [
                    method.label_map(blocks[i], ids, record.size, image, tags, beside)
                    for method, i in zip(methods, layers, strict=True)
                ]
            )
        )
    except BadInputError as error:
        return error
