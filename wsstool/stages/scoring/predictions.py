"""Read predictions (mask file, CAM file, folder of masks) as label maps of one form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wsstool import store
from wsstool.data.label_views import find_view
from wsstool.data.listing import is_image_name
from wsstool.data.masks import meaning_of_white, read_mask
from wsstool.errors import BadInputError, MissingInputError
from wsstool.masks.normalise import scores_at
from wsstool.stages.checks import check_fits_label_map
from wsstool.stages.inputs.image_folder import image_folder
from wsstool.stages.scoring.ground_truth import list_beside_masks, source_name
from wsstool.types import IGNORE, SILENT, ClassList, Messages

Normalise = Literal["auto", "joint", "class", "minmax", "probability", "none"]


@dataclass(frozen=True)
class Layer:
    """One prediction of an image: a label map, and what a threshold sweep needs of a CAM.

    Args:
        labels: (H, W) uint8.
        score: (H, W) float32, the largest foreground score in [0, 1], or None.
        foreground: (H, W) uint8, the class that has it, or None.
    """

    labels: np.ndarray
    score: np.ndarray | None = None
    foreground: np.ndarray | None = None


@dataclass(frozen=True)
class Prediction:
    """What was predicted for one image; ``layers`` is empty when the stage before could not do it."""

    index: int
    name: str
    size: tuple[int, int]
    layers: tuple[Layer, ...]


@dataclass
class Predictions:
    """All predictions of one source; iterate once.

    Args:
        name: display name of the source.
        kind: ``mask``, ``cam`` or ``folder``.
        names: of the images.
        classes: the class list.
        labels: (N, C) uint8 image-level labels, or None.
        root: the data folder.
        layers: names of the predictions of each image.
        scores: (N, C) image-level scores once everything was read, NaN where unknown; CAM files only.
    """

    name: str
    kind: str
    names: tuple[str, ...]
    classes: ClassList
    labels: np.ndarray | None
    root: str
    layers: tuple[str, ...]
    _records: Iterator[Prediction]
    scores: np.ndarray | None = None

    def __iter__(self) -> Iterator[Prediction]:
        return self._records


def open_scored(source: object) -> store.Reader | None:
    """The record file that ``eval`` is to score, of any kind that it knows; None for a folder."""
    if source is not None and Path(str(source)).is_dir():
        return None
    kinds = ("mask", "cam", "box", "proposal", "selection", "contour")
    return store.open_records(source, kinds=kinds, command="eval", sentences=True)


@contextmanager
def open_predictions(
    source: object,
    *,
    classes: ClassList | None = None,
    normalise: Normalise = "auto",
    background_threshold: float = 0.3,
    background: str = "auto",
    command: str = "eval",
    reader: store.Reader | None = None,
    messages: Messages = SILENT,
) -> Iterator[Predictions]:
    """Open a source for one pass.

    Args:
        source: a ``mask`` or ``cam`` file, ``-`` or None (standard input), or a folder of mask images.
        classes: the class list of a folder; a file brings its own.
        normalise: of CAMs; ``auto`` is ``none`` for probabilities of ``cam``, ``probability`` for what
            ``predict`` wrote, and ``joint`` otherwise.
        background_threshold: a pixel of a CAM is background where no class scores more than this, [0, 1].
        background: ``none`` forbids background in label maps made of CAMs.
        command: for messages.
        reader: ``source``, where it is open already.
        messages: receives what 255 is read as where masks of a folder are black and white.

    Raises:
        BadInputError: of another kind, damaged, or a folder without class list.
        MissingInputError: there is no such file, or the folder holds no mask.
    """
    if source is not None and Path(str(source)).is_dir():
        yield _folder(Path(str(source)), classes, messages)
        return
    with reader or store.open_records(source, kinds=("mask", "cam"), command=command) as reader:
        header = reader.header
        name = source_name(source)
        found = Predictions(
            name,
            header.payload,
            header.images,
            header.classes,
            header.labels,
            data_root(header, source),
            header.layers,
            iter(()),
        )
        if header.payload == "mask":
            found._records = _masks(reader)
        else:
            check_fits_label_map(header.columns["map_class"], header.classes.background)
            scale = Scale.of(header, normalise, background_threshold, background)
            found._records = _cams(reader, scale, found)
        yield found


@dataclass(frozen=True)
class Scale:
    """How the maps of a CAM file become scores in [0, 1] and labels: as ``pseudo-mask`` does by default.

    ``background`` is the class id that the threshold gives, or -1; ``forbidden`` one whose maps are left out.
    """

    mode: str
    threshold: float
    background: int
    forbidden: int

    @classmethod
    def of(cls, header: store.Header, mode: str, threshold: float, background: str) -> Scale:
        """The scale for a file; see ``open_predictions`` for the options."""
        if mode == "auto":
            mode = header.normalisation or "joint"
        known = header.classes.background
        if background == "none":
            return cls(mode, threshold, -1, known)
        return cls(mode, threshold, -1 if known in header.columns["map_class"] else known, -1)

    def scores(
        self, maps: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """(K, H, W) float32 scores of one layer's (K, h, w) maps, and the (K,) ids of those kept."""
        kept = class_ids != self.forbidden
        return scores_at(np.asarray(maps)[kept], self.mode, size), class_ids[kept]

    def layer(self, maps: np.ndarray, class_ids: np.ndarray, size: tuple[int, int]) -> Layer:
        """Label map, and score and class for a sweep, of one layer."""
        scores, ids = self.scores(maps, class_ids, size)
        best = scores.max(axis=0, initial=0)
        if len(ids):
            label = ids.astype(np.uint8)[scores.argmax(axis=0)]
        else:
            label = np.full(size, self.background if self.background >= 0 else IGNORE, np.uint8)
        if self.background < 0:
            return Layer(label)
        return Layer(np.where(best > self.threshold, label, np.uint8(self.background)), best, label)


