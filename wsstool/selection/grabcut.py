"""GrabCut: colours inside and outside a box, and the cut of least cost between them."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow
from skimage.transform import resize

from wsstool.errors import UsageError
from wsstool.regions import pixel_bounds

_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))  # each pair of neighbours once
_SCALE = 16  # capacities are integers
_CERTAIN = 1 << 24
_VARIANCE = 4.0  # squared grey levels, added to every mixture: flat colours stay finite


def grabcut(
    size: tuple[int, int],
    box: np.ndarray,
    image: np.ndarray,
    *,
    iterations: int = 5,
    components: int = 5,
    gamma: float = 3.0,
    longest_side: int = 128,
) -> np.ndarray:
    """The part of the box whose colours differ from those around it, cut along the edges of the image.

    Pixels outside the box are background. Two mixtures of Gaussians, of the object's and the background's
    colours, give each pixel of the box a cost; neighbours that are torn apart cost
    ``gamma exp(-|z_p - z_q|^2 / (2 <|z_p - z_q|^2>)) / |p - q|``; the least sum is a minimum cut.
    Mixtures and cut are made in turns.

    Args:
        size: (h, w) of the window.
        box: (4,) float xyxy in pixels of the window.
        image: (h, w, 3) uint8 of the window, with some surroundings of the box.
        iterations: turns, at least 1.
        components: Gaussians of each mixture, at least 1.
        gamma: cost of an edge, >= 0; 0 lets each pixel decide alone. The paper's 50 is for whole photographs;
            of a third of the objects that measure a hundred pixels or less it leaves nothing.
        longest_side: a larger window is made smaller first; pixels, at least 8.
    Returns:
        (h, w) uint8: 1 object, 0 not; empty where the cut leaves nothing.

    Raises:
        UsageError: an option outside its range.

    Notes:
        Deterministic: mixtures start by splitting the largest part along its main axis. Where the window has
        next to nothing outside the box, the rim of the box stands for the background.

    Source:
        Rother, Kolmogorov and Blake, SIGGRAPH 2004; the start of the mixtures after Orchard and Bouman, TSP
        1991. Written from the papers, on scipy's maximum flow.
    """
    if iterations < 1 or components < 1 or not 0 <= gamma < 1e6 or longest_side < 8:
        raise UsageError(
            "--set iterations and components are at least 1, gamma in [0, 1e6) and longest_side at least 8"
        )
    x0, y0, x1, y1 = pixel_bounds(box, size)
    inside = np.zeros(size, bool)
    inside[y0:y1, x0:x1] = True
    if not inside.any():
        return np.zeros(size, np.uint8)
    scale = min(1.0, longest_side / max(size))
    small = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
    colours, free = image.astype(np.float64), inside
    if scale < 1:
        colours = resize(colours, small, order=1, anti_aliasing=True)
        free = resize(inside.astype(np.float64), small, order=1, anti_aliasing=True) >= 0.5
    known = ~free
    if known.sum() < components * 4:
        known = _rim(free)
    mask = free & ~known
    pairs = _pairs(colours, gamma)
    for _ in range(iterations):
        if not mask.any() or mask.all():
            break
        pixels = colours.reshape(-1, 3)
        cost = _Mixture(pixels[~mask.reshape(-1)], components).cost(pixels)
        cost -= _Mixture(pixels[mask.reshape(-1)], components).cost(pixels)
        before, mask = mask, _cut(cost.reshape(small), known, pairs)
        if (before == mask).all():
            break
    if scale < 1:
        mask = zoom(mask.astype(np.float32), np.array(size) / small, order=1, grid_mode=True, mode="nearest")
        mask = mask >= 0.5
    return (mask & inside).astype(np.uint8)


def _rim(free: np.ndarray) -> np.ndarray:
    """(h, w) bool: the outermost pixels of the box, where nothing lies around it."""
    known = ~free
    rows, columns = np.flatnonzero(free.any(1)), np.flatnonzero(free.any(0))
    known[[rows[0], rows[-1]]] = True
    known[:, [columns[0], columns[-1]]] = True
    return known


class _Mixture:
    """Gaussians with full covariance, one for each part of (N, 3) colours split in two again and again."""

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
        """(N,) -log of the mixture's density, up to a constant."""
        logs = []
        for share, mean, covariance in self._parts:
            away = np.linalg.solve(np.linalg.cholesky(covariance), (colours - mean).T)
            logs.append(np.log(share) - 0.5 * ((away**2).sum(0) + np.linalg.slogdet(covariance)[1]))
        return -np.logaddexp.reduce(logs, axis=0)


def _covariance(colours: np.ndarray) -> np.ndarray:
    away = colours - colours.mean(0)
    return away.T @ away / len(colours) + _VARIANCE * np.eye(3)


def _pairs(colours: np.ndarray, gamma: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbouring pixels p and q, and what it costs to part them; 8 neighbours."""
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


def _cut(cost: np.ndarray, known: np.ndarray, pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """(h, w) bool: the object's side of the least cut. ``cost``: what background costs more, a pixel."""
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
