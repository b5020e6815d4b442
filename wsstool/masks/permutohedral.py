"""Gaussian filtering in any dimension on the permutohedral lattice: splat, blur, slice as sparse matrices.

A Gaussian in position and colour lives in five dimensions, where a grid is hopeless. The lattice covers
R^d with simplices of d + 1 corners; a point spreads its value over the corners of its simplex, the corners
are blurred along d + 1 axes with (1/2, 1, 1/2), and the point reads the result back. Only corners that a
point touches exist. Everything up to the values depends on the features alone, so it is built once and
each filtering is a handful of sparse products.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from wsstool.errors import UsageError


class Permutohedral:
    """The lattice of one set of points.

    Args:
        features: (N, d) float32, every coordinate divided by its standard deviation.

    Raises:
        UsageError: the features reach so far (a standard deviation close to zero) that lattice
            coordinates overflow 62 bits.

    Notes:
        The kernel contains the point itself. It is an approximation of exp(-|f_i - f_j|^2 / 2) up to one
        factor, which every caller normalises away; a constant times the exact filter would not be closer
        than about a percent. Points in equal simplices share corners: cost follows the picture's variety.

    Source:
        Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice",
        Eurographics 2010, sections 3 and 4. Written from the paper.

    Example:
        >>> import numpy as np
        >>> lattice = Permutohedral(np.array([[0.0], [0.0], [50.0]], np.float32))
        >>> out = lattice.filter(np.array([[1.0], [1.0], [1.0]], np.float32))[:, 0]
        >>> bool(abs(out[0] - out[1]) < 1e-6 and out[0] > 1.5 * out[2])  # two together, one alone
        True
    """

    def __init__(self, features: np.ndarray) -> None:
        base, rank, weights = _enclosing_simplices(np.asarray(features, np.float32))
        n, d = features.shape
        corner, self.size, self._blurs = _corners(base, rank)
        indptr = np.arange(0, n * (d + 1) + 1, d + 1, dtype=np.int32)
        shape = (n, self.size)
        self._slice = sparse.csr_matrix((weights.ravel(), corner.ravel(), indptr), shape=shape)
        self._splat = self._slice.T.tocsr()
        self._slice = self._slice * np.float32(1 / (1 + 2.0**-d))

    def filter(self, values: np.ndarray) -> np.ndarray:
        """Filter (N, L) float32 values, all L columns at once; the result has the same shape."""
        values = self._splat @ values
        for blur in self._blurs:
            values = blur @ values
        return self._slice @ values

    def normalised(self) -> Permutohedral:
        """Scale by D = diag(1 / sqrt(K 1)) on both sides, so that ``filter`` is D K D; returns itself."""
        mass = self.filter(np.ones((self._slice.shape[0], 1), np.float32))[:, 0]
        scale = 1 / np.sqrt(mass + np.float32(1e-20))
        self._slice.data *= np.repeat(scale, np.diff(self._slice.indptr))
        self._splat.data *= scale[self._splat.indices]
        return self


def _enclosing_simplices(features: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The simplex round each point: remainder-0 corner (d + 1, N), ranks (d + 1, N), weights (N, d + 1)."""
    n, d = features.shape
    i = np.arange(d)
    spread = (np.sqrt(2 / 3) * (d + 1) / np.sqrt((i + 1) * (i + 2))).astype(np.float32)
    scaled = np.ascontiguousarray(features.T) * spread[:, None]
    # Into the hyperplane of coordinates that sum to zero; rows are coordinates, so every step is contiguous.
    elevated = np.empty((d + 1, n), np.float32)
    total = np.zeros(n, np.float32)
    for j in range(d, 0, -1):
        elevated[j] = total - j * scaled[j - 1]
        total += scaled[j - 1]
    elevated[0] = total
    if not np.abs(elevated).max(initial=0) < 2**30:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")
    steps = np.rint(elevated / np.float32(d + 1)).astype(np.int32)
    excess = steps.sum(0, dtype=np.int32)
    base = steps * (d + 1)
    difference = elevated - base
    rank = np.empty((d + 1, n), np.int32)
    rank[:] = excess
    for a in range(d + 1):
        for b in range(a + 1, d + 1):
            less = difference[a] < difference[b]
            rank[a] += less
            rank[b] += ~less
    # The rounded corner may be off the hyperplane: walk it back along the largest remainders.
    shift = (rank < 0).astype(np.int32) - (rank > d)
    rank += shift * (d + 1)
    base += shift * (d + 1)
    difference -= (shift * (d + 1)).astype(np.float32)
    # With y the remainders in falling order, corner r > 0 weighs (y_{d-r} - y_{d-r+1}) / (d + 1).
    by_rank = np.empty((n, d + 1), np.float32)
    np.put_along_axis(by_rank, rank.T, difference.T / np.float32(d + 1), axis=1)
    weights = np.empty((n, d + 1), np.float32)
    weights[:, 1:] = (by_rank[:, :-1] - by_rank[:, 1:])[:, ::-1]
    weights[:, 0] = 1 + by_rank[:, d] - by_rank[:, 0]
    return base, rank, weights


