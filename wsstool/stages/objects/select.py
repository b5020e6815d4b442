"""Select one mask per box: proposals and maps in, ``selection`` out, image by image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.errors import BadInputError, UsageError, WsstoolError
from wsstool.family import setting_texts
from wsstool.options import takes
from wsstool.parallel import map_in_threads
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.objects.map_threshold import check_has_threshold, with_threshold
from wsstool.stages.objects.mask_maker import MaskMaker, ObjectMask, make_masks
from wsstool.stages.objects.select_boxes import boxes_to_mask
from wsstool.stages.objects.select_inputs import (
    ImageTask,
    SelectInputs,
    image_tasks,
    open_inputs,
    pixel_folder,
)
from wsstool.stages.options.objects import SelectOptions
from wsstool.stages.records import Payload, create, write_all
from wsstool.store.provenance import digest
from wsstool.types import SILENT, Messages


@takes(SelectOptions)
def select(options: SelectOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Choose one mask for every box and write them as a ``selection`` file.

    Without ``boxes`` the boxes are those of the contour file, else those in the data folder; with both, a map
    belongs to the box of its number. With ``expressions``, or maps of sentences, there is one mask per
    sentence. Either the proposals or the maps may come from a pipe.

    Returns:
        ``images``, ``failed``, ``key``, ``objects``, ``fallbacks`` (reason -> objects), ``score`` (mean
        quality; None when all was up to date) and ``baselines`` (name -> mean quality).

    Raises:
        BadInputError: proposals and maps of other images or sizes, damaged input.
        MissingInputError: no proposals, no boxes, no images for a method that needs them.
        UsageError: an option's value, or inputs that the method cannot use.
    """
    maker = MaskMaker.of(options.method, options.method_settings)
    is_chosen = options.threshold == "auto"
    for text in maker.idle():
        messages.warn(text)
    with ExitStack() as stack:
        inputs = open_inputs(options.source, options.contour, maker, stack, messages)
        _require_inputs(maker, inputs)
        if is_chosen:
            check_has_threshold(maker, inputs)
        needs_images = maker.takes_image or options.fallback == "grabcut"
        folder = pixel_folder(inputs, options.images, needed=needs_images)
        boxes, more = boxes_to_mask(inputs, folder, options, messages)
        if maker.prompts:
            maker, source = _with_segmenter(maker, options, inputs, messages)
            more = (*more, source)
        fallbacks = _fallbacks(options.fallback, maker, inputs, folder)
        baselines = _baselines(maker, inputs, folder) if options.baselines else []
        params = options.key_params(
            settings=setting_texts(maker.own),
            threshold="auto" if is_chosen else None,
            box_format=None if options.box_format == "auto" else options.box_format,
        )
        tried = store.Input("fallbacks", {"fingerprint": digest(" ".join(one.name for one in fallbacks))})
        attributes = {}
        if is_chosen:
            maker, inputs = with_threshold(maker, inputs, boxes, stack, messages)
            attributes["threshold"] = maker.own["threshold"]
        header = store.new_header(
            "selection",
            stage="select",
            params=params,
            inputs=(*inputs.sources(), *more, tried),
            image_root=inputs.image_root(options.images),
            attributes=attributes,
            **boxes.header_fields(),
        )
        if not any(one.takes_image for one in (maker, *fallbacks, *baselines)):
            folder = None
        make = partial(_masks, maker=maker, fallbacks=fallbacks, baselines=baselines)
        sums = _Sums()
        with create(header, options, messages, [inputs.proposals, inputs.maps]) as writer:
            tasks = image_tasks(inputs, boxes, folder, writer.start)
            results = sums.payloads(map_in_threads(make, tasks, options.workers))
            write_all(writer, results, messages, "masks")
            sums.report(maker, messages)
    objects = len(boxes.columns["box"])
    done = {"images": len(header), "failed": writer.failed, "key": header.key, "objects": objects}
    return {**done, **sums.means()}


def _require_inputs(maker: MaskMaker, inputs: SelectInputs) -> None:
    if maker.takes_proposals and inputs.proposals is None:
        raise UsageError(f"method '{maker.name}' needs proposals; name a file made by 'wsstool propose'")
    if maker.takes_map and inputs.maps is None:
        raise UsageError(
            f"method '{maker.name}' needs a map for every box; name the contour file with --contour"
        )


def _with_segmenter(
    maker: MaskMaker, options: SelectOptions, inputs: SelectInputs, messages: Messages
) -> tuple[MaskMaker, store.Input]:
    """Load the segmenter that a method prompts, and return it with the content of its checkpoint."""
    from wsstool.stages.networks.promptable import open_segmenter

    assert options.sam_weights is not None
    if inputs.maps and not maker.takes_map:
        messages.say(f"{maker.name} is prompted with boxes alone; --set guide=region adds what the maps show")
    if options.baselines:
        messages.warn(
            f"the quality of {maker.name} is the IoU that it predicts of itself, that of the baselines is "
            "estimated from boxes and maps; do not compare them"
        )
    segmenter, source = open_segmenter(options.sam_weights, options.device)
    return replace(maker, segmenter=segmenter), source


