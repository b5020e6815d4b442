"""The parts of GrabCut: colour models of an object and its surroundings, and the minimum cut."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

Pairs = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Neighbouring pixels p and q by number, and the cost of separating them."""

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each pair of neighbours once
_SCALE = 16  # capacities are integers
_CERTAIN = 1 << 24
_VARIANCE = 4.0  # squared grey levels, added to every mixture: flat colours stay finite


def enlarged(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a mask to (H, W) bool."""
    if mask.shape == size:
        return mask
    factors = np.array(size) / mask.shape
    return zoom(mask.astype(np.float32), factors, order=1, grid_mode=True, mode="nearest") >= 0.5


def surroundings(free: np.ndarray, at_least: int) -> np.ndarray:
    """Return (h, w) bool: certain background; the border of the box if there is almost nothing around it.

    Args:
        free: (h, w) bool, the box.
        at_least: minimum number of pixels for a background model.
    """
    known = ~free
    return rim(free) if known.sum() < at_least else known


def rim(free: np.ndarray) -> np.ndarray:
    """Return (h, w) bool: the outermost pixels of the box, for windows with nothing around it."""
    known = ~free
    rows, columns = np.flatnonzero(free.any(1)), np.flatnonzero(free.any(0))
    known[[rows[0], rows[-1]]] = True
    known[:, [columns[0], columns[-1]]] = True
    return known


class Mixture:
    """Full-covariance Gaussians, one for each part of (N, 3) colours that are split in two repeatedly."""

    def __init__(self, colours: np.ndarray, components: int) -> None:
        parts = [colours]
        while len(parts) < components:
            spread = [len(p) * np.linalg.eigvalsh(_covariance(p))[-1] if len(p) > 1 else 0.0 for p in parts]
            k = int(np.argmax(spread))
            along = (parts[k] - parts[k].mean(0)) @ np.linalg.eigh(_covariance(parts[k]))[1][:, -1]
            if not (along > 0).any() or (along > 0).all():
                break
            parts[k : k + 1] = [parts[k][along > 0], parts[k][along <= 0]]
        self._parts = [(len(p) / len(colours), p.mean(0), _covariance(p)) for p in parts]

    def cost(self, colours: np.ndarray) -> np.ndarray:
        """Return (N,) -log of the mixture density, up to a constant."""
        logs = []
        for share, mean, covariance in self._parts:
            away = np.linalg.solve(np.linalg.cholesky(covariance), (colours - mean).T)
            logs.append(np.log(share) - 0.5 * ((away**2).sum(0) + np.linalg.slogdet(covariance)[1]))
        return -np.logaddexp.reduce(logs, axis=0)


def _covariance(colours: np.ndarray) -> np.ndarray:
    away = colours - colours.mean(0)
    return away.T @ away / len(colours) + _VARIANCE * np.eye(3)


def pairs_of(colours: np.ndarray, gamma: float) -> Pairs:
    """Return neighbouring pixels p and q (8-connected) and the cost of separating them."""
    height, width = colours.shape[:2]
    number = np.arange(height * width).reshape(height, width)
    found = []
    for down, right in _STEPS:
        here = (slice(0, height - down), slice(max(0, -right), width - max(0, right)))
        there = (slice(down, height), slice(max(0, right), width + min(0, right)))
        apart = ((colours[here] - colours[there]) ** 2).sum(2).reshape(-1)
        found.append((number[here].reshape(-1), number[there].reshape(-1), apart, np.hypot(down, right)))
    mean = np.concatenate([apart for _, _, apart, _ in found] or [np.zeros(1)])
    beta = 0.5 / max(float(mean.mean()) if mean.size else 0.0, 1e-9)
    costs = [gamma * np.exp(-beta * apart) / length for _, _, apart, length in found]
    return (
        np.concatenate([p for p, _, _, _ in found]),
        np.concatenate([q for _, q, _, _ in found]),
        np.concatenate(costs),
    )


def cut(cost: np.ndarray, known: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Return (h, w) bool: the object side of the minimum cut; ``cost``: extra cost of being background."""
    n = cost.size
    source, sink = n, n + 1
    towards = np.where(known, -np.inf, cost).reshape(-1)
    capacity = np.minimum(np.abs(towards) * _SCALE, _CERTAIN).round().astype(np.int32)
    to_object, to_rest = np.flatnonzero(towards > 0), np.flatnonzero(towards < 0)
    p, q, between = pairs
    between = (between * _SCALE).round().astype(np.int32)
    start = np.concatenate([p, q, np.full(len(to_object), source), to_rest])
    end = np.concatenate([q, p, to_object, np.full(len(to_rest), sink)])
    values = np.concatenate([between, between, capacity[to_object], capacity[to_rest]])
    graph = csr_matrix((values, (start, end)), shape=(n + 2, n + 2))
    left = graph - maximum_flow(graph, source, sink, method="dinic").flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = breadth_first_order(left, source, return_predecessors=False)
    mask = np.zeros(n + 2, bool)
    mask[reached] = True
    return mask[:n].reshape(cost.shape)