def _corners(base: np.ndarray, rank: np.ndarray) -> tuple[np.ndarray, int, list[sparse.csr_matrix]]:
    """Number the corners: (N, d + 1) int32, the corners of each point; how many; a blur matrix an axis."""
    d = base.shape[0] - 1
    # A corner is known by its first d coordinates, packed into one integer of mixed radix. Neighbours lie at
    # most d away along each coordinate, so with that margin packing is linear: a step is one added constant.
    low = base[:d].min(1) - 2 * (d + 1)
    extent = (base[:d].max(1) + 2 * (d + 1) - low + 1).tolist()
    stride = [1]
    for width in extent:
        stride.append(stride[-1] * width)
    if stride[-1] * (d + 2) >= 2**62:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")
    packed = np.zeros(base.shape[1], np.int64)
    order = np.zeros(base.shape[1], np.int64)
    for j in range(d):
        packed += (base[j].astype(np.int64) - int(low[j])) * stride[j]
        order = order * (d + 1) + rank[j]
    # Many points share a simplex (equal base and ranks): find the different ones first, they are far fewer.
    _, place = np.unique(packed, return_inverse=True)
    _, first, which = np.unique(place * (d + 1) ** d + order, return_index=True, return_inverse=True)
    codes = np.empty((len(first), d + 1), np.int64)
    for r in range(d + 1):
        step = np.where(rank[:d, first] <= d - r, r, r - (d + 1))
        codes[:, r] = packed[first] + (step * np.array(stride[:d], np.int64)[:, None]).sum(0)
    corner_codes, corner_of = np.unique(codes, return_inverse=True)
    corner = corner_of.reshape(codes.shape).astype(np.int32)[which]
    return corner, len(corner_codes), [_blur(corner_codes, step) for step in _steps(stride, d)]


def _steps(stride: list[int], d: int) -> list[int]:
    """The packed step along each of the d + 1 lattice axes: -1 everywhere but +d on the axis itself."""
    back = -sum(stride[:d])
    return [back + (d + 1) * stride[j] for j in range(d)] + [back]


def _blur(codes: np.ndarray, step: int) -> sparse.csr_matrix:
    """x + (left + right) / 2 along one axis; ``codes`` are sorted, corners that do not exist count 0."""
    n = len(codes)
    at = np.searchsorted(codes, codes + step)
    hit = np.flatnonzero(codes[np.minimum(at, n - 1)] == codes + step)
    pair = at[hit].astype(np.int32)
    half = np.full(len(hit), 0.5, np.float32)
    one = sparse.csr_matrix((half, (hit, pair)), shape=(n, n))
    return (sparse.identity(n, np.float32, format="csr") + one + one.T).tocsr()
