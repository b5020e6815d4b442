"""The images to score and their ground-truth masks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from wsstool.data.class_match import class_ids, id_of_value, joined_classes, listed
from wsstool.data.dataset import Dataset
from wsstool.data.label_views import LabelView, find_view
from wsstool.data.listing import Lookup
from wsstool.data.masks import meaning_of_white, read_mask
from wsstool.data.splits import split_indices
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.absent_classes import warn_of_absent_classes
from wsstool.stages.inputs.image_folder import in_words, tried_folders
from wsstool.types import SILENT, ClassList, Messages


class Truth:
    """The ground-truth masks of a list of images.

    Args:
        masks: the images, where their masks are, and the class list of the mask values.
        classes: the class list of what ``read`` returns: that of the predictions, with any classes that only
            the ground truth has at its end.
        ids: (C,) id in ``classes`` of each class of the masks.
        messages: receives what 255 is read as where masks are black and white.

    Attributes:
        listed: ids of the classes that the class list of the masks holds.
    """

    def __init__(
        self, masks: Dataset, classes: ClassList, ids: np.ndarray, messages: Messages = SILENT
    ) -> None:
        check_fits_label_map(ids)
        self._masks, self.classes, self._ids = masks, classes, ids
        self.listed = ids.tolist()
        self.paths = [masks.mask_path(i) for i in range(len(masks))]
        self._of_value = id_of_value(ids)
        self._messages = messages
        self._white: int | None = None

    def __len__(self) -> int:
        return sum(path is not None for path in self.paths)

    def subset(self, names: Sequence[str]) -> Truth:
        """Return the masks of these images, in this order."""
        place = {name: i for i, name in enumerate(self._masks.names)}
        return Truth(
            self._masks.subset(place[name] for name in names), self.classes, self._ids, self._messages
        )

    def read(self, i: int, size: tuple[int, int]) -> np.ndarray | None:
        """The mask of image ``i``, (rows, columns) uint8; None without one.

        Raises:
            BadInputError: damaged, with values that are no classes, or of another size than ``size``.
        """
        path = self.paths[i]
        if path is None:
            return None
        if self._white is None:
            masks = (p for p in self.paths if p is not None)
            self._white = meaning_of_white(masks, self._masks.classes, self._messages)
        mask = read_mask(path, self._masks.classes, void=self._masks.void, white=self._white)
        if mask.shape != tuple(size) and tuple(size) != (0, 0):
            raise BadInputError(
                f"mask '{path}' has {mask.shape[1]} x {mask.shape[0]} pixels, its image "
                f"'{self._masks.names[i]}' {size[1]} x {size[0]}"
            )
        return self._of_value[mask]

    def require_known(self, known: ClassList, what: str) -> None:
        """Raise BadInputError if the masks may hold a class that the list of ``what`` lacks."""
        if len(self.classes) > len(known):
            raise BadInputError(
                f"{what} does not know the class '{self.classes.names[len(known)]}' of the ground truth; its "
                f"classes are {listed(known)}"
            )

    def warn_of_absent(self, pixels: np.ndarray, messages: Messages) -> None:
        """Report listed classes other than the background without a pixel.

        Args:
            pixels: (C,) ground-truth pixels of each class.
            messages: receives the warning.
        """
        present = set(np.flatnonzero(pixels).tolist())
        warn_of_absent_classes(self.classes, self.listed, present, "ground-truth mask", messages)


def find_truth(
    names: Sequence[str],
    root: str | Path,
    classes: ClassList,
    truth: str | Path | None = None,
    source: object = None,
    *,
    class_list: str | Path | None = None,
    messages: Messages = SILENT,
) -> Truth:
    """Look for the masks of images.

    Args:
        names: posix paths relative to the data folder.
        root: the data folder.
        classes: the class list of the predictions, with whose classes those of the masks are matched by
            name; of several sets of masks in a folder (``masks/``, ``masks_objects/``), those whose class
            list has the same names come first.
        truth: a folder of masks, or a data folder; None looks beside the images in ``root``.
        source: path of the predictions, for messages.
        class_list: class list of the masks; None: the one in the folder, else ``classes``.
        messages: receives the classes that only the ground truth has.

    Raises:
        MissingInputError: there is no such folder, or it holds no mask of any of the images.
        BadInputError: the classes of predictions and masks cannot be matched by name.
    """
    folder = Path(truth) if truth is not None else Path(root)
    if not folder.is_dir():
        if truth is None:
            where = in_words(tried_folders(str(root), source=source))
            raise MissingInputError(
                f"the images are not in {where} any more; name the ground-truth masks with --truth"
            )
        raise MissingInputError(f"there is no ground-truth folder '{truth}'")
    if not names:
        raise BadInputError("the input has no images, so there is nothing to score")
    plain = Dataset(folder, tuple(names), classes, None, "")
    named = mask_views(folder, classes, class_list)
    views = [replace(plain, masks=v.masks, classes=v.classes or classes) for v in named] or [plain]
    if truth is not None:
        meaning = list_beside_masks(folder, class_list) or classes
        views.append(replace(plain, root=Path(root), masks=folder, classes=meaning))
    for view in views:
        if not any(view.mask_path(i) is not None for i in range(len(view))):
            continue
        what = f"'{source_name(source)}' and the ground truth in '{folder}'"
        both, ids = joined_classes(classes, view.classes, what)
        if added := both.names[len(classes) :]:
            messages.warn(
                f"only the ground truth has the class {', '.join(added)}: its pixels count as missed"
            )
        return Truth(view, both, ids, messages)
    raise MissingInputError(
        f"'{folder}' has no ground-truth mask for '{names[0]}' or any other image of the input"
    )


def mask_views(folder: Path, classes: ClassList, class_list: str | Path | None = None) -> list[LabelView]:
    """Return the class lists of a data folder with the masks of each, best match first.

    Those with the names of ``classes`` come first, then those with the same classes in another order, then
    the list that the folder has by default. A named list is the only one.
    """
    if class_list is not None:
        return [_of_names(folder, class_list)]
    found = []
    for pattern in ("classes*.txt", "classes*.json"):
        for path in sorted(folder.glob(pattern)):
            with suppress(WsstoolError):  # a class list of something else
                found.append(find_view(folder, class_list=path.name))
    default = find_view(folder)
    same = [one for one in found if one.classes is not None and one.classes.names == classes.names]
    like = [one for one in found if one.classes is not None and _same_set(one.classes, classes)]
    return same or like or ([default] if default.classes is not None else [])


def list_beside_masks(folder: Path, class_list: str | Path | None = None) -> ClassList | None:
    """Return the class list of a folder of masks: in it, or in the folder above; None if there is none."""
    if class_list is not None:
        return _of_names(folder, class_list).classes
    if (own := find_view(folder).classes) is not None:
        return own
    view = folder.name.removeprefix("masks") if folder.name.startswith("masks_") else ""
    for name in (f"classes{view}.txt", f"classes{view}.json"):
        if (folder.parent / name).is_file():
            return find_view(folder.parent, class_list=name).classes
    with suppress(WsstoolError):  # a file of something else
        return find_view(folder.parent).classes
    return None


def _of_names(folder: Path, class_list: str | Path) -> LabelView:
    """Return the named list, with the masks of the view of the folder that has the same names."""
    named = find_view(folder, class_list=class_list)
    assert named.classes is not None
    masks = next(
        (
            v.masks
            for v in mask_views(folder, named.classes)
            if v.classes and v.classes.names == named.classes.names
        ),
        None,
    )
    return replace(named, masks=named.masks or masks)


def _same_set(one: ClassList, other: ClassList) -> bool:
    return len(one) == len(other) and -1 not in class_ids(one, other.names)


def source_name(source: object) -> str:
    """What an evaluation calls its source.

    >>> source_name("runs/masks.h5"), source_name("-")
    ('masks.h5', 'standard input')
    """
    return Path(str(source)).name if source not in (None, "-") else "standard input"


def chosen_images(names: Sequence[str], split: str | None, folder: Path | None) -> list[int]:
    """Return the numbers of the images of a split, ascending; of all images without one.

    Args:
        names: of the images.
        split: a name, or a file of image names.
        folder: data folder with the lists of its splits.

    Raises:
        UsageError, MissingInputError, BadInputError: see ``split_indices``.
    """
    names = tuple(names)
    return sorted(set(split_indices(folder or Path(), names, Lookup(names), split)))
