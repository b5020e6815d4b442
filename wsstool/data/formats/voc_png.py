"""Pascal VOC's segmentation folders, called "Segmentation mask 1.1" in CVAT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.data.geometry.instances import AnnotatedImage
from wsstool.data.listing import without_suffix
from wsstool.data.masks import write_mask
from wsstool.data.palettes import class_palette
from wsstool.errors import BadInputError
from wsstool.types import IGNORE, ClassList

_MOST = 254
"""Maximum number of objects in an 8-bit image, besides background and ignore."""


def write(images: Sequence[AnnotatedImage], target: Path, classes: ClassList) -> None:
    """Write ``SegmentationObject/`` and ``SegmentationClass/`` as PNGs, ``labelmap.txt``, ``ImageSets/``.

    Args:
        images: images and objects to write; an image without objects has empty masks.
        target: the folder.
        classes: their palette is written to ``labelmap.txt``.

    Raises:
        BadInputError: a class with a colon in its name.

    Notes:
        The k-th object of an image has the value k; uncertain pixels are 255 in both images. Where objects
        overlap the one with the better score wins. With more than 254 objects in an image the object mask is
        16-bit, with 65535 for uncertain pixels. Scores, ids and boxes cannot be stored.

    Source: the VOC development kit's description of the folders, CVAT's of the label map; written from them.
    """
    if odd := [name for name in classes.names if ":" in name]:
        raise BadInputError(
            f"the class name '{odd[0]}' contains a colon, which a label map file cannot store"
        )
    for folder in ("SegmentationObject", "SegmentationClass", "ImageSets/Segmentation"):
        (target / folder).mkdir(parents=True)
    number = {name: i for i, name in enumerate(classes.names)}
    empty = classes.background if classes.background >= 0 else IGNORE
    for image in images:
        many = len(image.instances) > _MOST
        objects = np.zeros(image.size, np.uint16)
        labels = np.full(image.size, empty, np.uint8)
        void = 65535 if many else IGNORE
        objects[image.void], labels[image.void] = void, IGNORE
        order = np.argsort([instance.score for instance in image.instances], kind="stable")
        for k in order.tolist():
            instance = image.instances[k]
            pixels = instance.placed(image.size)
            objects[pixels == 1], labels[pixels == 1] = k + 1, number[instance.label]
            unsure = (pixels == IGNORE) & (objects == 0)
            objects[unsure], labels[unsure] = void, IGNORE
        name = without_suffix(image.name) + ".png"
        for folder in ("SegmentationObject", "SegmentationClass"):
            (target / folder / name).parent.mkdir(parents=True, exist_ok=True)
        if many:
            Image.fromarray(objects).save(target / "SegmentationObject" / name)
        else:
            write_mask(target / "SegmentationObject" / name, objects.astype(np.uint8))
        write_mask(target / "SegmentationClass" / name, labels, classes)
    palette = class_palette(classes)
    colours = "".join(
        f"{name}:{','.join(map(str, palette[i].tolist()))}::\n" for i, name in enumerate(classes.names)
    )
    (target / "labelmap.txt").write_text(f"# label:color_rgb:parts:actions\n{colours}", "utf-8")
    stems = "".join(without_suffix(image.name) + "\n" for image in images)
    (target / "ImageSets/Segmentation/default.txt").write_text(stems, "utf-8")
