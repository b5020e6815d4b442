"""``import``: the instance masks of another program as a ``selection`` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, table_of
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.formats import WrittenBoxes, labelme
from wsstool.data.formats.box_file import read_box_file
from wsstool.data.geometry.instances import Window, around, extent
from wsstool.data.label_views import find_view
from wsstool.data.listing import is_outside
from wsstool.errors import BadInputError, UsageError
from wsstool.options import takes
from wsstool.regions import Boxes
from wsstool.stages.exchange.import_score_maps import import_score_maps
from wsstool.stages.exchange.sentences import import_sentences
from wsstool.stages.objects.columns import BoxColumns
from wsstool.stages.options.exchange import ImportOptions
from wsstool.stages.records import Payload, write_all
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages, tracked


@takes(ImportOptions)
def import_masks(options: ImportOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Read masks and polygons of COCO, CVAT or Label Studio into a ``selection`` file.

    With ``expressions`` instead of ``annotations``, sentences become JSON lines, see ``import_sentences``; a
    folder of class probabilities becomes a ``cam`` file, see ``import_score_maps``.
    With ``images`` names and sizes are checked against the images of that folder, and spelled as there.

    Returns:
        ``images``, ``masks``, ``key`` and ``dropped`` (reason -> count).

    Raises:
        BadInputError: a malformed file, no mask in it, a label that the class list lacks, or images of
            another size than stated.
        MissingInputError: no such file or folder.
    """
    if options.expressions is not None:
        return import_sentences(options, messages)
    if options.annotations is None:
        raise UsageError("name a file with masks, or one with sentences by --expressions")
    annotations = Path(options.annotations)
    folders = labelme.candidates(annotations)
    if annotations.is_dir() and not folders:
        return import_score_maps(options, messages)
    if options.shuffle is not None:
        raise UsageError("--shuffle is for sentences; --expressions names their file")
    if folders:
        written = labelme.read_boxes(folders, annotations, options.images)
    else:
        written = read_box_file(annotations, options.like)
    dataset = _images(written, options.images, options.class_list, messages)
    _check_labels(written, dataset.classes)
    table = table_of(written, dataset, tiny=True, messages=messages)
    masks = _Masks.of(table, messages)
    if not masks.count:
        hint = "; use its boxes with train-contour --boxes" if table.counts.any() else ""
        if not table.counts.any() and any(written.tags.values()):
            hint = "; use its labels of whole images with train-cls --labels"
        raise BadInputError(f"{written.source} contains no masks{hint}")
    header = store.new_header(
        "selection",
        stage="import",
        params=options.key_params(),
        inputs=_inputs(options, table, dataset),
        image_root=options.images or "",
        **masks.columns(dataset.names).header_fields(),
    )
    with store.create(header, options.output, force=options.force, messages=messages) as writer:
        results = (masks.payload(i) for i in range(writer.start, len(header)))
        write_all(writer, results, messages, "images")
    dropped = {**table.dropped, **({"without a mask": masks.bare} if masks.bare else {})}
    return {"images": len(header), "masks": masks.count, "key": header.key, "dropped": dropped}


def _inputs(options: ImportOptions, table: BoxTable, dataset: Dataset) -> list[store.Input]:
    annotations = Path(str(options.annotations))
    if annotations.is_dir():
        names = sorted(path.relative_to(annotations).as_posix() for path in annotations.rglob("*.json"))
        found = [store.Input.of_folder(annotations, names, role="input")]
    else:
        found = [store.Input.of_file(annotations, role="input")]
    if options.like:
        found.append(store.Input.of_file(options.like, role="like"))
    if options.images is not None:  # only names and sizes are taken from there
        listed = canonical_json([list(dataset.names), table.sizes.tolist(), list(table.classes.names)])
        found.append(store.Input("images", {"fingerprint": digest(listed)}, str(options.images)))
    return found


@dataclass(frozen=True)
class _StatedImages(Dataset):
    """Images without a local copy, as a file describes them."""

    stated: tuple[tuple[int, int], ...] = ()

    def images_of_folder(self) -> tuple[str, ...]:
        return self.names

    def sizes(self) -> np.ndarray:
        return np.array(self.stated, np.int32).reshape(-1, 2)


