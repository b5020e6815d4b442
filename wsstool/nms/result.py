"""The result of every suppression method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class NmsResult:
    """The kept boxes in falling order of their new scores; ties by lower index.

    Attributes:
        keep: (K,) int64, indices of the kept inputs. For fused boxes: the best input of each.
        boxes: (K, 4) or as the input; moved if the method moves boxes.
        scores: (K,) new scores, decayed or fused.
        original_scores: (K,) input scores of the kept boxes.
        cluster: (N,) int64, for each input the row of ``keep`` that it was merged into; -1: none. A box that
            a method suppresses without naming the suppressor (soft decay, Fast NMS) goes to the kept box that
            it overlaps most.
    """

    def __init__(
        self, keep: Any, boxes: Any, scores: Any, cluster: Any | Callable[[], Any], original_scores: Any
    ) -> None:
        self.keep, self.boxes, self.scores = keep, boxes, scores
        self.original_scores = original_scores
        self._cluster = cluster

    @property
    def cluster(self) -> Any:
        if callable(self._cluster):  # computed on first access
            self._cluster = self._cluster()
        return self._cluster

    def __len__(self) -> int:
        return len(self.keep)

    def __repr__(self) -> str:
        return f"NmsResult(keep={self.keep!r}, scores={self.scores!r})"
