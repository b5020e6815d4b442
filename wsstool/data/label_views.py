"""Label views of a dataset: the class list and masks that belong to each label file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wsstool.annotation_file import is_found
from wsstool.data.classlist import listed_classes, numbering_note, read_class_list
from wsstool.data.formats import LAYOUTS
from wsstool.data.known_classes import KNOWN
from wsstool.errors import MissingInputError
from wsstool.types import ClassList

_CLASS_LISTS = ("classes{}.txt", "classes{}.json", "labels{}.txt")


@dataclass(frozen=True)
class LabelView:
    """One choice of labels, classes and masks for the images of a folder."""

    labels: Path | str | None = None  #: a label file, or the name of a layout; None: whatever the layout has
    classes: ClassList | None = None
    masks: Path | None = None  #: a folder; None looks beside the images
    notes: tuple[str, ...] = ()  #: sentences about assumptions


def find_view(
    root: Path,
    *,
    labels: str | Path | None = None,
    class_list: str | Path | None = None,
    masks: str | Path | None = None,
) -> LabelView:
    """Resolve the named files, and find those that belong to them.

    ``labels_objects.csv`` goes with ``classes_objects.txt`` and ``masks_objects/``; a named class list
    determines the masks, since it defines their values.

    A class list is a file, or else a name of ``KNOWN``, or names joined by commas.

    Raises:
        MissingInputError: a named file or folder does not exist.
        BadInputError: the class list cannot be read.
    """
    is_file = labels is not None and str(labels) not in LAYOUTS
    label_path = locate(root, labels) if labels is not None and is_file else None
    view = _suffix(label_path, "labels")
    list_path: Path | None = None
    if class_list is None:
        spellings = [root / pattern.format(view) for pattern in _CLASS_LISTS]
        list_path = next((p for p in spellings if is_found(p)), None)
        classes = read_class_list(list_path) if list_path else None
    elif str(class_list) in KNOWN and not any(p.is_file() for p in (root / class_list, Path(class_list))):
        classes = KNOWN[str(class_list)]
    elif "," in str(class_list) and locate(root, class_list) is None:
        classes = listed_classes(str(class_list))
    else:
        list_path = _required(root, class_list, "class list")
        view = _suffix(list_path, "classes")
        classes = read_class_list(list_path)
    mask_folder = _required(root, masks, "mask folder") if masks is not None else None
    if mask_folder is None and view:
        # Never the masks of another label view: their values mean other classes.
        mask_folder = root / f"masks{view}"
    note = numbering_note(list_path, classes) if list_path is not None and classes is not None else None
    named = label_path or (str(labels) if labels is not None else None)
    return LabelView(named, classes, mask_folder, (note,) if note else ())


def locate(root: Path, name: str | Path) -> Path | None:
    """Return ``name`` inside the data folder, else as given; None if neither exists."""
    return next((p for p in (root / name, Path(name)) if p.exists()), None)


def _required(root: Path, name: str | Path, what: str) -> Path:
    found = locate(root, name)
    if found is None:
        raise MissingInputError(f"there is no {what} {str(name)!r} in {str(root)!r} or the current folder")
    return found


def _suffix(path: Path | None, stem: str) -> str:
    """Return the suffix of a label view: ``_objects`` of ``labels_objects.csv``."""
    if path is None or not path.stem.startswith(f"{stem}_"):
        return ""
    return path.stem[len(stem) :]