def _fallbacks(fallback: str, maker: MaskMaker, inputs: SelectInputs, folder: Path | None) -> list[MaskMaker]:
    """Return the methods to try in turn; the last always finds a mask."""
    names = [fallback]
    if fallback == "auto":
        with_map = inputs.maps is not None and maker.guide == "region"
        names = [*(["prior"] if with_map else []), *(["grabcut"] if folder else [])]
    if fallback == "prior" and inputs.maps is None:
        raise UsageError("--fallback prior needs maps; name the contour file with --contour")
    tried = [name for name in names if name != maker.name]
    return [MaskMaker.of(name) for name in dict.fromkeys([*tried, "ellipse"])]


def _baselines(maker: MaskMaker, inputs: SelectInputs, folder: Path | None) -> list[MaskMaker]:
    """Return the baseline methods that apply here, except the chosen one."""
    names = ["box", "ellipse"]
    names += ["grabcut"] if folder else []
    names += ["proposal"] if inputs.proposals else []
    names += ["prior"] if inputs.maps and maker.guide == "region" else []
    return [MaskMaker.of(name, guide=maker.guide) for name in names if name != maker.name]


def _masks(
    task: ImageTask, *, maker: MaskMaker, fallbacks: Sequence[MaskMaker], baselines: Sequence[MaskMaker]
) -> list[ObjectMask] | WsstoolError:
    """The masks of one image, or why there are none."""
    objects = task.objects
    if objects is None:
        return BadInputError(task.reason)
    if task.path is not None and len(objects.boxes):
        pixels = read_sized_image(task.path, np.array(objects.size))
        if isinstance(pixels, WsstoolError):
            return pixels
        objects = replace(objects, pixels=pixels)
    try:
        return make_masks(objects, maker, fallbacks, baselines)
    except BadInputError as error:
        return error


@dataclass
class _Sums:
    """Sums over the masks that were written."""

    count: int = 0
    score: float = 0.0
    fallbacks: Counter[str] = field(default_factory=Counter)  #: reason -> objects
    baselines: dict[str, float] = field(default_factory=dict)  #: name -> sum of qualities
    map_kinds: Counter[str] = field(default_factory=Counter)  #: ``contour`` or ``region`` -> maps

    def payloads(
        self, results: Iterable[list[ObjectMask] | WsstoolError]
    ) -> Iterator[Payload | WsstoolError]:
        for found in results:
            if isinstance(found, WsstoolError):
                yield found
                continue
            for one in found:
                self._add(one)
            pixels = [one.mask.reshape(-1) for one in found]
            tail = {
                "score": [one.score for one in found],
                "fallback": [bool(one.reason) for one in found],
            }
            yield Payload(np.concatenate(pixels) if pixels else np.zeros(0, np.uint8), tail)

    def _add(self, one: ObjectMask) -> None:
        self.count += 1
        self.score += one.score
        if one.reason:
            self.fallbacks[one.reason] += 1
        if one.map_kind:
            self.map_kinds[one.map_kind] += 1
        for name, value in one.baselines.items():
            self.baselines[name] = self.baselines.get(name, 0.0) + value

    def means(self) -> dict[str, Any]:
        """``score``, ``fallbacks`` and ``baselines`` as ``select`` returns them."""
        return {
            "score": self.score / self.count if self.count else None,
            "fallbacks": dict(self.fallbacks),
            "baselines": {name: value / self.count for name, value in self.baselines.items()},
        }

    def report(self, maker: MaskMaker, messages: Messages) -> None:
        """Print the means, before images that failed end the command."""
        if self.count:
            messages.say(f"{self.count} objects, mean quality {self.score / self.count:.3f}")
        for name, value in self.baselines.items():
            messages.say(f"  {name}: {value / self.count:.3f}")
        for reason, count in self.fallbacks.items():
            messages.say(f"fallback used for {count} objects: {reason}")
        self._warn_of_maps(maker, messages)

    def _warn_of_maps(self, maker: MaskMaker, messages: Messages) -> None:
        """Warn if maps of regions are read as outlines or vice versa: the masks are then poor."""
        other = {"contour": "region", "region": "contour"}[maker.guide]
        known = self.map_kinds.total()
        if self.map_kinds[other] > known / 2:
            shown = {"contour": "outlines", "region": "filled regions"}
            cure = (
                f"--set guide={other}"
                if maker.takes_proposals
                else "--method greedy with --set guide=contour"
            )
            messages.warn(
                f"{self.map_kinds[other]} of {known} maps look like {shown[other]}, but method "
                f"'{maker.name}' expects {shown[maker.guide]}; try {cure}"
            )
