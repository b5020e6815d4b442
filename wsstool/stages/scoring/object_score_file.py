"""Score files of objects: what was measured of each, to join parts of a set and count again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from wsstool.atomic import write_text
from wsstool.errors import BadInputError
from wsstool.metrics.instances import InstanceScores
from wsstool.metrics.proposals import ProposalScores
from wsstool.stages.scoring.mask_precision import MaskPrecision
from wsstool.stages.scoring.score_file import FORMAT, MAPS, load
from wsstool.types import ClassList

KINDS = {"mask": MAPS, "selection": "masks of boxes", "proposal": "proposals"}


@dataclass
class InstanceCounts:
    """One row for each mask of a box.

    Args:
        source: name of the file.
        truth: where the true masks are from, None: there are none.
        classes: the class list.
        images: names of the images that were asked for; the rows number them in this order.
        failed: images that an earlier stage could not do.
        scores: the rows.
        ap: what average precision needs; None: not asked for.
    """

    source: str
    truth: str | None
    classes: ClassList
    images: list[str]
    failed: int
    scores: InstanceScores
    ap: MaskPrecision | None = None
    kind: str = "selection"

    def content(self) -> dict[str, Any]:
        """Plain values: the rows as columns under ``objects``, None for what was not measured."""
        table = self.scores.table().items()
        return {
            "truth": self.truth,
            "classes": list(self.classes.names),
            "background": self.classes.background,
            "failed": self.failed,
            "objects": {k: [None if v != v else v for v in column.tolist()] for k, column in table},
            "instances": None if self.ap is None else self.ap.content(),
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> InstanceCounts:
        """The same again; KeyError, TypeError or ValueError where it does not fit."""
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
        )

    def join(self, other: InstanceCounts) -> None:
        """Take over other images; ValueError says why it cannot be done."""
        if other.classes != self.classes:
            raise ValueError("scores other classes than")
        if (other.ap is None) != (self.ap is None):
            raise ValueError("was made with or without --ap, unlike")
        self.scores.merge(other.scores.moved(len(self.images)))
        if self.ap is not None and other.ap is not None:
            self.ap.merge(other.ap, len(self.images))
        self.images += other.images
        self.failed += other.failed
        self.truth = self.truth or other.truth

    def ordered(self) -> InstanceCounts:
        """The same with images in the order of their names: no score depends on how a set was divided."""
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
    """

    source: str
    truth: str
    classes: set[str]
    images: list[str]
    failed: int
    scores: ProposalScores = field(default_factory=ProposalScores)
    kind: str = "proposal"

    def content(self) -> dict[str, Any]:
        """Plain values: one list an image, None for what was not measured."""
        columns = self.scores.columns()
        return {
            "truth": self.truth,
            "classes": sorted(self.classes),
            "failed": self.failed,
            "overlaps": {k: [_plain(one) for one in v] for k, v in columns.items()},
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> ProposalCounts:
        """The same again; KeyError, TypeError or ValueError where it does not fit."""
        images = list(content["scored_images"])
        scores = ProposalScores.of_columns(content["overlaps"])
        if len(scores.counts) != len(images):
            raise ValueError("overlaps of other images")
        found = set(content["classes"])
        return cls(content["source"], content["truth"], found, images, int(content["failed"]), scores)

    def join(self, other: ProposalCounts) -> None:
        """Take over other images."""
        self.scores.merge(other.scores)
        self.classes |= other.classes
        self.images += other.images
        self.failed += other.failed

    def ordered(self) -> ProposalCounts:
        """The same with images in the order of their names: no score depends on how a set was divided."""
        order = sorted(range(len(self.images)), key=self.images.__getitem__)
        scores = self.scores.reordered(order)
        return ProposalCounts(self.source, self.truth, self.classes, sorted(self.images), self.failed, scores)


_Counts = TypeVar("_Counts", InstanceCounts, ProposalCounts)


def load_alike(paths: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    """What score files hold (``mask``, ``selection`` or ``proposal``), and the content of each.

    Raises:
        BadInputError: one is no score file, or they are of several kinds.
    """
    contents = [load(Path(path)) for path in paths]
    kinds = [str(content.get("kind", "mask")) for content in contents]
    for path, kind in zip(paths, kinds, strict=True):
        if kind not in KINDS:
            raise BadInputError(f"'{path}' is not a score file of 'wsstool eval -o'")
        if kind != kinds[0]:
            raise BadInputError(
                f"'{path}' scores {KINDS[kind]}, '{paths[0]}' {KINDS[kinds[0]]}: give files of one kind"
            )
    return kinds[0], contents


def write_objects(path: Path, counts: InstanceCounts | ProposalCounts, summary: dict[str, Any]) -> None:
    """Write a score file: the summary for people, the counts for ``read_objects``. Whole or not at all.

    Raises:
        CannotWriteError: no such folder, no space, no permission.
    """
    made = {"wsstool_scores": FORMAT, **summary, **counts.content(), "scored_images": counts.images}
    write_text(path, json.dumps(made, ensure_ascii=False, allow_nan=False) + "\n")


def read_objects(paths: Sequence[str], contents: Sequence[dict[str, Any]], kind: type[_Counts]) -> _Counts:
    """Join score files of one kind, read by ``load_alike``: the same counts as one pass over all images.

    Raises:
        BadInputError: damaged, an image twice, other classes than the first, or some without ``--ap``.
    """
    parts: list[_Counts] = []
    for path, content in zip(paths, contents, strict=True):
        try:
            parts.append(kind.of_content(content))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise BadInputError(f"'{path}' is not a score file of 'wsstool eval -o'") from error
    first, seen = parts[0], set(parts[0].images)
    for path, part in zip(paths[1:], parts[1:], strict=True):
        twice = seen & set(part.images)
        if twice:
            raise BadInputError(f"'{path}' scores '{min(twice)}' again")
        seen |= set(part.images)
        try:
            first.join(part)
        except ValueError as error:
            raise BadInputError(f"'{path}' {error} '{paths[0]}'") from None
    return first


def _plain(values: np.ndarray | int) -> Any:
    values = np.asarray(values)
    made = values.astype(object)
    made[np.isnan(values)] = None
    return made.tolist()