def data_root(header: store.Header, source: object, images: Path | None = None) -> str:
    """The data folder of a file, ``images`` if given; as the file says where the images are gone."""
    try:
        return str(image_folder(header, images, source, compared=False))
    except MissingInputError:
        return header.image_root


def data_folder(header: store.Header, source: object, truth: Path | None, images: Path | None = None) -> Path:
    """The data folder that is named as ground truth, else that of the images."""
    return Path(truth if truth is not None and Path(truth).is_dir() else data_root(header, source, images))


def _masks(reader: Any) -> Iterator[Prediction]:
    for record in reader.records():
        layers = () if record.failed else tuple(Layer(labels) for labels in record.data)
        yield Prediction(record.index, record.name, record.size, layers)


def _cams(reader: Any, scale: Scale, found: Predictions) -> Iterator[Prediction]:
    for record in reader.records():
        layers: tuple[Layer, ...] = ()
        if not record.failed:
            layers = tuple(scale.layer(maps, record.class_ids, record.size) for maps in record.maps)
        yield Prediction(record.index, record.name, record.size, layers)
    header = reader.header
    found.scores = np.full((len(header), len(header.classes)), np.nan, np.float32)
    image = np.repeat(np.arange(len(header)), np.diff(header.columns["map_offset"]))
    found.scores[image, header.columns["map_class"]] = reader.tail["score"]


def _folder(folder: Path, classes: ClassList | None, messages: Messages) -> Predictions:
    paths = sorted(
        p for p in folder.rglob("*") if p.is_file() and is_image_name(p.name) and p.suffix != ".jpg"
    )
    if not paths:
        raise MissingInputError(f"'{folder}' contains no mask images")
    if classes is None:
        raise BadInputError(f"'{folder}' has no class list; name one with --class-list")
    listed = classes
    names = tuple(p.relative_to(folder).as_posix() for p in paths)

    def read() -> Iterator[Prediction]:
        white = meaning_of_white(paths, listed, messages)
        for i, path in enumerate(paths):
            labels = read_mask(path, listed, white=white)
            yield Prediction(i, names[i], (labels.shape[0], labels.shape[1]), (Layer(labels),))

    return Predictions(folder.name, "folder", names, listed, None, str(folder), ("masks",), read())


def folder_classes(
    source: object, truth: str | Path | None, class_list: str | Path | None
) -> ClassList | None:
    """The class list of a folder of masks: its own, else the named one, else that of the truth."""
    if source is None or not Path(str(source)).is_dir():
        return None
    folder = Path(str(source))
    if (own := find_view(folder).classes) is not None:
        return own
    if class_list is not None:
        return find_view(Path(truth or folder), class_list=class_list).classes
    if truth is not None and Path(truth).is_dir() and (theirs := list_beside_masks(Path(truth))) is not None:
        return theirs
    return list_beside_masks(folder)
