"""Label maps, image by image: ``cam`` or ``selection`` in, ``mask`` out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.masks.background import ThresholdFromScores
from wsstool.masks.method import Method
from wsstool.masks.normalise import normalise as normalised
from wsstool.parallel import map_in_threads
from wsstool.stages.inputs.image_batches import read_picture
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.pseudo_masks.mask_method import mask_method
from wsstool.stages.pseudo_masks.masks_of_objects import merge_objects
from wsstool.types import SILENT, Messages


def pseudo_mask(
    source: str | os.PathLike[str] | None = None,
    *,
    output: Path | None = None,
    rule: str = "argmax",
    refine: str | None = None,
    settings: Sequence[str] | None = None,
    normalise: str = "auto",
    background: str = "auto",
    background_threshold: str | float = "0.3",
    background_threshold_low: float | None = None,
    background_power: float | None = None,
    ignore_margin: float = 0.0,
    overlap: str = "ignore",
    min_score: float = 0.0,
    layer: Sequence[str] | None = None,
    images: Path | None = None,
    workers: int = 2,
    max_failed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Turn the class maps of every image into one label map a layer, or the masks of its boxes into one.

    Args:
        source: a ``cam`` or ``selection`` file; None or ``-``: standard input.
        output: target; None: standard output.
        rule: name in ``registry.RULES``.
        refine: name in ``registry.REFINERS``; None: the maps decide alone.
        settings: ``NAME=VALUE`` options of the refiner, the background and the rule.
        normalise: a mode of ``masks.normalise``, or ``auto``: ``probability`` for what ``predict`` wrote,
            ``minmax`` for rules that go by tags, ``class`` before ``crf``, else ``joint``.
        background: ``auto``: as the class list says, but ``none`` under rules that go by tags; ``none``:
            every pixel belongs to a class with a map; or a name in ``registry.BACKGROUNDS``: what the image
            shows to be background is (255 in a set without one), all else belongs to a class with a map.
        background_threshold: score of the background where maps have none, [0, 1]; ``auto``: chosen from
            the scores of the whole set, which are read twice.
        background_threshold_low: a second, lower one; where the two disagree labels are 255.
        background_power: exponent of a background (1 - max)^power in place of the constant.
        ignore_margin: pixels whose best score is less than this above the second become 255, [0, 1].
        overlap, min_score: of masks of boxes, see ``masks.instances.merge_instances``.
        layer: names of layers; None: all of the file, one label map each.
        images: folder of the images; None: ``WSSTOOL_IMAGES``, or the one that the file was made from.
        workers: threads; 0: none. Results do not depend on it.
        max_failed, force: see ``store.create``.

    Returns:
        ``images``, ``failed``, ``key`` and ``background_threshold`` (one a layer; empty where not used).

    Raises:
        UsageError: an option's value.
        MissingInputError: a refiner or a background needs images that are not there.
        BadInputError: the input. Others: see the parts.

    Notes:
        On msrc21 (21 classes, maps of a frozen network) ``class`` before ``crf`` gave mIoU .630 and ``joint``
        .619; without a refiner it was .554 against .562.
        An image that failed before stays failed. One without tags becomes background, or 255 where there is
        none, where the image tells it, and under rules that go by tags; that is warned about.
    """
    constant = _threshold(background_threshold)
    with ExitStack() as stack:
        reader = stack.enter_context(
            store.open_records(source, kinds=("cam", "selection"), command="pseudo-mask")
        )
        header = reader.header
        if header.payload == "selection":
            of_maps = {
                "rule": rule != "argmax",
                "refine": refine,
                "set": settings,
                "layer": layer,
                "normalise": normalise != "auto",
                "background": background != "auto",
                "background-power": background_power,
                "ignore-margin": ignore_margin,
            }
            _refuse(of_maps, "class maps", "masks of boxes")
            again, tail = _twice(reader, source, stack)
            return merge_objects(
                header,
                again,
                tail["score"],
                source,
                output=output,
                overlap=overlap,
                min_score=min_score,
                images=images,
                workers=workers,
                max_failed=max_failed,
                force=force,
                messages=messages,
            )
        _refuse({"overlap": overlap != "ignore", "min-score": min_score}, "masks of boxes", "class maps")
        records: Records = reader.records
        known = header.classes.background
        method, params = mask_method(
            header,
            rule=rule,
            refine=refine,
            settings=settings or (),
            normalise=normalise,
            background=background,
            threshold=1.0 if constant is None else constant,
            threshold_low=background_threshold_low,
            power=background_power,
            ignore_margin=ignore_margin,
            messages=messages,
        )
        layers = _layers(header, layer)
        thresholds: list[float] = []
        if method.background >= 0 and background_power is None and known not in header.columns["map_class"]:
            thresholds = [method.threshold] * len(layers)
            if constant is None:
                records, _ = _twice(reader, source, stack)
                thresholds = _chosen(records(0), layers, method.normalise)
                text = ", ".join(f"{value:g}" for value in thresholds)
                messages.say(f"background threshold {text}, chosen from the scores")
        methods = [replace(method, threshold=one) for one in thresholds] or [method] * len(layers)
        folder = image_folder(header, images, source) if method.reads_pixels else None
        params |= {
            "background_threshold": ("auto" if constant is None else constant) if thresholds else None,
            "background_threshold_low": background_threshold_low,
            "background_power": background_power,
            "ignore_margin": ignore_margin,
            "layer": [header.layers[i] for i in layers] if layer else None,
        }
        _say_what_is_missing(header, method, messages)
        out = _header(header, params, source, layers, thresholds, images)
        make = partial(_label_maps, methods=methods, layers=layers, folder=folder)
        with store.create(out, output, force=force, max_failed=max_failed, messages=messages) as writer:
            with messages.track(len(out) - writer.start, "label maps") as advance:
                for labels in map_in_threads(make, records(writer.start), workers):
                    if isinstance(labels, WsstoolError):
                        writer.fail(str(labels))
                    else:
                        writer.write(labels)
                    advance()
            done = {"images": len(out), "failed": writer.failed, "key": out.key}
            return {**done, "background_threshold": thresholds}


