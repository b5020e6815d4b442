"""What every suppression rule returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class NmsResult:
    """The boxes that are left, in falling order of their new scores; equal scores by lower index.

    Attributes:
        keep: (K,) int64, which inputs are left. For fused boxes: the best input of each.
        boxes: (K, 4) or as the input; moved where the rule moves boxes.
        scores: (K,) new scores, decayed or fused.
        original_scores: (K,) the scores that the kept inputs came with.
        cluster: (N,) int64, for each input the row of ``keep`` that it went into; -1: it went nowhere. A box
            that a rule drops without naming the culprit (soft decay, Fast NMS) goes where it overlaps most.
    """

    def __init__(
        self, keep: Any, boxes: Any, scores: Any, cluster: Any | Callable[[], Any], original_scores: Any
    ) -> None:
        self.keep, self.boxes, self.scores = keep, boxes, scores
        self.original_scores = original_scores
        self._cluster = cluster

    @property
    def cluster(self) -> Any:
        if callable(self._cluster):  # worked out when somebody asks
            self._cluster = self._cluster()
        return self._cluster

    def __len__(self) -> int:
        return len(self.keep)

    def __repr__(self) -> str:
        return f"NmsResult(keep={self.keep!r}, scores={self.scores!r})"
