"""``select --threshold auto``: one threshold for all maps of a data set, chosen from its boxes."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from wsstool import store
from wsstool.atomic import temporary_folder
from wsstool.errors import UsageError
from wsstool.regions import box_in_window
from wsstool.selection.box_threshold import ThresholdFromBoxes
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.objects.mask_maker import ImageObjects, MaskMaker
from wsstool.stages.objects.select_inputs import SelectInputs, image_tasks
from wsstool.types import Messages


def check_has_threshold(maker: MaskMaker, inputs: SelectInputs) -> None:
    """Raise UsageError where a threshold cannot be chosen for a method, or not from these maps."""
    if "threshold" not in maker.registry.own_options(maker.name):
        raise UsageError(f"--threshold auto: method '{maker.name}' has no threshold")
    if maker.guide != "region" or not maker.takes_map:
        raise UsageError(
            "--threshold auto needs maps that show regions; for the methods greedy and sam add "
            "--set guide=region"
        )
    if inputs.maps is None:
        raise UsageError("--threshold auto needs maps; name the contour file with --contour")
    if shard := inputs.maps.header.params.get("shard"):
        raise UsageError(
            f"'{inputs.names[1] or 'stdin'}' is shard {shard}, but --threshold auto goes by the maps of the "
            "whole data set: merge the shards first, or give a number"
        )


def with_threshold(
    maker: MaskMaker, inputs: SelectInputs, boxes: BoxColumns, stack: ExitStack, messages: Messages
) -> tuple[MaskMaker, SelectInputs]:
    """Choose the threshold of a method from all maps.

    Args:
        maker: the method.
        inputs: the open inputs; the maps are read to their end.
        boxes: of the objects.
        stack: closes what is opened here.
        messages: receives the threshold.

    Returns:
        The method with its threshold, and the inputs with the maps at their beginning again.
    """
    assert inputs.maps is not None
    source = inputs.names[1]
    if not source or not Path(source).is_file():  # a pipe
        kept = stack.enter_context(temporary_folder()) / "maps.h5"
        store.copy(inputs.maps, kept)
        source = str(kept)
        inputs = replace(inputs, maps=_opened(source, stack))
    rule = ThresholdFromBoxes(relative=maker.takes_proposals)
    for task in image_tasks(replace(inputs, proposals=None), boxes, None, 0):
        if task.objects is not None:
            _add(rule, task.objects)
    value = rule.threshold()
    messages.say(f"chose threshold {value:g}, at which the maps fit their boxes best")
    return replace(maker, own={**maker.own, "threshold": value}), replace(inputs, maps=_opened(source, stack))


def _opened(path: str, stack: ExitStack) -> store.Reader:
    return stack.enter_context(store.open_records(path, kinds=("contour",), command="select", sentences=True))


def _add(rule: ThresholdFromBoxes, image: ImageObjects) -> None:
    for prior, box, window in zip(image.maps, image.boxes, image.windows, strict=True):
        if prior is not None:
            rule.add(prior, box_in_window(box, window))
