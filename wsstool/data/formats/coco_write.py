"""Write COCO: instances as an annotation file, or as a list of results with scores."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from wsstool.annotation_file import read_json
from wsstool.data.formats.coco import in_list
from wsstool.data.formats.coco_index import read_index
from wsstool.data.geometry import rle
from wsstool.data.geometry.instances import AnnotatedImage, Instance, check_shape, listed_classes
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def write_instances(
    images: Sequence[AnnotatedImage],
    target: Path,
    classes: ClassList,
    like: Path | None = None,
    *,
    shape: str = "mask",
) -> None:
    """Write a COCO annotation file, with a ``score`` per annotation.

    Args:
        images: images and objects to write.
        target: the JSON file.
        classes: the categories; background is left out unless an object has that class. Their ids are the
            class ids.
        like: the COCO file whose image and category ids to use; None: images are numbered from 1.
        shape: ``mask`` for run lengths, ``polygon`` for polygons: one per part, a hole is a cut.

    Raises:
        UsageError: unknown ``shape``.
        BadInputError: ``like`` lacks an image or a category.

    Notes:
        Annotations keep the ids of the boxes unless one occurs twice; then all are numbered from 1. COCO's
        evaluation takes the id 0 for "no match": that object gets the number after the largest id. The mask
        of a sentence is an annotation with ``sentences`` and ``ann_id``, the id of its object.

    Source: Lin et al., ECCV 2014, and the description of the format at cocodataset.org; written from it.
    """
    check_shape(shape, "mask", "polygon")
    ids = _Ids.of(images, classes, like)
    known = [instance.id for image in images for instance in image.instances]
    free = max(known, default=0) + 1
    is_kept = len(set(known)) == len(known)
    numbers = iter([number or free for number in known] if is_kept else range(1, len(known) + 1))
    head = {
        "info": {"description": "wsstool export"},
        "images": [
            {"id": ids.images[image.name], "file_name": ids.names.get(image.name, image.name),
             "width": image.size[1], "height": image.size[0]}
            for image in images
        ],
        "categories": [{"id": i, "name": name} for name, i in ids.categories.items()],
    }  # fmt: skip
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "annotations": ')
        annotations = _annotations(images, ids, shape)
        _write_list(file, ({"id": next(numbers), "iscrowd": 0, **one} for one in annotations))
        file.write("}\n")


def write_results(
    images: Sequence[AnnotatedImage],
    target: Path,
    classes: ClassList,
    like: Path | None = None,
    *,
    shape: str = "mask",
) -> None:
    """Write COCO results: a plain list of masks with scores, as read by COCO's evaluation.

    Args:
        images, target, classes, shape: as in ``write_instances``.
        like: the COCO file to evaluate the results on; its ids are used.

    Source: the description of the format at cocodataset.org; written from it.
    """
    check_shape(shape, "mask", "polygon")
    ids = _Ids.of(images, classes, like)
    with open(target, "w", encoding="utf-8", newline="\n") as file:
        _write_list(file, _annotations(images, ids, shape))
        file.write("\n")


def _write_list(file: IO[str], items: Iterable[dict[str, Any]]) -> None:
    """A JSON list, one line per item, without holding the items in memory."""
    file.write("[")
    for k, item in enumerate(items):
        file.write((",\n" if k else "\n") + json.dumps(item))
    file.write("\n]")


class _Ids:
    """Ids of images and categories."""

    def __init__(self, images: dict[str, int], names: dict[str, str], categories: dict[str, int]) -> None:
        self.images, self.names, self.categories = images, names, categories

    @classmethod
    def of(cls, images: Sequence[AnnotatedImage], classes: ClassList, like: Path | None) -> _Ids:
        if like is None:
            numbered = {image.name: k for k, image in enumerate(images, 1)}
            return cls(numbered, {}, {classes.names[i]: i for i in listed_classes(images, classes)})
        source = f"COCO file {str(like)!r}"
        data = read_json(like, source)
        try:
            index = read_index(data, source)
            files = {name: i for i, name in index.files.items()}
            categories = {in_list(index.categories[i], classes): i for i in index.first_ids.values()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInputError(f"{source} is not a COCO instances file ({error})") from None
        spelled = list(files)
        lookup = Lookup(spelled)
        found, names = {}, {}
        for image in images:
            i = lookup.find(image.name, "the input")
            if i is None:
                raise BadInputError(f"{source} has no image {image.name!r}")
            found[image.name], names[image.name] = files[spelled[i]], spelled[i]
        used = {instance.label for image in images for instance in image.instances}
        if odd := sorted(used - set(categories)):
            raise BadInputError(f"{source} has no category '{odd[0]}'")
        return cls(found, names, categories)


def _annotations(images: Sequence[AnnotatedImage], ids: _Ids, shape: str) -> Iterator[dict[str, Any]]:
    for image in images:
        for instance in image.instances:
            x0, y0, x1, y1 = instance.box
            yield {
                "image_id": ids.images[image.name],
                "category_id": ids.categories[instance.label],
                "bbox": [x0, y0, round(x1 - x0, 4), round(y1 - y0, 4)],
                "area": int(instance.mask.sum()),
                "segmentation": _segmentation(instance, image.size, shape),
                "score": instance.score,
                **({"sentences": [instance.sentence], "ann_id": instance.id} if instance.sentence else {}),
            }


def _segmentation(instance: Instance, size: tuple[int, int], shape: str) -> Any:
    if shape == "polygon":
        return [part.reshape(-1).tolist() for part in instance.polygons()]
    packed = rle.encode(instance.placed(size) == 1)
    return {"size": packed["size"], "counts": rle.pack(packed["counts"])}
