"""The pictures of a report: which images are shown, and what stands beside each other."""

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
from wsstool.report.overlays import blend, blend_scores, errors, fitted, jpeg, strip
from wsstool.report.page import Gallery, Panel, Sample
from wsstool.stages.inputs.image_batches import read_picture
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.scoring.ground_truth import Truth
from wsstool.stages.scoring.predictions import Scale
from wsstool.types import IGNORE

_WIDTH = 360
Picture = tuple[str, np.ndarray]


@dataclass
class Shown:
    """A record file whose images are shown; ``scores`` is per-image mIoU by name."""

    name: str
    is_twin: bool
    records: store.RandomAccess
    truth: Truth | None
    scores: dict[str, float]


def galleries(
    files: Sequence[Shown],
    images: Path | None,
    samples: int,
    *,
    threshold: float,
    background: str,
    strips: Path | None = None,
) -> list[Gallery]:
    """Galleries of the worst, typical and best images, for each set of images that the files hold.

    Args:
        files: in the order of their panels.
        images: data folder with the pictures, or None: where the files were made from.
        samples: images of each kind.
        threshold, background: for label maps of CAMs, as in ``eval``.
        strips: folder for one PNG an image.

    Raises:
        MissingInputError: a picture is not there.
        BadInputError: a picture has another size than when the file was made.
        CannotWriteError: a strip cannot be written.
    """
    found: list[Gallery] = []
    sets: dict[tuple[str, ...], list[Shown]] = {}
    for file in files:
        sets.setdefault(file.records.header.images, []).append(file)
    for names, group in sets.items():
        judge = next((f for f in reversed(group) if f.scores and not f.is_twin), None)
        of = ", ".join(f.name for f in group)
        header = group[0].records.header
        folder = image_folder(header, images, group[0].records.path)
        readable = [i for i, size in enumerate(header.sizes.tolist()) if size != [0, 0]]
        for title, chosen in _choose(names, readable, judge.scores if judge else {}, samples):
            note = f"{of}. " + (f"Chosen by the per-image mIoU of {judge.name}." if judge else "")
            shown, present = [], set[int]()
            for i in chosen:
                pictures, classes = _pictures(group, i, folder, threshold, background)
                present |= classes
                score = f"mIoU {judge.scores[names[i]]:.3f}" if judge else ""
                panels = [Panel(caption, jpeg(_sized(picture))) for caption, picture in pictures]
                shown.append(Sample(names[i], score, panels))
                if strips is not None:
                    number = sum(len(g.samples) for g in found) + len(shown)
                    write_strip(Path(strips), f"{number:03d}-{Path(names[i]).stem}.png", pictures)
            palette = class_palette(header.classes)
            legend = [(header.classes.names[c], tuple(palette[c].tolist())) for c in sorted(present)]
            found.append(Gallery(title, note.strip(), shown, legend))  # type: ignore[arg-type]
    return found


def _choose(
    names: Sequence[str], readable: list[int], scores: dict[str, float], n: int
) -> list[tuple[str, list[int]]]:
    """Titles and indices: worst, around the median, best; evenly spread where nothing is scored."""
    if not scores:
        step = max(1, len(readable) // max(1, 3 * n))
        return [("Images", readable[::step][: 3 * n])] if n else []
    order = sorted((i for i in readable if names[i] in scores), key=lambda i: scores[names[i]])
    if len(order) <= 3 * n:
        return [("Images, worst first", order)]
    middle = (len(order) - n) // 2
    kinds = (("Worst images", order[:n]), ("Typical images", order[middle : middle + n]))
    return [*kinds, ("Best images", order[-n:][::-1])] if n else []


def _pictures(
    group: Sequence[Shown], i: int, folder: Path, threshold: float, background: str
) -> tuple[list[Picture], set[int]]:
    """The panels of one image, and the classes that are in them."""
    header = group[0].records.header
    rows, columns = header.sizes[i].tolist()
    image = read_picture(folder / header.images[i], header.sizes[i])
    if isinstance(image, WsstoolError):
        raise image
    palette, hidden = class_palette(header.classes), header.classes.background
    panels: list[Picture] = [("image", image)]
    present: set[int] = set()
    last: tuple[str, np.ndarray] | None = None
    for file in group:
        record, theirs = file.records[i], file.records.header
        titles = [file.name if len(theirs.layers) == 1 else f"{file.name}, {one}" for one in theirs.layers]
        if record.failed:
            panels += [(f"{title}: failed", np.full_like(image, 128)) for title in titles]
        elif theirs.payload == "cam":
            scale = Scale.of(theirs, "auto", threshold, background)
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
        panels.append(("truth", blend(image, truth, palette, background=hidden)))
        present |= set(np.unique(truth).tolist())
        if last is not None:
            panels.append((f"errors of {last[0]}", errors(image, last[1], truth)))
    return panels, present - {IGNORE, hidden}


def _sized(picture: np.ndarray) -> np.ndarray:
    """A picture about as wide as its place on the page."""
    return fitted(picture, max(1, round(picture.shape[0] * _WIDTH / picture.shape[1])))


def write_strip(folder: Path, name: str, pictures: Sequence[Picture]) -> None:
    """Write pictures side by side under their captions as a PNG.

    Raises:
        CannotWriteError: no such place, no space, no permission.
    """
    sheet = strip([p for _, p in pictures], [caption for caption, _ in pictures])
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / name) as part:
        Image.fromarray(sheet).save(part, format="PNG")
