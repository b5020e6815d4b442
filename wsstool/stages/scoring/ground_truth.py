"""The images to score and their ground-truth masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wsstool.data.dataset import Dataset
from wsstool.data.label_views import find_view
from wsstool.data.listing import Lookup
from wsstool.data.masks import read_mask
from wsstool.data.splits import split_indices
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
from wsstool.stages.inputs.image_folder import in_words, tried_folders
from wsstool.types import ClassList


class Truth:
    """The ground-truth masks of a list of images.

    Args:
        masks: the images, and where their masks are.
        classes: what mask values mean.
    """

    def __init__(self, masks: Dataset, classes: ClassList) -> None:
        self._masks, self.classes = masks, classes
        self.paths = [masks.mask_path(i) for i in range(len(masks))]

    def __len__(self) -> int:
        return sum(path is not None for path in self.paths)

    def subset(self, names: Sequence[str]) -> Truth:
        """Return the masks of these images, in this order."""
        place = {name: i for i, name in enumerate(self._masks.names)}
        return Truth(self._masks.subset(place[name] for name in names), self.classes)

    def read(self, i: int, size: tuple[int, int]) -> np.ndarray | None:
        """The mask of image ``i``, (rows, columns) uint8; None without one.

        Raises:
            BadInputError: damaged, with values that are no classes, or of another size than ``size``.
        """
        path = self.paths[i]
        if path is None:
            return None
        mask = read_mask(path, self.classes, void=self._masks.void)
        if mask.shape != tuple(size) and tuple(size) != (0, 0):
            raise BadInputError(
                f"mask '{path}' has {mask.shape[1]} x {mask.shape[0]} pixels, its image "
                f"'{self._masks.names[i]}' {size[1]} x {size[0]}"
            )
        return mask


def find_truth(
    names: Sequence[str],
    root: str | Path,
    classes: ClassList,
    truth: str | Path | None = None,
    source: object = None,
) -> Truth:
    """Look for the masks of images.

    Args:
        names: posix paths relative to the data folder.
        root: the data folder.
        classes: the class list of the predictions; of several sets of masks in a folder
            (``masks/``, ``masks_objects/``), those whose class list has the same names are taken.
        truth: a folder of masks, or a data folder; None looks beside the images in ``root``.
        source: path of the predictions, for the message.

    Raises:
        MissingInputError: there is no such folder, or it holds no mask of any of the images.
    """
    folder = Path(truth) if truth is not None else Path(root)
    if not folder.is_dir():
        if truth is None:
            where = in_words(tried_folders(str(root), source=source))
            raise MissingInputError(
                f"the images are not in {where} any more; name the ground-truth masks with --truth"
            )
        raise MissingInputError(f"there is no ground-truth folder '{truth}'")
    plain = Dataset(folder, tuple(names), classes, None, "")
    views = [replace(plain, masks=masks) for masks in mask_views(folder, classes)] or [plain]
    if truth is not None:
        views.append(replace(plain, root=Path(root), masks=folder))
    for view in views:
        found = Truth(view, classes)
        if len(found):
            return found
    if not names:
        raise BadInputError("the input has no images, so there is nothing to score")
    raise MissingInputError(
        f"'{folder}' has no ground-truth mask for '{names[0]}' or any other image of the input"
    )


def mask_views(folder: Path, classes: ClassList) -> list[Path | None]:
    """Mask folders of a data folder whose class list has these names; None stands for the usual place."""
    found: list[Path | None] = []
    for pattern in ("classes*.txt", "classes*.json"):
        for path in sorted(folder.glob(pattern)):
            try:
                view = find_view(folder, class_list=path.name)
            except WsstoolError:
                continue  # a class list of something else
            if view.classes is not None and view.classes.names == classes.names:
                found.append(view.masks)
    return found


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
