"""A dataset is a table of images and tags; ``open_dataset`` recognises the layout of a folder.

The values of ``--split``, ``--labels``, ``--class-list`` and ``--masks`` are looked up in the data folder
first, then in the working directory. A label file ``labels_VIEW.csv`` belongs to ``classes_VIEW.txt`` and
``masks_VIEW/``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from wsstool.annotation_file import is_found
from wsstool.data.class_match import class_ids, listed
from wsstool.data.formats import Tags
from wsstool.data.images import image_size, turning
from wsstool.data.known_classes import void_ids
from wsstool.data.label_views import find_view
from wsstool.data.layouts import read_tags
from wsstool.data.listing import (
    IMAGE_FOLDERS,
    Lookup,
    find_images,
    folder_of,
    is_image_name,
    list_images,
    relative_name,
    unicode_forms,
    without_suffix,
)
from wsstool.data.masks import read_mask
from wsstool.data.name_list import NameList
from wsstool.data.splits import names_split, split_indices
from wsstool.errors import BadInputError, MissingInputError, UsageError, WsstoolError
from wsstool.types import IGNORE, SILENT, ClassList, Messages

_MASK_FOLDERS = {"images": "masks", "img": "mask", "imgs": "masks", "JPEGImages": "SegmentationClass"}
_MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".gif")


@dataclass(frozen=True)
class Dataset:
    """Images, their tags, and the location of their masks.

    Args:
        root: the data folder.
        names: posix paths relative to ``root``, sorted by code point.
        classes: the class list; empty for images without labels.
        labels: (N, C) uint8, one column per class, the background column always 0; or None.
        layout: recognised layout, one of ``wsstool.data.formats.LAYOUTS``, or ``boxes``: tags from boxes.
        masks: folder of the masks if it was named or belongs to the labels; None looks beside the images.
        void: mask values of this dataset that mean "ignore" (read as 255).
        white: what the mask value 255 means, see ``masks.meaning_of_white``.
        picture: the only image, if that was named in place of a folder.
        unread: a sentence about files of the folder that are left out, or empty, see ``list_images``.
        name_list: the list that the images are from, in place of a walk of the folder.
    """

    root: Path
    names: tuple[str, ...]
    classes: ClassList
    labels: np.ndarray | None
    layout: str
    masks: Path | None = None
    void: tuple[int, ...] = field(default=())
    white: int = IGNORE
    picture: Path | None = None
    unread: str = ""
    name_list: NameList | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def typed(self) -> Path:
        """The data folder or picture as it was named."""
        return self.picture or self.root

    def path(self, i: int) -> Path:
        """Return the path of image ``i``."""
        return self.root / self.names[i]

    def mask_path(self, i: int) -> Path | None:
        """Return the path of the ground-truth mask of image ``i``, None if there is none."""
        name = self.names[i]
        spellings = [name] if name.isascii() else dict.fromkeys((name, *unicode_forms(name)))
        for spelled in spellings:
            for base in self._mask_bases(spelled):
                for suffix in _MASK_SUFFIXES:
                    path = base.with_name(base.name + suffix)
                    if path != self.root / name and is_found(path):
                        return path
        return None

    def mask(self, i: int) -> np.ndarray | None:
        """Return the ground-truth mask of image ``i``, (H, W) uint8; None if there is none.

        Raises:
            BadInputError: damaged, of another size than the image, or with ids that the class list lacks.
        """
        path = self.mask_path(i)
        if path is None:
            return None
        mask = read_mask(path, self.classes, void=self.void, white=self.white)
        size = image_size(self.path(i))
        if mask.shape != size:
            raise BadInputError(
                f"mask {str(path)!r} has {mask.shape[1]} x {mask.shape[0]} pixels, its image {size[1]} x "
                f"{size[0]}{turning(self.path(i), (mask.shape[0], mask.shape[1]), size)}"
            )
        return mask

    def sizes(self) -> np.ndarray:
        """Return the (N, 2) int32 rows and columns of the upright images; (0, 0) for unreadable headers.

        Raises:
            MissingInputError: see ``check_there``.
        """
        self.check_there()
        sizes = np.zeros((len(self), 2), np.int32)
        for i in range(len(self)):
            try:
                sizes[i] = image_size(self.path(i))
            except WsstoolError:
                continue  # the stage that decodes the image reports and counts the error
        return sizes

    def check_there(self) -> None:
        """Check that images from a list exist; those of a walk do.

        Raises:
            MissingInputError: one does not.
        """
        if self.name_list is not None:
            self.name_list.check_there(self.root, self.names)

    def images_of_folder(self) -> tuple[str, ...]:
        """Return the names of all images of the data folder, of which these may be a part; or of its list."""
        return find_images(self.root) if self.name_list is None else self.name_list.names

    def placed(
        self, spellings: Collection[str], source: str, messages: Messages = SILENT
    ) -> tuple[dict[str, int], set[str]]:
        """Match image names of another file with the images, see ``Lookup.find_all``.

        Returns:
            Name -> number of its image; and the names that no image of the data folder has. A list does not
            tell which images the folder has, so that there are no such names.
        """
        root = None if self.name_list is None else self.root
        places = Lookup(self.names, root).find_inside(spellings, source)
        others = [spelling for spelling in spellings if spelling not in places]
        if not others:
            return places, set()
        folder, place = self.images_of_folder(), {name: i for i, name in enumerate(self.names)}
        at = {name: k for k, name in enumerate(folder)}
        found = Lookup(folder, root).find_all(
            others,
            source,
            taken={at[self.names[i]] for i in places.values() if self.names[i] in at},
            usable={at[name] for name in self.names if name in at},  # others are not there any more
            messages=messages,
        )
        here = {spelling: place[folder[k]] for spelling, k in found.items() if folder[k] in place}
        return places | here, set() if self.name_list else set(others) - set(found)

    def subset(self, indices: Iterable[int]) -> Dataset:
        """Return the images with these indices, in this order."""
        chosen = [int(i) for i in indices]
        labels = None if self.labels is None else self.labels[chosen]
        return replace(self, names=tuple(self.names[i] for i in chosen), labels=labels)

    def _mask_bases(self, name: str) -> list[Path]:
        """Return the possible mask paths of an image, without suffix."""
        stem = without_suffix(name)
        parts = stem.split("/")
        at = max((k for k, part in enumerate(parts[:-1]) if part in IMAGE_FOLDERS), default=None)
        below = "/".join(parts if at is None else parts[at + 1 :])
        if self.masks is not None:
            return [self.masks / below, self.masks / parts[-1]]
        if at is None:
            return [self.root / "masks" / stem, self.root / "mask" / stem]
        mirrored = [*parts[:at], _MASK_FOLDERS[parts[at]], *parts[at + 1 :]]
        return [self.root.joinpath(*mirrored)]


def open_dataset(
    path: str | Path,
    *,
    split: str | None = None,
    labels: str | Path | None = None,
    class_list: str | Path | None = None,
    boxes: str | Path | None = None,
    masks: str | Path | None = None,
    untagged: bool = False,
    unnamed: ClassList | None = None,
    name_list: NameList | None = None,
    messages: Messages = SILENT,
) -> Dataset:
    """Recognise the layout of a data folder and list its images.

    Args:
        path: the folder; or a picture: a data folder that has it among its ``images/`` gives its labels.
        split: name of a split (``splits/NAME.txt``, VOC's ``ImageSets/*/NAME.txt``, a folder ``NAME``, COCO's
            ``instances_NAME*.json``) or a file of image names.
        labels: a file of tags (CSV, TSV, JSON lines, ``cls_labels.npy``, COCO JSON, folder of VOC
            annotations), or the name of a layout if several fit.
        class_list: a class list; default: ``classes.txt`` in the folder.
        boxes: a file of COCO, CVAT or Label Studio; the tags are those of its boxes unless ``labels`` is
            given.
        masks: folder of the masks.
        untagged: accept images that are missing from the tags, as images without tags.
        unnamed: classes of tags without names (digits in file names, ``cls_labels.npy``) if there is no class
            list; None: those of a published set, or ``class-0``, ``class-1``, ...
        name_list: the images to use, in place of a walk of the folder; with a split, those that are in it.
        messages: receives notes on assumptions about the tags, and on files that are left out.

    Raises:
        MissingInputError: no such folder or file, no images, or a named image that does not exist.
        BadInputError: an inconsistent file: unknown tag, image without labels, names twice or outside the
            folder.
        UsageError: several layouts or splits fit (the message names them), or no split of that name.
    """
    picture = Path(path) if Path(path).is_file() and is_image_name(Path(path).name) else None
    if picture is not None and split is not None:
        raise UsageError(f"--split selects images of a folder, but '{picture}' is a picture")
    if picture is not None and name_list is not None:
        raise UsageError(f"--files-from lists images of a folder, but '{picture}' is a picture")
    if name_list is not None:
        root, names, unread = _folder(path), name_list.names, ""
    elif picture is None:
        root = Path(path)
        names, unread = list_images(root)
    else:
        (root, names), unread = folder_of(picture), ""
    if not names:
        raise MissingInputError(f"there are no images in {str(root)!r}" + (f"; {unread}" if unread else ""))
    if unread:
        messages.warn(unread)
    view = find_view(root, labels=labels, class_list=class_list, masks=masks)
    for note in view.notes:
        messages.say(note)
    shown = names if name_list is None else name_list.with_siblings(root)
    layout, tags = read_tags(root, shown, view, split=split, boxes=boxes, unnamed=unnamed)
    lookup = Lookup(names, None if name_list is None else root)
    indices = split_indices(
        root,
        names,
        lookup,
        split,
        listed=tags is not None and tags.only and names_split(tags.source, split),
        partial=name_list is not None,
        messages=messages,
    )
    if picture is not None:
        only = relative_name(picture, root)
        indices = [i for i in indices if names[i] == only]
    if tags is None:
        classes, void = view.classes or ClassList(()), void_ids(view.classes)
        found = Dataset(root, names, classes, None, layout, view.masks, void, picture=picture, unread=unread)
        return replace(found, name_list=name_list).subset(indices)
    for note in tags.notes:
        messages.say(note)
    is_part = (split is not None or picture is not None) and not tags.only
    rows, indices = _placed(
        tags, lookup, indices, is_part=is_part or name_list is not None, messages=messages
    )
    has_tags = not tags.partial or any(i in rows for i in indices)
    matrix = _matrix(tags, names, rows, indices, untagged) if has_tags else None
    chosen = tuple(names[i] for i in indices)
    if picture is not None and not chosen:
        raise MissingInputError(f"'{picture}' is not among the images of {tags.source}")
    found = Dataset(
        root, chosen, tags.classes, matrix, layout, view.masks, tags.void, picture=picture, unread=unread
    )
    return replace(found, name_list=name_list)


def _folder(path: str | Path) -> Path:
    if not Path(path).is_dir():
        raise MissingInputError(f"there is no folder {str(path)!r}")
    return Path(path)


def _placed(
    tags: Tags, lookup: Lookup, indices: list[int], *, is_part: bool, messages: Messages
) -> tuple[dict[int, str], list[int]]:
    """Return image index -> its name in the tags; and the images that remain."""
    places = lookup.find_all(tags.rows, tags.source, messages=messages)
    rows: dict[int, str] = {}
    for spelling, i in places.items():
        if i in rows:
            raise BadInputError(f"an image is listed twice in {tags.source}: {rows[i]!r} and {spelling!r}")
        rows[i] = spelling
    missing = [spelling for spelling in tags.rows if spelling not in places]
    # With a split or a list, only the images of that need to exist.
    if missing and not is_part:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise MissingInputError(f"there is no image {missing[0]!r}{more}, listed in {tags.source}")
    return rows, [i for i in indices if i in rows] if tags.only else indices


def _matrix(
    tags: Tags, names: tuple[str, ...], rows: dict[int, str], indices: list[int], untagged: bool
) -> np.ndarray:
    """Return the tags as an (N, C) uint8 matrix."""
    spelled = sorted({tag for row in tags.rows.values() for tag in row})
    column = dict(zip(spelled, class_ids(tags.classes, spelled), strict=True))
    matrix = np.zeros((len(indices), len(tags.classes)), np.uint8)
    for n, i in enumerate(indices):
        if i not in rows:
            if untagged:
                continue
            bare = sum(j not in rows for j in indices)
            more = f" and {bare - 1} more" if bare > 1 else ""
            raise BadInputError(f"there are no labels for image {names[i]!r}{more} in {tags.source}")
        for tag in tags.rows[rows[i]]:
            if column[tag] < 0:
                raise BadInputError(
                    f"the label '{tag}' of image {names[i]!r} in {tags.source} is not in the class list "
                    f"({listed(tags.classes)})"
                )
            matrix[n, column[tag]] = 1
    if tags.classes.background >= 0:
        matrix[:, tags.classes.background] = 0
    return matrix