def _images(
    written: WrittenBoxes, images: Path | None, class_list: Path | None, messages: Messages
) -> Dataset:
    """Return the images of the file: those of the folder, or as the file describes them."""
    if images is not None:
        dataset = open_dataset(images, labels="images", class_list=class_list)
        found, _ = dataset.placed(written.images, written.source)
        return dataset.subset(sorted(set(found.values()))) if found else dataset
    classes = find_view(Path(), class_list=class_list).classes if class_list else None
    for name in written.images:
        if is_outside(name):
            raise BadInputError(
                f"{written.source} names {name!r}, a path outside its folder; name the image folder with "
                "--images"
            )
    used = {row.image for row in written.rows}
    sizes = {}
    for name in sorted(written.images):
        size = written.images[name]
        if size is not None:
            sizes[name] = size
        elif name in used:
            raise BadInputError(
                f"{written.source} does not state the size of {name!r}; name the image folder with --images"
            )
    if len(sizes) < len(written.images):
        messages.warn(f"left out {len(written.images) - len(sizes)} images without size and objects")
    return _StatedImages(
        Path(), tuple(sizes), classes or ClassList(()), None, "boxes", stated=tuple(sizes.values())
    )


def _check_labels(written: WrittenBoxes, classes: ClassList) -> None:
    if not classes.names:
        return
    known = {*classes.names, *(name.replace("_", " ") for name in classes.names)}
    odd = sorted({row.name for row in written.rows} - known)
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise BadInputError(
            f"{written.source} contains the label '{odd[0]}'{more}, not in the class list; name another "
            "list with --class-list"
        )


@dataclass(frozen=True)
class _Masks:
    """The boxes of a table that have masks.

    Attributes:
        table: all boxes.
        rows: numbers of those with a mask, for each image.
        windows: x0, y0, x1, y1 that hold box and mask, for each of them.
        bare: boxes without a mask.
    """

    table: BoxTable
    rows: tuple[list[int], ...]
    windows: tuple[list[Window], ...]
    bare: int

    @classmethod
    def of(cls, table: BoxTable, messages: Messages) -> _Masks:
        """Scan every mask once; they are unpacked again when written, to limit memory."""
        rows: list[list[int]] = [[] for _ in range(len(table))]
        windows: list[list[Window]] = [[] for _ in range(len(table))]
        bare = 0
        for i in tracked(range(len(table)), messages, len(table), "images read"):
            size = (int(table.sizes[i, 0]), int(table.sizes[i, 1]))
            for k, mask in enumerate(table.truth(i)):
                inner = None if mask is None else extent(mask)
                if inner is None:
                    bare += 1
                    continue
                outer = around(table.of(i).xyxy[k], size)
                (x0, y0), (x1, y1) = map(min, inner[:2], outer[:2]), map(max, inner[2:], outer[2:])
                rows[i].append(k)
                windows[i].append((x0, y0, x1, y1))
        if bare:
            messages.warn(f"left out {bare} boxes of {table.source} without a mask")
        return cls(table, tuple(rows), tuple(windows), bare)

    @property
    def count(self) -> int:
        return sum(map(len, self.rows))

    def columns(self, names: tuple[str, ...]) -> BoxColumns:
        """The boxes and windows as columns."""
        every = zip(self.table.boxes, self.rows, strict=True)
        boxes = [Boxes(one.xyxy[rows], one.class_ids[rows], one.ids[rows]) for one, rows in every]
        windows = [window for some in self.windows for window in some]
        return BoxColumns.of(names, self.table.sizes, self.table.classes, boxes, windows)

    def payload(self, i: int) -> Payload:
        """The masks of image ``i``, cut to their windows, with the scores of the file."""
        masks, rows = self.table.truth(i), self.rows[i]
        pixels = [np.zeros(0, np.uint8)]
        for k, (x0, y0, x1, y1) in zip(rows, self.windows[i], strict=True):
            mask = masks[k]
            assert mask is not None
            pixels.append(mask[y0:y1, x0:x1].astype(np.uint8).reshape(-1))
        tail = {"score": self.table.scores[i][rows], "fallback": np.zeros(len(rows), np.uint8)}
        return Payload(np.concatenate(pixels), tail)
