"""Label maps, class maps and object masks over their images, as PNGs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.data.classlist import write_class_list
from wsstool.data.listing import without_suffix
from wsstool.data.palettes import class_palette
from wsstool.errors import WsstoolError
from wsstool.masks.normalise import scores_at
from wsstool.report.overlays import blend, blend_scores, label_borders
from wsstool.stages.exchange.file_names import names_for_others, unique
from wsstool.stages.exchange.label_maps import CLASS_FILE, chosen_layers
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.types import Messages, tracked

_NOT_IN_NAMES = re.compile(r"[^\w. -]")


def write_overlays(
    reader: store.Reader,
    target: Path,
    *,
    folder: Path,
    layer: str | None,
    prefix: str | None,
    flat: bool,
    messages: Messages,
) -> int:
    """Write the images under their label maps, objects or each of their class maps; return how many images.

    ``a/b.jpg`` becomes ``a/b.png``; with class maps ``a/b-CLASS.png`` for each class that has one.

    Args:
        reader: a ``mask``, ``selection`` or ``cam`` file.
        target: new folder; ``classes.txt`` in it lists the classes and their colours.
        folder: of the images.
        layer, prefix, flat: as in ``write_label_maps``.
        messages: receives the progress.

    Raises:
        WsstoolError: an image of another size than when the file was made, or one that cannot be read.
    """
    header = reader.header
    layers = chosen_layers(header.layers or ("objects",), layer, prefix)
    names = [without_suffix(name) for name in names_for_others(header.images, flat)]
    draw = {"mask": _label_map, "cam": _class_maps, "selection": _objects}[header.payload](header)
    written = 0
    target.mkdir()
    write_class_list(target / CLASS_FILE, header.classes)
    for record in tracked(reader.records(), messages, len(header), "images"):
        if record.failed:
            continue
        image = read_sized_image(folder / record.name, np.array(record.size))
        if isinstance(image, WsstoolError):
            raise image
        written += 1
        for number, below in layers:
            for ending, drawn in draw(record, number, image):
                path = target / below / f"{names[record.index]}{ending}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(drawn).save(path)
    return written


_Draw = Callable[[store.Record, int, np.ndarray], Iterator[tuple[str, np.ndarray]]]


def _label_map(header: store.Header) -> _Draw:
    palette, background = class_palette(header.classes), header.classes.background

    def draw(record: store.Record, layer: int, image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        yield "", blend(image, record.data[layer], palette, background=background)

    return draw


def _objects(header: store.Header) -> _Draw:
    """Draw every object in the colour of its class, with its own outline; later ones lie on top."""
    palette = class_palette(header.classes)

    def draw(record: store.Record, layer: int, image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        labels, numbers = np.zeros(record.size, np.uint8), np.zeros(record.size, np.int32)
        ids = header.columns["box_class"][header.rows(record.index, "box")].tolist()
        for number, (class_id, mask) in enumerate(zip(ids, record.placed, strict=True), 1):
            labels[mask == 1], numbers[mask == 1] = class_id, number
        drawn = blend(image, labels, palette, outline=False)
        drawn = np.where(numbers[..., None] > 0, drawn, image)
        drawn[label_borders(numbers)] = 255
        yield "", drawn

    return draw


def _class_maps(header: store.Header) -> _Draw:
    """Draw one overlay per class, in its colour; the background's maps are drawn in grey."""
    palette, mode = class_palette(header.classes), header.normalisation or "joint"
    if header.classes.background >= 0:
        palette[header.classes.background] = 128
    endings = _endings(header.classes.names)

    def draw(record: store.Record, layer: int, image: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
        scores = scores_at(np.asarray(record.maps[layer]), mode, record.size)
        for class_id, one in zip(record.class_ids.tolist(), scores, strict=True):
            yield f"-{endings[class_id]}", blend_scores(image, one[None], [class_id], palette)

    return draw


def _endings(names: Sequence[str]) -> list[str]:
    """Return class names as they may stand in the name of a file; numbered where two would be equal."""
    found = [_NOT_IN_NAMES.sub("_", name) for name in names]
    if len({name.casefold() for name in found}) < len(found):
        found = [f"{i}-{name}" for i, name in enumerate(found)]
    unique(found, names)
    return found
