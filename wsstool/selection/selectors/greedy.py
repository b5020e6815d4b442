"""A union of proposals whose boundary follows the map: start with the best one, then add or remove."""

from __future__ import annotations

import numpy as np

from wsstool.errors import UsageError
from wsstool.regions import Proposals
from wsstool.selection.selectors.candidates import candidates
from wsstool.selection.selectors.objective import Objective, WithEach, check_guide

_BETTER = 1e-9  #: smaller gains are rounding


def greedy(
    proposals: Proposals,
    prior: np.ndarray | None,
    box: np.ndarray,
    *,
    guide: str = "contour",
    f1: bool = False,
    coverage: float = 0.0,
    inside: float = 0.9,
    threshold: float = 0.5,
    radius: int = 1,
    keep: int = 0,
) -> tuple[np.ndarray, float]:
    """Select a set of proposals whose union fits the map best, by greedy additions and removals.

    Maximises ``| C & b(union of y_i p_i) |`` over y in {0, 1}^n with all p_i in the box: start from the best
    single proposal; then take the best of all sets with one proposal more or one fewer; stop when none is
    better.

    Args:
        proposals: of the whole image.
        prior: (H, W) float map of the image in [0, 1], 0 where unknown; None with guide ``box``.
        box: (4,) float xyxy in pixels.
        guide: ``contour``, ``region``, ``box`` or ``both``; see
            :class:`~wsstool.selection.selectors.objective.Objective`.
        f1: F1 of contour and boundary instead of the plain intersection: better where contours are complete,
            worse where they have gaps.
        coverage: weight of the share of box rows and columns that the union touches, >= 0.
        inside: minimum share of a proposal's pixels in the box, (0, 1]; pixels outside are cut off.
        threshold: minimum of contour (or region) pixels, as a share of the map's maximum, (0, 1].
        radius: of the boundary band in pixels, at least 1.
        keep: use only this many of the best single candidates; 0: all.

    Returns:
        (K,) int64 numbers of the chosen proposals in the order of choice, and the objective in [0, 1]. None
        and 0 if no proposal is in the box, or the map is empty there.

    Raises:
        UsageError: an option outside its range, or no map for a guide that needs one.

    Notes:
        Ties go to fewer proposals, then to the lower number. Every step is strictly better, so it terminates.
        A proposal is a set of superpixels and its boundary a sum over groups of pixels: no mask is
        rasterised.

    Source:
        Feng et al., TNNLS 2022, proposal choice. Written from reading notes; guides other than ``contour``,
        ``f1`` and ``coverage`` are ours.
    """
    check_guide(guide, threshold, radius, coverage)
    if not 0 < inside <= 1:
        raise UsageError(f"--set inside={inside:g}: give a fraction of the pixels of a proposal in (0, 1]")
    if keep < 0:
        raise UsageError(f"--set keep={keep}: give a number of proposals, or 0 for all")
    found = candidates(proposals, box, inside=inside, margin=radius)
    nothing = np.zeros(0, np.int64), 0.0
    if not len(found):
        return nothing
    goal = Objective(found, prior, guide=guide, f1=f1, coverage=coverage, threshold=threshold, radius=radius)
    if goal.empty:
        return nothing
    members: np.ndarray = found.members
    touched: np.ndarray | None = goal.touched
    with_each = WithEach(goal, members, touched)
    alone = with_each.scores(np.zeros(len(members), bool))
    if keep and keep < len(found):
        kept = np.sort(np.argsort(-alone, kind="stable")[:keep])
        members, alone = np.ascontiguousarray(members[:, kept]), alone[kept]
        touched = None if touched is None else touched[kept]
        found = type(found)(found.pieces, found.area, members, found.indices[kept])
        with_each = WithEach(goal, members, touched)
    chosen, best = [int(alone.argmax())], float(alone.max())
    if best <= 0:
        return nothing
    while True:
        change = _best_change(goal, with_each, members, touched, chosen)
        if change is None or change[1] <= best + _BETTER:
            return found.indices[chosen], min(best, 1.0)
        chosen, best = change


def _best_change(
    goal: Objective,
    with_each: WithEach,
    members: np.ndarray,
    touched: np.ndarray | None,
    chosen: list[int],
) -> tuple[list[int], float] | None:
    """Return the best set that differs from ``chosen`` by one candidate, and its score; removals win ties."""
    sets: list[tuple[list[int], float]] = []
    if len(chosen) > 1:
        fewer = [chosen[:k] + chosen[k + 1 :] for k in range(len(chosen))]
        unions = np.stack([members[:, one].any(1) for one in fewer], 1)
        lines = None if touched is None else np.stack([touched[one].any(0) for one in fewer])
        scores = goal.scores(unions, lines)
        order = min(range(len(fewer)), key=lambda k: (-scores[k], chosen[k]))
        sets.append((fewer[order], float(scores[order])))
    touches = None if touched is None else np.asarray(touched[chosen].any(0))
    scores = with_each.scores(np.asarray(members[:, chosen].any(1)), touches)
    scores[chosen] = -np.inf
    k = int(scores.argmax())
    if np.isfinite(scores[k]):
        sets.append(([*chosen, k], float(scores[k])))
    return max(sets, key=lambda one: one[1], default=None)
