"""Open the images of a data folder for stages that need no image-level labels, whatever labels it has."""

from __future__ import annotations

from pathlib import Path

from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.name_list import NameList
from wsstool.errors import UsageError, WsstoolError
from wsstool.types import SILENT, ClassList, Messages


def open_images(
    data: Path,
    *,
    split: str | None = None,
    class_list: Path | None = None,
    masks: Path | None = None,
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> Dataset:
    """Open images without reading a label file, unless that alone defines the split (COCO).

    Arguments and errors: see ``open_dataset``.
    """
    try:
        return open_dataset(
            data,
            split=split,
            class_list=class_list,
            masks=masks,
            labels="images",
            name_list=name_list,
            messages=messages,
        )
    except UsageError as error:
        if split is None:
            raise
        try:
            return open_dataset(
                data,
                split=split,
                class_list=class_list,
                masks=masks,
                labels="coco",
                untagged=True,
                name_list=name_list,
            )
        except UsageError:
            raise error from None


def open_classes(
    data: Path,
    *,
    split: str | None = None,
    class_list: Path | None = None,
    masks: Path | None = None,
    labels: Path | None = None,
    unnamed: ClassList | None = None,
    needs_classes: bool = True,
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> Dataset:
    """Open images with a class list: its own, or that of the labels; labels that cannot be read are no error.

    Args:
        needs_classes: raise the error of the labels if there is no other class list.
        data, split, class_list, masks, labels, unnamed, name_list, messages: see ``open_dataset``, also for
            the errors.
    """
    try:
        return open_dataset(
            data,
            split=split,
            class_list=class_list,
            masks=masks,
            labels=labels,
            unnamed=unnamed,
            name_list=name_list,
            messages=messages,
        )
    except WsstoolError:
        if labels is not None:
            raise
        images = open_images(data, split=split, class_list=class_list, masks=masks, name_list=name_list)
        if needs_classes and not images.classes.names:
            raise
        return images
