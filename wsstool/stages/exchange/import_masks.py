"""``import``: the instance masks of an annotation file of another program as a ``selection`` file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.data.boxes.table import BoxTable, table_of
from wsstool.data.dataset import Dataset, open_dataset
from wsstool.data.formats import WrittenBoxes
from wsstool.data.formats.box_file import read_box_file
from wsstool.data.geometry.instances import Window, around, extent
from wsstool.data.label_views import find_view
from wsstool.data.listing import Lookup
from wsstool.errors import BadInputError
from wsstool.store.provenance import canonical_json, digest
from wsstool.types import SILENT, ClassList, Messages, tracked


def import_masks(
    annotations: Path,
    *,
    output: Path | None = None,
    images: Path | None = None,
    class_list: Path | None = None,
    like: Path | None = None,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Read masks and polygons of COCO, CVAT or Label Studio into a ``selection`` file.

    Args:
        annotations: the file, or the zip that holds it; the format is recognised.
        output: target; None: standard output.
        images: the data folder; names and sizes are checked against its pictures, and spelled as there. None:
            as the file says.
        class_list: the classes; None: those of ``images``, else those of the file.
        like: the COCO file whose image and category ids COCO results use.
        force: see ``store.create``.

    Returns:
        ``images``, ``masks``, ``key`` and ``dropped`` (reason -> count).

    Raises:
        BadInputError: a malformed file, no mask in it, a label that the class list lacks, or images of
            another size than stated.
        MissingInputError: no such file or folder.
    """
    annotations = Path(annotations)
    written = read_box_file(annotations, like)
    dataset = _pictures(written, images, class_list, messages)
    _check_labels(written, dataset.classes)
    table = table_of(written, dataset, tiny=True, messages=messages)
    found = _Masks.of(table, messages)
    if not found.count:
        hint = "; train-contour --boxes reads its boxes" if table.counts.any() else ""
        raise BadInputError(f"{written.source} holds no mask of any image{hint}")
    inputs = [store.Input.of_file(annotations, role="input")]
    inputs += [store.Input.of_file(like, role="like")] if like else []
    if images is not None:  # names and sizes are all that is taken from there
        listed = canonical_json([list(dataset.names), table.sizes.tolist(), list(table.classes.names)])
        inputs.append(store.Input("images", {"fingerprint": digest(listed)}, str(images)))
    counts = np.array([len(one) for one in found.rows])
    header = store.new_header(
        "selection",
        stage="import",
        params={"class_list": str(class_list) if class_list else None},
        inputs=inputs,
        images=dataset.names,
        sizes=table.sizes,
        shapes=np.stack([counts, np.full_like(counts, -1), np.full_like(counts, -1)], 1),
        elements=np.array([sum((w[2] - w[0]) * (w[3] - w[1]) for w in ws) for ws in found.windows]),
        classes=table.classes,
        image_root=images or "",
        columns={"box_offset": np.concatenate([[0], np.cumsum(counts)]), **found.columns(table)},
    )
    with store.create(header, output, force=force, messages=messages) as writer:
        left = range(writer.start, len(header))
        for i in tracked(left, messages, len(left), "images"):
            pixels = [mask.reshape(-1) for mask in found.of_image(table, i)]
            writer.write(
                np.concatenate([np.zeros(0, np.uint8), *pixels]),
                score=table.scores[i][found.rows[i]],
                fallback=np.zeros(counts[i], np.uint8),
            )
    dropped = {**table.dropped, **({"without a mask": found.bare} if found.bare else {})}
    return {"images": len(header), "masks": found.count, "key": header.key, "dropped": dropped}


@dataclass(frozen=True)
class _Stated(Dataset):
    """Pictures that are not here, as a file describes them."""

    stated: tuple[tuple[int, int], ...] = ()

    def sizes(self) -> np.ndarray:
        return np.array(self.stated, np.int32).reshape(-1, 2)


def _pictures(
    written: WrittenBoxes, images: Path | None, class_list: Path | None, messages: Messages
) -> Dataset:
    """The pictures that the file names: those of the folder, or what it says about them itself."""
    if images is not None:
        dataset = open_dataset(images, labels="images", class_list=class_list)
        lookup = Lookup(dataset.names)
        found = {lookup.find(name, written.source) for name in written.images}
        return dataset.subset(sorted(i for i in found if i is not None)) if found - {None} else dataset
    classes = find_view(Path(), class_list=class_list).classes if class_list else None
    used = {row.image for row in written.rows}
    sizes = {}
    for name in sorted(written.images):
        size = written.images[name]
        if size is not None:
            sizes[name] = size
        elif name in used:
            raise BadInputError(
                f"{written.source} does not say how large {name!r} is; --images names the folder"
            )
    if len(sizes) < len(written.images):
        messages.warn(f"{len(written.images) - len(sizes)} images without size and objects are left out")
    return _Stated(
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
            f"{written.source} has the label '{odd[0]}'{more}, which the class list lacks; "
            "--class-list names another"
        )


@dataclass(frozen=True)
class _Masks:
    """Which boxes of a table have masks, and the windows that these need."""

    rows: tuple[list[int], ...]
    windows: tuple[list[Window], ...]
    bare: int

    @classmethod
    def of(cls, table: BoxTable, messages: Messages) -> _Masks:
        """Look at every mask once; they are unpacked again when they are written, to keep memory flat."""
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
                rows[i].append(k)
                windows[i].append(
                    (
                        min(inner[0], outer[0]),
                        min(inner[1], outer[1]),
                        max(inner[2], outer[2]),
                        max(inner[3], outer[3]),
                    )
                )
        if bare:
            messages.warn(f"{bare} boxes of {table.source} come without a mask and are left out")
        return cls(tuple(rows), tuple(windows), bare)

    @property
    def count(self) -> int:
        return sum(map(len, self.rows))

    def columns(self, table: BoxTable) -> dict[str, np.ndarray]:
        """The head columns of the boxes that have masks."""
        kept = [(table.of(i), rows) for i, rows in enumerate(self.rows)]
        return {
            "box": np.concatenate([boxes.xyxy[rows] for boxes, rows in kept]),
            "box_class": np.concatenate([boxes.class_ids[rows] for boxes, rows in kept]),
            "box_id": np.concatenate([boxes.ids[rows] for boxes, rows in kept]),
            "window": np.array([w for ws in self.windows for w in ws], np.int32).reshape(-1, 4),
        }

    def of_image(self, table: BoxTable, i: int) -> list[np.ndarray]:
        """The (h, w) uint8 masks of image ``i``, cut to their windows."""
        masks = table.truth(i)
        pieces = []
        for k, (x0, y0, x1, y1) in zip(self.rows[i], self.windows[i], strict=True):
            mask = masks[k]
            assert mask is not None
            pieces.append(mask[y0:y1, x0:x1].astype(np.uint8))
        return pieces
