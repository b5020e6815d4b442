"""The pixel counts of sentences: those of the predictions and those of the baselines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsstool.metrics.referring import SentenceCounts

TRUTH = ("image", "truth", "has_target", "words")


@dataclass
class SentenceScores:
    """One row per sentence.

    Args:
        source: name of the file.
        truth: source of the sentences and of their masks.
        images: names of the images that were scored; the rows number them in this order.
        columns: ``image``, ``truth`` (pixels), ``has_target``, ``words``, ``dataset`` (name or None), one
            value per sentence.
        pixels: predictor -> ``intersection`` and ``predicted`` of each sentence; ``masks`` is what is scored,
            the others are baselines.
        failed: images that an earlier stage could not do.
        missing: sentences of these images that were not predicted.
        without_truth: sentences whose object has no known mask.
        unshuffled: sentences that are the same in the shuffled predictions.
        entries: number of each sentence in the record file; not in score files.
        root: data folder of the images, where it is known; not in score files.
    """

    source: str
    truth: str
    images: list[str]
    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in (*TRUTH, "dataset")})
    pixels: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    failed: int = 0
    missing: int = 0
    without_truth: int = 0
    unshuffled: int = 0
    entries: list[int] = field(default_factory=list)
    root: Path | None = None

    def __len__(self) -> int:
        return len(self.columns["image"])

    def add(self, entry: int, values: dict[str, Any], pixels: dict[str, tuple[int, int]]) -> None:
        """Append a sentence: its number, its columns, and (intersection, predicted) of each predictor."""
        self.entries.append(entry)
        for name, column in self.columns.items():
            column.append(values[name])
        for predictor, (intersection, predicted) in pixels.items():
            both = self.pixels.setdefault(predictor, {"intersection": [], "predicted": []})
            both["intersection"].append(intersection)
            both["predicted"].append(predicted)

    def of(self, predictor: str) -> SentenceCounts:
        """Return the counts of a predictor."""
        both = self.pixels.get(predictor, {"intersection": [], "predicted": []})
        known = {name: np.array(self.columns[name]) for name in TRUTH}
        return SentenceCounts(**known, **{name: np.array(column) for name, column in both.items()})

    def content(self, summary: dict[str, Any]) -> dict[str, Any]:
        """Return plain values: the rows as columns under ``per_sentence``."""
        return {
            **summary,
            "unshuffled": self.unshuffled,
            "per_sentence": self.columns,
            "pixels": self.pixels,
            "scored_images": self.images,
        }

    @classmethod
    def of_content(cls, content: dict[str, Any]) -> SentenceScores:
        """Read what ``content`` gave."""
        columns = {name: list(content["per_sentence"][name]) for name in (*TRUTH, "dataset")}
        found = cls(content["source"], content["truth"], list(content["scored_images"]), columns)
        if any(not 0 <= int(k) < len(found.images) for k in columns["image"]):
            raise ValueError("a row of no image")
        for predictor, both in content["pixels"].items():
            found.pixels[str(predictor)] = {name: list(both[name]) for name in ("intersection", "predicted")}
            found.of(predictor)  # raises ValueError unless they fit
        for name in ("failed", "missing", "without_truth", "unshuffled"):
            setattr(found, name, int(content[name]))
        return found

    def join(self, other: SentenceScores) -> None:
        """Add the sentences of other images."""
        if len(self) and len(other) and set(other.pixels) != set(self.pixels):
            raise ValueError("differs in the use of --shuffled from")
        first = len(self.images)
        for name, column in other.columns.items():
            self.columns[name] += [k + first for k in column] if name == "image" else column
        for predictor, both in other.pixels.items():
            mine = self.pixels.setdefault(predictor, {"intersection": [], "predicted": []})
            for name, values in both.items():
                mine[name] += values
        self.images += other.images
        for name in ("failed", "missing", "without_truth", "unshuffled"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def ordered(self) -> SentenceScores:
        """Return the same in the order of image names: no score depends on how a set was divided."""
        rank = np.argsort(np.argsort(np.array(self.images, object), kind="stable"), kind="stable").tolist()
        number = [rank[k] for k in self.columns["image"]]
        order = sorted(range(len(self)), key=number.__getitem__)
        columns = {name: [column[k] for k in order] for name, column in self.columns.items()}
        pixels = {
            predictor: {name: [values[k] for k in order] for name, values in both.items()}
            for predictor, both in self.pixels.items()
        }
        columns["image"] = [number[k] for k in order]
        return replace(self, images=sorted(self.images), columns=columns, pixels=pixels)
