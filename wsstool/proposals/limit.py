"""Filter the proposals of an image by area and to the number of rows that a record can hold."""

from __future__ import annotations

import numpy as np

from wsstool.proposals.superpixels import LARGEST_NUMBER
from wsstool.regions import Proposals, proposal_areas


def limited(
    proposals: Proposals, rows: int, *, min_area: int = 0, max_area: float = 1.0
) -> tuple[Proposals, int]:
    """Keep the best proposals of allowed area whose parts all fit into ``rows`` rows.

    One pass over the ranking. A proposal is kept if its own row and those of its parts that are not there yet
    still fit; otherwise it is skipped, and a smaller one after it may fit. Superpixels and rows together stay
    within 65534, the largest node number.

    Args:
        proposals: any number of rows.
        rows: maximum number of rows, at least 0.
        min_area: minimum area, pixels.
        max_area: maximum area as a share of the image, (0, 1].

    Returns:
        The proposals, with is_proposal 0 for rows that are only parts of others; and how many of allowed area
        did not fit.
    """
    n, nodes = proposals.n_superpixels, proposals.nodes.astype(np.int64)
    if not len(nodes):
        return Proposals(proposals.superpixels, nodes.astype(np.uint16)), 0
    rows = max(0, min(rows, LARGEST_NUMBER - n))
    wanted = nodes[:, 2] == 1
    if min_area > 0 or max_area < 1:
        every = np.column_stack([nodes[:, :2], np.ones(len(nodes), np.int64)])
        areas = proposal_areas(Proposals(proposals.superpixels, every))
        wanted &= (areas >= min_area) & (areas <= max_area * proposals.superpixels.size)
    if wanted.all() and len(nodes) <= rows:
        return Proposals(proposals.superpixels, nodes.astype(np.uint16)), 0
    parts = [tuple(c - n for c in row[:2] if c >= n) for row in nodes.tolist()]
    kept = np.zeros(len(nodes), bool)
    chosen = np.zeros(len(nodes), bool)
    count = 0
    for row in np.flatnonzero(wanted).tolist():
        needed, waiting = {row}, [row]
        if kept[row]:
            needed, waiting = set(), []
        while waiting and count + len(needed) <= rows:
            fresh = {p for p in parts[waiting.pop()] if not kept[p] and p not in needed}
            needed |= fresh
            waiting += fresh
        if count + len(needed) <= rows:
            kept[list(needed)] = True
            chosen[row] = True
            count += len(needed)
    place = np.cumsum(kept) - 1
    name = np.concatenate([np.arange(n), n + place])
    left = np.column_stack([name[nodes[:, :2]], chosen])[kept]
    return Proposals(proposals.superpixels, left.astype(np.uint16)), int(wanted.sum() - chosen.sum())
