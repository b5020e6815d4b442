"""The best single proposal of a box: common practice of most pipelines."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.regions import Proposals
from wsstool.selection.selectors.candidates import candidates
from wsstool.selection.selectors.objective import Objective, check_guide


def best(
    proposals: Proposals,
    prior: np.ndarray | None,
    box: np.ndarray,
    *,
    guide: str = "region",
    coverage: float = 0.0,
    inside: float = 0.9,
    threshold: float = 0.5,
    radius: int = 1,
) -> tuple[np.ndarray, float]:
    """Select the single proposal that fits the map best.

    Args:
        proposals, prior, box: as in :func:`~wsstool.selection.selectors.greedy.greedy`.
        guide: ``region`` (IoU with the map's region), ``contour``, ``both`` or ``box``.
        coverage, inside, threshold, radius: as in ``greedy``.

    Returns:
        (1,) int64 and its objective in [0, 1]; none and 0 if nothing fits. Ties go to the lower number.

    Raises:
        UsageError: as in ``greedy``.

    Source:
        Common practice. Independent.
    """
    check_guide(guide, threshold, radius, coverage)
    if not 0 < inside <= 1:
        raise UsageError(f"--set inside={inside:g}: give a fraction of the pixels of a proposal in (0, 1]")
    found = candidates(proposals, box, inside=inside, margin=radius)
    if len(found):
        goal = Objective(
            found, prior, guide=guide, f1=False, coverage=coverage, threshold=threshold, radius=radius
        )
        scores = goal.scores(found.members, goal.touched)
        k = int(scores.argmax())
        if not goal.empty and scores[k] > 0:
            return found.indices[[k]], min(float(scores[k]), 1.0)
    return np.zeros(0, np.int64), 0.0


def proposal(
    proposals: Proposals, prior: np.ndarray | None, box: np.ndarray, *, inside: float = 0.9
) -> tuple[np.ndarray, float]:
    """Select the single proposal with the largest IoU with the box, without a map.

    Args:
        proposals, box: as in :func:`~wsstool.selection.selectors.greedy.greedy`.
        prior: not used; part of the signature of every selector.
        inside: minimum share of a proposal's pixels in the box, (0, 1].

    Returns:
        As :func:`best`.

    Source:
        The usual heuristic, such as in Khoreva et al., CVPR 2017 (SDI), and Lee et al., CVPR 2021 (BBAM).
        Independent.
    """
    return best(proposals, None, box, guide="box", inside=inside)
