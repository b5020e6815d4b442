"""Select images for the report and assemble their strips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.atomic import atomic_file
from wsstool.data.palettes import class_palette
from wsstool.errors import WsstoolError
from wsstool.report.overlays import blend, blend_scores, errors, fitted, jpeg, strip, titled
from wsstool.report.page import Gallery, Panel, Ranking, Sample
from wsstool.stages.inputs.image_batches import read_sized_image
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.options.scoring import ReportOptions
from wsstool.stages.scoring.ground_truth import Truth
from wsstool.stages.scoring.predictions import Scale
from wsstool.types import IGNORE

_WIDTH = 360
CaptionedImage = tuple[str, np.ndarray]


@dataclass
class ImageFile:
    """A record file whose images are shown; by image name: mIoU in ``scores``, classes in ``tags``."""

    name: str
    is_twin: bool
    records: store.RandomAccess
    truth: Truth | None
    scores: dict[str, float]
    tags: dict[str, tuple[str, ...]]


def galleries(files: Sequence[ImageFile], options: ReportOptions) -> list[Gallery]:
    """Return galleries of the worst, typical and best images, for each set of images that the files hold.

    Args:
        files: in the order of their panels.
        options: number of images, where they are, and how class maps become label maps.

    Raises:
        MissingInputError: an image is missing.
        BadInputError: an image has another size than when the file was made.
        CannotWriteError: a strip cannot be written.
    """
    found: list[Gallery] = []
    sets: dict[tuple[str, ...], list[ImageFile]] = {}
    for file in files:
        sets.setdefault(file.records.header.images, []).append(file)
    for group in sets.values():
        found += _galleries_of_set(group, options, sum(len(one.samples) for one in found))
    return found


def rankings(files: Sequence[ImageFile]) -> list[Ranking]:
    """Return the list of all images, worst first, for each set of images that is scored."""
    sets: dict[tuple[str, ...], list[ImageFile]] = {}
    for file in files:
        sets.setdefault(file.records.header.images, []).append(file)
    found = []
    for judge in filter(None, map(_judge, sets.values())):
        order = sorted(judge.scores, key=judge.scores.__getitem__)
        rows = [(name, ", ".join(judge.tags.get(name, ())), judge.scores[name]) for name in order]
        title = f"All {len(rows)} images, lowest mIoU of {judge.name} first"
        found.append(Ranking(title, ("image", "labels", "mIoU"), rows))
    return found


def _judge(group: Sequence[ImageFile]) -> ImageFile | None:
    """The file by whose scores images are ordered: the last that is not the fully supervised reference."""
    return next((f for f in reversed(group) if f.scores and not f.is_twin), None)


def _galleries_of_set(group: Sequence[ImageFile], options: ReportOptions, number: int) -> list[Gallery]:
    """The galleries of files of the same images; ``number`` images have been shown before."""
    judge = _judge(group)
    header = group[0].records.header
    names, palette = header.images, class_palette(header.classes)
    folder = image_folder(header, options.images, group[0].records.path)
    note = ", ".join(f.name for f in group) + "."
    note += f" Selected by the per-image mIoU of {judge.name}." if judge else ""
    readable = [i for i, size in enumerate(header.sizes.tolist()) if size != [0, 0]]
    tags = (judge or group[0]).tags
    several = [i for i in readable if len(tags.get(names[i], ())) > 1]
    if 0 < len(several) < len(readable) and len(several) >= 3 * options.samples:
        readable = several
        note += " Only images with two or more labels, since images with one are easy."
    found = []
    for title, chosen in _choose(names, readable, judge.scores if judge else {}, options.samples):
        shown, present = [], set[int]()
        for i in chosen:
            captioned, classes = _captioned_images(group, i, folder, options)
            present |= classes
            score = f"mIoU {judge.scores[names[i]]:.3f}" if judge else ""
            panels = [Panel(caption, jpeg(_sized(image))) for caption, image in captioned]
            shown.append(Sample(names[i], score, panels))
            number += 1
            if options.strips is not None:
                write_strip(Path(options.strips), f"{number:03d}-{Path(names[i]).stem}.png", captioned)
        legend = [(header.classes.names[c], tuple(palette[c].tolist())) for c in sorted(present)]
        found.append(Gallery(title, note, shown, legend))  # type: ignore[arg-type]
    return found


def _choose(
    names: Sequence[str], readable: list[int], scores: dict[str, float], n: int
) -> list[tuple[str, list[int]]]:
    """Titles and indices: worst, around the median, best; evenly spread where nothing is scored."""
    if not scores:
        step = max(1, len(readable) // max(1, 3 * n))
        return [("Images", readable[::step][: 3 * n])] if n else []
    return worst_typical_best(
        sorted((i for i in readable if names[i] in scores), key=lambda i: scores[names[i]]), n, "images"
    )


def worst_typical_best(order: list[int], n: int, what: str) -> list[tuple[str, list[int]]]:
    """Return titles and ``n`` numbers each: the worst, those around the median, the best.

    Args:
        order: all numbers, the worst first; up to 3 n of them are shown in one gallery.
        n: how many of each kind.
        what: is shown, in the plural.

    >>> worst_typical_best([4, 0, 3, 1, 2, 5, 6], 2, "masks")
    [('Worst masks', [4, 0]), ('Typical masks', [3, 1]), ('Best masks', [6, 5])]
    """
    if len(order) <= 3 * n:
        return [(f"{what.capitalize()}, worst first", order)]
    middle = (len(order) - n) // 2
    kinds = ("Worst", order[:n]), ("Typical", order[middle : middle + n]), ("Best", order[-n:][::-1])
    return [(f"{kind} {what}", chosen) for kind, chosen in kinds] if n else []


def _captioned_images(
    group: Sequence[ImageFile], i: int, folder: Path, options: ReportOptions
) -> tuple[list[CaptionedImage], set[int]]:
    """Return the panels of one image, and the classes in them."""
    header = group[0].records.header
    rows, columns = header.sizes[i].tolist()
    image = read_sized_image(folder / header.images[i], header.sizes[i])
    if isinstance(image, WsstoolError):
        raise image
    palette, hidden = class_palette(header.classes), header.classes.background
    panels: list[CaptionedImage] = [("image", image)]
    present: set[int] = set()
    last: tuple[str, np.ndarray] | None = None
    for file in group:
        record, theirs = file.records[i], file.records.header
        titles = [file.name if len(theirs.layers) == 1 else f"{file.name}, {one}" for one in theirs.layers]
        if record.failed:
            panels += [(f"{title}: failed", np.full_like(image, 128)) for title in titles]
        elif theirs.payload == "cam":
            scale = Scale.of(theirs, "auto", options.background_threshold, options.background)
            for title, maps in zip(titles, record.maps, strict=True):
                scores, ids = scale.scores(maps, record.class_ids, (rows, columns))
                shown = ids != hidden
                panels.append((title, blend_scores(image, scores[shown], ids[shown], palette)))
            present |= set(record.class_ids.tolist())
        else:
            for title, labels in zip(titles, record.data, strict=True):
                panels.append((title, blend(image, labels, palette, background=hidden)))
                present |= set(np.unique(labels).tolist())
                last = last if file.is_twin and last else (title, labels)
    truth = group[0].truth.read(i, (rows, columns)) if group[0].truth else None
    if truth is not None:
        panels.append(("ground truth", blend(image, truth, palette, background=hidden)))
        present |= set(np.unique(truth).tolist())
        if last is not None:
            panels.append((f"errors of {last[0]}", errors(image, last[1], truth)))
    return panels, present - {IGNORE, hidden}


def _sized(image: np.ndarray) -> np.ndarray:
    """Resize an image to about its width on the page."""
    return fitted(image, max(1, round(image.shape[0] * _WIDTH / image.shape[1])))


def write_strip(folder: Path, name: str, captioned: Sequence[CaptionedImage], title: str = "") -> None:
    """Write images side by side under their captions, and these under the title, as a PNG.

    Raises:
        CannotWriteError: no such place, no space, no permission.
    """
    sheet = strip([p for _, p in captioned], [caption for caption, _ in captioned])
    sheet = titled(sheet, title) if title else sheet
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / name) as part:
        Image.fromarray(sheet).save(part, format="PNG")