Records = Callable[[int], Iterator[store.Record]]


def _refuse(options: dict[str, Any], those: str, these: str) -> None:
    """Raise UsageError for options of another kind of input."""
    for option, given in options.items():
        if given:
            raise UsageError(f"--{option} is for {those}; the input holds {these}")


def _twice(reader: store.Reader, source: object, stack: ExitStack) -> tuple[Records, dict[str, np.ndarray]]:
    """The records of ``reader`` as often as asked, and its tail; a pipe is kept in a temporary file."""
    if source is None or str(source) == "-" or not Path(str(source)).is_file():
        folder = stack.enter_context(TemporaryDirectory(prefix="wsstool-"))
        source = Path(folder) / "records.h5"
        store.copy(reader, source)
    access = store.open_random(source)
    return lambda start: (access[i] for i in range(start, len(access))), access.tail


def _header(
    header: store.Header,
    params: dict[str, Any],
    source: object,
    layers: Sequence[int],
    thresholds: list[float],
    images: Path | None,
) -> store.Header:
    """What the output will be: L label maps an image."""
    attributes: dict[str, Any] = {"layers": [header.layers[i] for i in layers]}
    if thresholds:
        attributes["background_threshold"] = thresholds
    return store.new_header(
        "mask",
        stage="pseudo-mask",
        params=params,
        inputs=[header.as_input(path=source)],
        images=header.images,
        sizes=header.sizes,
        shapes=np.concatenate([np.full((len(header), 1), len(layers)), header.sizes], 1),
        classes=header.classes,
        labels=header.labels,
        image_root=images or header.image_root,
        attributes=attributes,
    )


def _threshold(text: str | float) -> float | None:
    """The background threshold as a number; None: to be chosen."""
    if text == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"--background-threshold {text}: auto, or a number in [0, 1]") from None
    if not 0 <= value <= 1:
        raise UsageError(f"--background-threshold {text}: auto, or a number in [0, 1]")
    return value


def _layers(header: store.Header, layer: Sequence[str] | None) -> list[int]:
    """Numbers of the layers that are asked for."""
    for name in layer or ():
        if name not in header.layers:
            raise UsageError(f"--layer {name}: the input has the layers {', '.join(header.layers)}")
    return [header.layers.index(name) for name in layer] if layer else list(range(len(header.layers)))


def _say_what_is_missing(header: store.Header, method: Method, messages: Messages) -> None:
    """Images without a tag, whose masks say nothing; absent classes without a map."""
    readable = header.sizes.sum(1) > 0
    maps = np.diff(header.columns["map_offset"])
    tags = header.labels.sum(1) if method.gated and header.labels is not None else maps
    bare = np.flatnonzero(readable & (tags == 0))
    if len(bare) and method.background < 0:
        messages.warn(f"{len(bare)} images without a tag are 255 throughout, first {header.images[bare[0]]}")
    if method.gated and (maps[readable] < len(header.classes.foreground)).any():
        messages.say(
            "absent classes have no maps, so the scale is that of the others; 'cam --targets all' makes all"
        )


def _chosen(records: Iterable[store.Record], layers: Sequence[int], mode: str) -> list[float]:
    """One background threshold a layer, from the scores of all images."""
    rules = [ThresholdFromScores() for _ in layers]
    for record in records:
        if record.failed:
            continue
        blocks = record.maps
        with suppress(BadInputError):  # it will be named when its turn comes
            for rule, scores in zip(rules, [normalised(blocks[i], mode) for i in layers], strict=True):
                rule.add(scores)
    return [rule.threshold() for rule in rules]


def _label_maps(
    record: store.Record, *, methods: Sequence[Method], layers: Sequence[int], folder: Path | None
) -> np.ndarray | WsstoolError:
    """(L, H, W) uint8 label maps of one image, or why there are none."""
    if record.failed:
        return BadInputError("had failed in the stage before")
    image = None
    if folder is not None:
        picture = read_picture(folder / record.name, np.array(record.size))
        if isinstance(picture, WsstoolError):
            return picture
        image = picture
    blocks, ids, labels = record.maps, record.class_ids, record.header.labels
    tags = None if labels is None else np.flatnonzero(labels[record.index])
    try:
        return np.stack(
            [
                method.label_map(blocks[i], ids, record.size, image, tags)
                for method, i in zip(methods, layers, strict=True)
            ]
        )
    except BadInputError as error:
        return error
