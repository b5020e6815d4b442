"""The counts of objects: masks of boxes, proposals and detections, each with what its scores need."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.metrics.detection import THRESHOLDS, DetectionScores, ImageBoxes
from wsstool.metrics.instances import PUBLISHED, InstanceScores, Width
from wsstool.metrics.proposals import ProposalScores
from wsstool.stages.scoring.mask_precision import MaskPrecision
from wsstool.types import ClassList


@dataclass
class InstanceCounts:
    """One row for each mask of a box.

    Args:
        source: name of the file.
        truth: source of the ground-truth masks; None: there are none.
        classes: the class list.
        images: names of the images that were asked for; the rows number them in this order.
        failed: images that an earlier stage could not do.
        scores: the rows.
        ap: what average precision needs; None: not asked for.
        root: data folder of the images, where it is known; not in score files.
        width: of the boundaries that were compared.
    """

    source: str
    truth: str | None
    classes: ClassList
    images: list[str]
    failed: int
    scores: InstanceScores
    ap: MaskPrecision | None = None
    root: Path | None = None
    width: Width = PUBLISHED

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values: the rows as columns under ``objects``, None for what was not measured."""
        table = self.scores.table().items()
        return {
            **summary,
            "truth": self.truth,
            "classes": list(self.classes.names),
            "background": self.classes.background,
            "failed": self.failed,
            "objects": {k: [None if v != v else v for v in column.tolist()] for k, column in table},
            "instances": None if self.ap is None else self.ap.content(),
            "boundary_width": list(self.width),
            "scored_images": self.images,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> InstanceCounts:
        """Read what ``content`` gave."""
        classes = ClassList(tuple(content["classes"]), content["background"])
        table = {k: np.array(column, np.float64) for k, column in content["objects"].items()}
        images, ap = list(content["scored_images"]), content["instances"]
        scores = InstanceScores.of_table(len(classes), table)
        number = table["image"]
        if ((number < 0) | (number >= len(images))).any():
            raise ValueError("a row of no image")
        return cls(
            content["source"],
            content["truth"],
            classes,
            images,
            int(content["failed"]),
            scores,
            None if ap is None else MaskPrecision.of_content(ap),
            width=Width(*content.get("boundary_width", PUBLISHED)),
        )

    def join(self, other: InstanceCounts) -> None:
        """Add the counts of other images."""
        if other.classes != self.classes:
            raise ValueError("scores different classes than")
        if (other.ap is None) != (self.ap is None):
            raise ValueError("differs in the use of --ap from")
        if other.width != self.width:
            raise ValueError("has boundaries of another width than")
        self.scores.merge(other.scores.moved(len(self.images)))
        if self.ap is not None and other.ap is not None:
            self.ap.merge(other.ap, len(self.images))
        self.images += other.images
        self.failed += other.failed
        self.truth = self.truth or other.truth

    def ordered(self) -> InstanceCounts:
        """Return the same in the order of image names: no score depends on how a set was divided."""
        rank = np.argsort(np.argsort(np.array(self.images, object), kind="stable"), kind="stable")
        table = self.scores.table()
        table["image"] = rank[table["image"].astype(np.int64)].astype(np.float64)
        order = np.argsort(table["image"], kind="stable")
        scores = InstanceScores.of_table(
            self.scores.n_classes, {k: v[order] for k, v in table.items()}, min_area=self.scores.min_area
        )
        return InstanceCounts(
            self.source,
            self.truth,
            self.classes,
            sorted(self.images),
            self.failed,
            scores,
            None if self.ap is None else self.ap.moved(rank.tolist()),
            width=self.width,
        )


@dataclass
class ProposalCounts:
    """The best overlaps of every image's objects.

    Args:
        source: name of the file.
        truth: where the objects are from.
        classes: names of the classes of the objects.
        images: names of the images that were asked for; ``scores`` has them in this order.
        failed: images that an earlier stage could not do.
        scores: the overlaps.
        root: data folder of the images, where it is known; not in score files.
    """

    source: str
    truth: str
    classes: set[str]
    images: list[str]
    failed: int
    scores: ProposalScores = field(default_factory=ProposalScores)
    root: Path | None = None

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values: one list per image, None for what was not measured."""
        columns = self.scores.columns()
        return {
            **summary,
            "truth": self.truth,
            "classes": sorted(self.classes),
            "failed": self.failed,
            "overlaps": {k: [_plain(one) for one in v] for k, v in columns.items()},
            "scored_images": self.images,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> ProposalCounts:
        """Read what ``content`` gave."""
        images = list(content["scored_images"])
        scores = ProposalScores.of_columns(content["overlaps"])
        if len(scores.counts) != len(images):
            raise ValueError("overlaps of other images")
        found = set(content["classes"])
        return cls(content["source"], content["truth"], found, images, int(content["failed"]), scores)

    def join(self, other: ProposalCounts) -> None:
        """Add the counts of other images."""
        self.scores.merge(other.scores)
        self.classes |= other.classes
        self.images += other.images
        self.failed += other.failed

    def ordered(self) -> ProposalCounts:
        """Return the same in the order of image names: no score depends on how a set was divided."""
        order = sorted(range(len(self.images)), key=self.images.__getitem__)
        scores = self.scores.reordered(order)
        return ProposalCounts(self.source, self.truth, self.classes, sorted(self.images), self.failed, scores)


@dataclass
class DetectionCounts:
    """The detections and objects of every image, by class, and how they overlap.

    Args:
        source: path of the detections.
        of: ``box`` or ``mask``: what was compared.
        categories: id -> name, as the ground truth has them.
        images: names of the images that were scored.
        places: their places in the ground truth: the order in which equal scores are counted.
        boxes: number of detections, also of those that no score looks at.
        detections: per image, class -> its best detections in falling order of score.
        root: data folder of the images, where it is known; not in score files.
    """

    source: str
    of: str
    categories: dict[int, str]
    images: list[str]
    places: list[int]
    boxes: int
    detections: list[dict[int, ImageBoxes]]
    root: Path | None = None

    @property
    def objects(self) -> int:
        """Number of objects, without crowds."""
        return sum(int((~one.crowd).sum()) for classes in self.detections for one in classes.values())

    def scores(self) -> DetectionScores:
        """Add up all images, in the order of the ground truth however they were divided."""
        total = DetectionScores()
        for k in sorted(range(len(self.images)), key=self.places.__getitem__):
            total.add_image(self.detections[k])
        return total

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values: per image and class the scores, the areas, and overlaps that may be hits."""
        return {
            **summary,
            "categories": {str(key): name for key, name in self.categories.items()},
            "places": self.places,
            "detections": [
                [{"class": key, **_of_class(one)} for key, one in classes.items()]
                for classes in self.detections
            ],
            "scored_images": self.images,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> DetectionCounts:
        """Read what ``content`` gave."""
        images, places = list(content["scored_images"]), [int(k) for k in content["places"]]
        detections = [{int(one["class"]): _to_class(one) for one in rows} for rows in content["detections"]]
        if not len(images) == len(places) == len(detections):
            raise ValueError("detections of other images")
        categories = {int(key): str(name) for key, name in content["categories"].items()}
        boxes = int(content["boxes"])
        return cls(content["source"], content["of"], categories, images, places, boxes, detections)

    def join(self, other: DetectionCounts) -> None:
        """Add the counts of other images."""
        if other.of != self.of:
            raise ValueError(f"compares {'masks' if other.of == 'mask' else 'boxes'}, unlike")
        if any(self.categories.get(key, name) != name for key, name in other.categories.items()):
            raise ValueError("names categories differently than")
        self.categories |= other.categories
        self.images += other.images
        self.places += other.places
        self.boxes += other.boxes
        self.detections += other.detections


def _of_class(one: ImageBoxes) -> dict[str, Any]:
    """Plain values: of the overlaps only those that some threshold reaches, as detection, object, overlap."""
    d, g = np.nonzero(one.overlaps >= THRESHOLDS[0])
    return {
        "scores": one.scores.tolist(),
        "areas": one.areas.tolist(),
        "overlaps": list(map(list, zip(d.tolist(), g.tolist(), one.overlaps[d, g].tolist(), strict=True))),
        "object_areas": one.true_areas.tolist(),
        "crowd": np.flatnonzero(one.crowd).tolist(),
        "difficult": np.flatnonzero(one.difficult).tolist(),
    }


def _to_class(content: dict[str, Any]) -> ImageBoxes:
    scores, areas, objects = (
        np.array(content[name], np.float64) for name in ("scores", "areas", "object_areas")
    )
    if scores.shape != areas.shape:
        raise ValueError("areas of other detections")
    overlaps = np.zeros((len(scores), len(objects)))
    crowd, difficult = np.zeros(len(objects), bool), np.zeros(len(objects), bool)
    for d, g, value in content["overlaps"]:
        overlaps[d, g] = value
    crowd[content["crowd"]] = True
    difficult[content["difficult"]] = True
    return ImageBoxes(scores, areas, overlaps, objects, crowd, difficult)


def _plain(values: np.ndarray | int) -> Any:
    values = np.asarray(values)
    made = values.astype(object)
    made[np.isnan(values)] = None
    return made.tolist()
