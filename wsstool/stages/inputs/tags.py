"""Images with tags for a training stage, from a data folder or a record file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wsstool import store
from wsstool.data.class_match import labels_by_name, listed
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.name_list import NameList
from wsstool.data.splits import split_files
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.inputs.corruption import ImageCorruption
from wsstool.stages.inputs.image_content import check_content
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.store.provenance import canonical_json, digest
from wsstool.training.images.decoded_images import DecodedImages
from wsstool.types import SILENT, ClassList, Messages


@dataclass(frozen=True)
class TaggedSource:
    """Images with tags, wherever they come from: ``tags`` (N,K), one column per class except background.

    ``change`` is applied to each decoded image and its number.
    """

    paths: list[Path]
    tags: np.ndarray
    classes: ClassList
    inputs: list[store.Input]
    split: str | None = None
    change: Callable[[np.ndarray, int], np.ndarray] | None = None


def open_tagged(
    data: Path,
    split: str | None,
    labels: Path | None,
    class_list: Path | None,
    images: Path | None,
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> TaggedSource:
    """The training images: a data folder's (without a list its split ``train``), or a record file's.

    Raises:
        BadInputError: no tags.
        MissingInputError: the images of the record file are not where it says.
        UsageError: options of a folder given for a record file; see ``open_dataset``.
    """
    if data.is_file():
        if split or labels or class_list or name_list:
            raise UsageError(
                "--split, --files-from, --labels and --class-list apply to data folders, not to record files"
            )
        return _of_records(data, images)
    if split is None and name_list is None and has_train_split(data):
        split = "train"
    dataset = open_dataset(
        data, split=split, labels=labels, class_list=class_list, name_list=name_list, messages=messages
    )
    source = _of_folder(dataset, "data")
    return replace(source, split=split)


def has_train_split(root: Path) -> bool:
    """Whether a data folder has a split of that name, as a list or as a folder."""
    folders = (root / "train", root / "images" / "train")
    return any(f.is_dir() for f in folders) or any(p.stem == "train" for p in split_files(root))


def open_validation(
    data: Path,
    split: str | None,
    labels: Path | None,
    class_list: Path | None,
    classes: ClassList,
    corruption: ImageCorruption | None = None,
) -> TaggedSource | None:
    """Open the images of the validation split, which may be corrupted; None without one.

    Raises:
        BadInputError: other classes than those of training.
        UsageError: a record file has no splits.
    """
    if split is None:
        return None
    if data.is_file():
        raise UsageError("--val-split applies to data folders; a record file has no splits")
    dataset = open_dataset(data, split=split, labels=labels, class_list=class_list)
    source = replace(_of_folder(dataset, "val"), split=split)
    classes.require_same(source.classes, f"the training images and the split '{split}' of '{data}'")
    if corruption is None:
        return source
    return replace(
        source,
        inputs=[*source.inputs, *corruption.inputs],
        change=lambda image, i: corruption(image, dataset.names[i]),
    )


def in_classes(dataset: Dataset, classes: ClassList, what: str) -> Dataset:
    """Return a data set with its labels in the columns of a network's class list, matched by name.

    Args:
        dataset: without labels or classes it is returned as it is.
        classes: of the network.
        what: the owners of ``classes`` and of the labels, for the message: "'cls.pth' and 'data/'".

    Raises:
        BadInputError: names that cannot be matched, or an image with a label that the network lacks.
    """
    if dataset.labels is None or dataset.classes.names in ((), classes.names):
        return dataset
    labels, lost = labels_by_name(dataset.labels, dataset.classes, classes, what)
    if lost:
        raise BadInputError(
            f"{what} have different classes: images have the label {', '.join(lost[:5])}, which is not in "
            f"{listed(classes)}"
        )
    return replace(dataset, labels=labels, classes=classes)


def _of_folder(dataset: Dataset, role: str) -> TaggedSource:
    if dataset.labels is None or not dataset.classes.names:
        raise BadInputError(f"'{dataset.root}' has no image-level labels; name a label file with --labels")
    dataset.check_there()
    images = store.Input.of_folder(dataset.root, dataset.names, typed=dataset.typed)
    identity = {**images.identity, "labels": _label_digest(dataset.labels, dataset.classes)}
    return TaggedSource(
        [dataset.path(i) for i in range(len(dataset))],
        dataset.labels[:, list(dataset.classes.foreground)],
        dataset.classes,
        [store.Input(role, identity, str(dataset.root) if role == "data" else "")],
    )


def _of_records(path: Path, images: Path | None) -> TaggedSource:
    with store.open_records(path, kinds=("cam", "mask"), command="train-cls") as reader:
        header = reader.header
    if header.labels is None:
        raise BadInputError(f"'{path}' contains no image-level labels to train on")
    root = image_folder(header, images, path, compared=False)
    pixels = store.Input.of_folder(root, header.images, role="images")
    check_content(header, root, path, pixels.identity["fingerprint"])
    return TaggedSource(
        [root / name for name in header.images],
        np.asarray(header.labels)[:, list(header.classes.foreground)],
        header.classes,
        [header.as_input(path=path), pixels],
    )


def _label_digest(labels: np.ndarray, classes: ClassList) -> str:
    return digest(canonical_json([classes.names, classes.background, labels.tolist()]))


def usable_items(
    source: TaggedSource, images: DecodedImages, messages: Messages, *, negatives: bool = False
) -> tuple[list[int], int]:
    """Return the numbers of the images to use and how many are left out for want of a tag; report those.

    Args:
        source: the images and their tags.
        images: the same images, some of which may be unreadable.
        messages: receives a warning for whatever is left out.
        negatives: use images without a tag, as images of no class.
    """
    for i, reason in sorted(images.failed.items()):
        messages.warn(f"left out: {reason} ({source.paths[i].name})")
    bare = [] if negatives else np.flatnonzero(source.tags.sum(1) == 0).tolist()
    if bare:
        messages.warn(
            f"left out: {len(bare)} images without labels, such as {source.paths[bare[0]].name}; "
            "if they show none of the classes, train on them with --negatives"
        )
    out = {*bare, *images.failed}
    items = [i for i in range(len(source.paths)) if i not in out]
    if not items:
        raise BadInputError("no readable image has a label; there is nothing to train on")
    names = [source.classes.names[c] for c in source.classes.foreground]
    unseen = [names[k] for k in np.flatnonzero(source.tags[items].sum(0) == 0)]
    if unseen:
        of = f" of split '{source.split}'" if source.split else ""
        messages.warn(f"no image{of} has the label {', '.join(unseen)}")
    return items, len(bare)
