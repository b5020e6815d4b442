"""Open the images and label maps for training and validation, from records or a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.class_match import id_of_value, joined_classes, listed
from wsstool.data.dataset import Dataset
from wsstool.data.images import image_size
from wsstool.data.masks import meaning_of_white
from wsstool.data.name_list import NameList
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.absent_classes import present_classes, warn_of_absent_classes
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.inputs.untagged import open_classes
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.types import SILENT, ClassList, Messages


class RecordMasks:
    """Number -> (L,H,W) label maps of a ``mask`` file, by memory map; picklable."""

    def __init__(self, records: store.RandomAccess) -> None:
        self.records = records

    def __call__(self, number: int) -> np.ndarray:
        data = self.records[number].data
        return data if data.ndim == 3 else data[None]


class FolderMasks:
    """Number -> (1,H,W) ground-truth mask of a data folder; picklable.

    Args:
        dataset: the images and masks.
        ids: (C,) class id that each class of the data folder gets; None: its own.

    Raises:
        BadInputError: damaged, of another size than the image, or with unknown classes.
    """

    def __init__(self, dataset: Dataset, ids: np.ndarray | None = None) -> None:
        self.dataset = dataset
        self.of_value = None if ids is None else id_of_value(ids)

    def __call__(self, number: int) -> np.ndarray:
        mask = self.dataset.mask(number)
        assert mask is not None, "images without a mask were left out"
        return mask[None] if self.of_value is None else self.of_value[mask][None]


@dataclass(frozen=True)
class LabelMapDataset:
    """Images with label maps.

    Attributes:
        paths: N image files.
        sizes: (N, 2) rows and columns that the masks are made for; (0, 0) where unknown.
        masks: number -> (L,H,W) uint8.
        layers: names of the L label maps.
        numbers: the images with a mask for training.
        failed: numbers whose mask could not be made by the stage before.
        classes: the class list.
        inputs: for the key and the history.
        supervision: ``pseudo-masks`` or ``ground-truth masks``.
    """

    paths: list[Path]
    sizes: np.ndarray
    masks: RecordMasks | FolderMasks
    layers: tuple[str, ...]
    numbers: list[int]
    failed: list[int]
    classes: ClassList
    inputs: list[store.Input]
    supervision: str


def label_maps_in_records(source: object, images: Path | None, command: str) -> LabelMapDataset:
    """Open the images and pseudo-masks of a ``mask`` file, or of standard input.

    Raises:
        MissingInputError: the images are not there.
        BadInputError: a file of another kind, or of sentences, damaged, of more than 255 classes, or without
            a single labelled pixel.
    """
    records = store.open_random(source, kinds=("mask", "selection"), command=command, sentences=True)
    header = records.header
    if header.sentences is not None:
        raise BadInputError(
            f"'{source or '-'}' has one {header.payload} per sentence; a network that reads sentences, such "
            "as --arch bcam-mobilenet-v2, learns from selection files with sentences"
        )
    if header.payload != "mask":
        raise store.other_kind(f"'{source or '-'}'", header, ("mask",), command)
    check_fits_label_map(np.arange(len(header.classes)))
    folder = image_folder(header, images, source)
    failed = np.flatnonzero(records.tail["status"] != store.DONE).tolist()
    numbers = [i for i in range(len(records)) if i not in set(failed) and not records[i].failed]
    if not numbers:
        raise BadInputError(f"'{source or '-'}' contains no labelled pixels; there is nothing to learn from")
    return LabelMapDataset(
        paths=[folder / name for name in header.images],
        sizes=np.asarray(header.sizes),
        masks=RecordMasks(records),
        layers=header.layers,
        numbers=numbers,
        failed=failed,
        classes=header.classes,
        inputs=[header.as_input(path=source)],
        supervision="pseudo-masks",
    )


def label_maps_in_folder(
    data: Path,
    *,
    split: str | None = None,
    class_list: Path | None = None,
    masks: Path | None = None,
    role: str = "data",
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> LabelMapDataset:
    """Open the images and ground-truth masks of a data folder.

    Raises:
        MissingInputError: no image of the split has a mask.
        UsageError: no class list.
    """
    dataset = open_classes(
        data, split=split, class_list=class_list, masks=masks, name_list=name_list, messages=messages
    )
    if not dataset.classes.names:
        raise UsageError(f"'{data}' has no class list; name one with --class-list")
    files = [dataset.mask_path(i) for i in range(len(dataset))]
    numbers = [i for i, file in enumerate(files) if file is not None]
    if not numbers:
        raise MissingInputError(
            f"no image in '{data}' has a mask; put masks in masks/ or name their folder with --masks"
        )
    white = meaning_of_white((file for file in files if file is not None), dataset.classes, messages)
    dataset = replace(dataset, white=white)
    content = [os.path.relpath(file, dataset.root) for file in files if file is not None]
    chosen = [dataset.names[i] for i in numbers]
    fingerprint = store.Input.of_folder(dataset.root, [*chosen, *content]).identity
    return LabelMapDataset(
        paths=[dataset.path(i) for i in range(len(dataset))],
        sizes=dataset.sizes(),
        masks=FolderMasks(dataset),
        layers=("masks",),
        numbers=numbers,
        failed=[],
        classes=dataset.classes,
        inputs=[store.Input(role, fingerprint, str(dataset.root))],
        supervision="ground-truth masks",
    )


def open_label_maps(
    source: str | Path | None,
    images: Path | None,
    split: str | None,
    class_list: Path | None,
    masks: Path | None,
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> LabelMapDataset:
    """Open a folder with its ground truth, anything else as a ``mask`` file.

    Raises:
        UsageError: options of a folder given with a file. Others: see the two.
    """
    if source is not None and Path(source).is_dir():
        return label_maps_in_folder(
            Path(source),
            split=split,
            class_list=class_list,
            masks=masks,
            name_list=name_list,
            messages=messages,
        )
    if split or class_list or masks or name_list:
        raise UsageError(
            "--split, --files-from, --class-list and --masks apply to data folders, not to mask files"
        )
    return label_maps_in_records(source, images, "cotrain")


def open_validation(
    source: str | Path | None,
    data: LabelMapDataset,
    val: Path | None,
    val_split: str | None,
    class_list: Path | None,
) -> LabelMapDataset | None:
    """Open the images whose ground truth selects the best epoch; None without ``val``.

    Raises:
        UsageError: a split without a folder.
        BadInputError: classes that cannot be matched by name with those of the training data, or that these
            lack.
    """
    if val is None and val_split is None:
        return None
    if val is None and (source is None or not Path(source).is_dir()):
        raise UsageError("--val-split needs --val, the data folder with the ground-truth masks")
    valid = label_maps_in_folder(Path(val or str(source)), split=val_split, class_list=class_list, role="val")
    what = f"the training images and '{val or source}'"
    both, ids = joined_classes(data.classes, valid.classes, what)
    if len(both) > len(data.classes):
        raise BadInputError(
            f"{what} have different classes: {listed(data.classes)}; and {listed(valid.classes)}"
        )
    assert isinstance(valid.masks, FolderMasks)
    return replace(valid, masks=FolderMasks(valid.masks.dataset, ids), classes=data.classes)


def usable_numbers(
    data: LabelMapDataset, images: DecodedImages, messages: Messages
) -> tuple[list[int], set[int]]:
    """Return the numbers of the training images and of failed ones; report what is left out."""
    reasons = {i: "its mask failed in an earlier stage" for i in data.failed} | images.failed
    for i in data.numbers:
        if i not in reasons and (size := image_size(data.paths[i])) != (
            planned := tuple(data.sizes[i].tolist())
        ):
            reasons[i] = f"the image has {size[1]} x {size[0]} pixels, its mask {planned[1]} x {planned[0]}"
    for i, reason in sorted(reasons.items()):
        messages.warn(f"left out: {data.paths[i].name}: {reason}")
    empty = len(data.paths) - len({*data.numbers, *reasons})
    if empty:
        messages.say(f"left out: {empty} images without a mask or without labelled pixels")
    numbers = [i for i in data.numbers if i not in reasons]
    if len(numbers) < 2:
        raise BadInputError(f"training needs at least 2 usable images, not {len(numbers)}")
    ids = range(len(data.classes))
    present = present_classes(data.masks, numbers, data.classes.foreground)
    warn_of_absent_classes(data.classes, ids, present, data.supervision.removesuffix("s"), messages)
    return numbers, set(reasons)
