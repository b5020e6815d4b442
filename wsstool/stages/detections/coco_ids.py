"""Map the images and classes of detections to the ids of a COCO file or data folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wsstool.data.boxes.ground_truth import GroundTruthObjects
from wsstool.data.detections import Detections
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError, UsageError


def with_ids(found: Detections, objects: GroundTruthObjects, form: str | None) -> Detections:
    """Detections whose images and classes are called by their ids in a COCO file, to be written as results.

    Shares of an image become pixels where its size is known.

    Args:
        found: with file names, and class names or numbers.
        objects: of the COCO file.
        form: the foreign format that ``found`` was read from; None: a record file.
    Raises:
        BadInputError: an image or a class that is not there.
    """
    image = image_places(found, objects, form, "the COCO file")
    classes = category_ids(found, objects, form)
    boxes, sizes = found.boxes, objects.sizes[image]
    scaled = found.fractions and bool((sizes > 0).all())
    if scaled:
        boxes = boxes * sizes[:, [1, 0, 1, 0]]
    return replace(
        found,
        images=objects.ids,
        image=image,
        boxes=boxes,
        classes=classes,
        names={},
        rows=(),
        fractions=found.fractions and not scaled,
    )


def require_ids(found: Detections, form: str | None) -> None:
    """Refuse to invent ids: file names are not image ids, list positions not category ids.

    Raises:
        UsageError: names in place of numbers.
    """
    unnamed = all(name in (f"class-{key}", "object") for key, name in found.names.items())
    if form == "yolo" or not unnamed or not all(name.isdecimal() for name in found.images):
        raise UsageError(
            "COCO results need image and category ids; use --instances to name a COCO file that defines "
            "them, or write a table with -o NAME.csv"
        )


def image_places(found: Detections, objects: GroundTruthObjects, form: str | None, source: str) -> np.ndarray:
    """Return the (N,) number of each image in the ground truth.

    Raises:
        BadInputError: an image of a detection that the ground truth lacks.
    """
    ids = {name: k for k, name in enumerate(objects.ids)}
    known = ids if form == "coco" else {}
    named = Lookup(objects.names).find_all([n for n in found.images if n not in known], f"'{source}'")
    places = [known.get(name, named.get(name, -1)) for name in found.images]
    image = np.array(places, np.int64)[found.image] if places else np.zeros(0, np.int64)
    if (image < 0).any():
        missing = found.images[int(found.image[int(np.flatnonzero(image < 0)[0])])]
        raise BadInputError(f"the detections contain image '{missing}', which is not in the ground truth")
    return image


def category_ids(found: Detections, objects: GroundTruthObjects, form: str | None) -> np.ndarray:
    """Return the (N,) category in the ground truth: by name if the source has names, else by number.

    Raises:
        BadInputError: an unknown class, or no category in common.
    """
    if not found.names:
        known = sorted(objects.categories)
        if form == "yolo":  # numbered from 0, in the order of the categories
            real = [key for key in known if objects.categories[key] != "background"]
            if len(found) and found.classes.max() >= len(real):
                raise BadInputError(
                    f"the detections contain class {found.classes.max()}, which is not in the ground truth"
                )
            return np.array(real, np.int64)[found.classes]
        return _checked(found.classes, objects)
    ids = {name: key for key, name in objects.categories.items()}
    ids |= {name.replace(" ", "_"): key for name, key in ids.items()}
    table = np.full(max(found.names) + 1, -1)
    for key, name in found.names.items():
        number = name.removeprefix("class-")  # of a file without names
        table[key] = ids.get(name, int(number) if number != name and number.isdecimal() else -1)
    classes = table[found.classes]
    if (classes < 0).any():
        name = found.names[int(found.classes[int(np.flatnonzero(classes < 0)[0])])]
        raise BadInputError(f"the detections contain class '{name}', which is not in the ground truth")
    return _checked(classes, objects)


def _checked(classes: np.ndarray, objects: GroundTruthObjects) -> np.ndarray:
    """Categories that the truth lacks count nowhere, as in pycocotools; with none of them nothing would."""
    own, true = sorted(set(classes.tolist())), sorted(objects.categories)
    if own and not set(own) & set(true):
        raise BadInputError(
            f"the detections ({_some(own)}) and the ground truth ({_some(true)}) have no category in common"
        )
    return classes


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:5])) + (", ..." if len(ids) > 5 else "")
