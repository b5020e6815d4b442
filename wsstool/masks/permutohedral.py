"""Gaussian filtering in any dimension on the permutohedral lattice: splat, blur, slice as sums of rows.

A Gaussian in position and colour has five dimensions, too many for a grid. The lattice covers R^d with
simplices of d + 1 corners; a point spreads its value over the corners of its simplex, the corners are blurred
along d + 1 axes with (1/2, 1, 1/2), and the point reads the result back. Only corners touched by a point are
stored. Everything except the values depends on the features alone, so it is built once; each filtering is
then a handful of ``embedding_bag`` calls, which sum weighted rows in one pass on any device.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

from wsstool.errors import UsageError

_BLOCK = 32768  # points processed at a time while the lattice is built on a CPU: what fits its cache


class Permutohedral:
    """The lattice of one set of points.

    Args:
        features: (d, N) float32, every coordinate divided by its standard deviation; the lattice is on the
            same device.
        normalised: ``filter`` is D K D with D = diag(1 / sqrt(K 1)) instead of the kernel K.

    Raises:
        UsageError: the features span such a range (a standard deviation close to zero) that lattice
            coordinates overflow 62 bits.

    Notes:
        The kernel includes the point itself. It approximates exp(-|f_i - f_j|^2 / 2) up to one factor, which
        every caller normalises away; a constant times the exact filter would not be closer than about a
        percent. Points in equal simplices share corners: the cost depends on the variety of the image.

    Source:
        Adams, Baek and Davis, "Fast high-dimensional filtering using the permutohedral lattice",
        Eurographics 2010, sections 3 and 4. Written from the paper.

    Example:
        >>> lattice = Permutohedral(torch.tensor([[0.0, 0.0, 50.0]]))
        >>> out = lattice.filter(torch.ones(3, 1))[:, 0]
        >>> bool(abs(out[0] - out[1]) < 1e-6 and out[0] > 1.5 * out[2])  # two together, one alone
        True
    """

    def __init__(self, features: Tensor, *, normalised: bool = False) -> None:
        d = len(features)
        base, rank, weights = _enclosing_simplices(features.float())
        number, example = _simplices(base[:d], rank[:d])
        corner, codes, stride = _corners(*(one[:d].index_select(1, example) for one in (base, rank)))
        self._neighbours = _neighbours(codes, stride)  # d + 1 of (M, 2)
        self._corner = corner.index_select(0, number)  # (N, d + 1)
        # The kernel is W B W', with B the blurs and W the weights of all corners of all points.
        weights *= (1 + 2.0**-d) ** -0.5
        self._weights = weights  # (N, d + 1)
        if normalised:
            weights *= (self._mass() + 1e-20).rsqrt()[:, None]
        self._splat = _transposed(self._corner, weights, self.size)

    @property
    def size(self) -> int:
        """M, the number of corners."""
        return len(self._neighbours[0])

    @torch.no_grad()
    def filter(self, values: Tensor) -> Tensor:
        """Filter (N, L) float32 values, all L columns at once; the result has the same shape."""
        corners = values.new_zeros(self.size + 1, values.shape[1])  # the last one: missing corners count as 0
        point, weights, starts = self._splat
        corners[:-1] = F.embedding_bag(
            point, values, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )
        return self._read(corners)

    def _read(self, corners: Tensor) -> Tensor:
        """Blur the (M + 1, L) sums at the corners in place; return (N, L) values at the points."""
        for pair in self._neighbours:
            corners[:-1].add_(F.embedding_bag(pair, corners, mode="sum"), alpha=0.5)
        return F.embedding_bag(self._corner, corners, mode="sum", per_sample_weights=self._weights)

    def _mass(self) -> Tensor:
        """Return (N,) K 1: the result of ``filter`` for ones."""
        corners = torch.bincount(self._corner.view(-1), self._weights.view(-1), self.size + 1)
        return self._read(corners[:, None])[:, 0]


def _enclosing_simplices(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find the simplex that encloses each point.

    Args:
        features: (d, N).
    Returns:
        its remainder-0 corner (d + 1, N) int32 in units of d + 1, the ranks (d + 1, N) int8 of the
        coordinates, and barycentric weights (N, d + 1) float32.
    """
    d, n = features.shape
    base = torch.empty(d + 1, n, dtype=torch.int32, device=features.device)
    rank, weights = torch.empty_like(base, dtype=torch.int8), features.new_empty(n, d + 1)
    count = _BLOCK if _on_processor(features) else max(1, n)
    for start in range(0, n, count):
        part = slice(start, start + count)
        _write_simplices(features[:, part], base[:, part], rank[:, part], weights[part])
    return base, rank, weights


def _write_simplices(features: Tensor, base: Tensor, rank: Tensor, weights: Tensor) -> None:
    """Compute ``_enclosing_simplices`` for some points, written into the last three arguments."""
    d, n = features.shape
    # Project to the hyperplane of coordinates that sum to zero; rows are coordinates: steps are contiguous.
    elevated = features.new_empty(d + 1, n)
    total = features.new_zeros(n)
    for j in range(d, 0, -1):
        column = features[j - 1] * ((2 / 3) ** 0.5 * (d + 1) / (j * (j + 1)) ** 0.5)
        torch.sub(total, column, alpha=j, out=elevated[j])
        total += column
    elevated[0] = total
    if not elevated.abs().max() < 2**30:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")
    rounded = (elevated / (d + 1)).round_()
    remainder = elevated.sub_(rounded, alpha=d + 1)
    # Ranks in falling order of the remainders; the rounded corner may be off the hyperplane by some units.
    ranks = rounded.sum(0).to(torch.int8) + torch.arange(d + 1, dtype=torch.int8, device=rank.device)[:, None]
    y, higher = list(remainder), list(ranks)
    for a in range(d + 1):
        for b in range(a + 1, d + 1):
            less = (y[a] < y[b]).view(torch.int8)
            higher[a] += less
            higher[b] -= less
    # Move it back along the largest remainders.
    shift = (ranks < 0).view(torch.int8) - (ranks > d).view(torch.int8)
    torch.add(ranks, shift, alpha=d + 1, out=rank)
    rounded += shift
    base.copy_(rounded)
    remainder.sub_(shift, alpha=d + 1)
    # With y the remainders in falling order, corner r > 0 has weight (y_{d-r} - y_{d-r+1}) / (d + 1).
    y = list(remainder.div_(d + 1))
    for last in range(d, 0, -1):
        for a in range(last):
            y[a], y[a + 1] = torch.maximum(y[a], y[a + 1]), torch.minimum(y[a], y[a + 1])
    weights[:, 0] = 1 + y[d] - y[0]
    for r in range(1, d + 1):
        weights[:, r] = y[d - r] - y[d - r + 1]


def _sorted(codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return (n,) int64 >= 0 in rising order, and their original indices; the sort is stable."""
    bits = len(codes).bit_length()
    if len(codes) and int(codes.max()) >= 2 ** (62 - bits):
        ordered, order = codes.sort(stable=True)
        return ordered, order
    # Code and index in one integer: sorting integers is much faster than sorting indices.
    packed = (codes << bits) | torch.arange(len(codes), device=codes.device)
    if _on_processor(packed):
        packed.numpy().sort()  # twice as fast as torch's
    else:
        packed = packed.sort().values
    return packed >> bits, packed & (2**bits - 1)


def _numbered(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Number equal integers in rising order: (n,) int32 numbers, one member of each number, its code."""
    ordered, order = _sorted(codes)
    is_first = F.pad(ordered[1:] != ordered[:-1], (1, 0), value=True)
    number = torch.empty(len(codes), dtype=torch.int32, device=codes.device)
    number.scatter_(0, order, is_first.cumsum(0, dtype=torch.int32) - 1)
    first = is_first.nonzero()[:, 0]
    return number, order[first], ordered[first]


def _simplices(base: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Group points with equal base and ranks: they share a simplex; there are fewer simplices than points.

    Returns:
        (N,) int32 the simplex of each point, and one point of each simplex.
    """
    d = len(base)
    least = base.amin(1).tolist()
    units = [high - low + 1 for high, low in zip(base.amax(1).tolist(), least, strict=True)]
    _check(units, d)
    code = torch.zeros_like(base[0], dtype=torch.int64)
    for j in range(d):
        code.mul_(units[j]).add_(base[j]).sub_(least[j]).mul_(d + 1).add_(rank[j])
    number, example, _ = _numbered(code)
    return number, example


def _corners(base: Tensor, rank: Tensor) -> tuple[Tensor, Tensor, list[int]]:
    """Number the corners of S simplices.

    Returns:
        (S, d + 1) int32 numbers of corners; (M,) int64, the code of each corner, rising; and the increment
        of the code for a step along each coordinate.
    """
    d = len(base)
    base, least = base.long(), base.amin(1).long()
    # A corner is identified by its first d coordinates, packed into one mixed-radix integer. Corners and
    # neighbours lie less than 2 (d + 1) away; with that margin packing is linear: a step is one constant.
    margin = 2 * (d + 1)
    stride = [1]
    for reach in (base.amax(1) - least + 1).tolist():
        stride.append(stride[-1] * ((d + 1) * reach + 2 * margin))
    origin = sum(((base[j] - least[j]) * (d + 1) + margin) * stride[j] for j in range(d))
    # From corner r to r + 1 all coordinates rise by 1, and that of rank d - r falls by d + 1.
    falls = base.new_zeros(base.shape[1], d + 1)
    falls.scatter_(1, rank.T.long(), falls.new_tensor(stride[:d]).mul_(d + 1).expand(len(falls), -1))
    codes = torch.empty_like(falls)
    codes[:, 0] = origin
    for r in range(d):
        torch.sub(codes[:, r] + sum(stride[:d]), falls[:, d - r], out=codes[:, r + 1])
    number, _, distinct = _numbered(codes.view(-1))
    return number.view(-1, d + 1), distinct, stride


def _check(units: list[int], d: int) -> None:
    """Check that all codes fit; those of neighbours are the most extreme."""
    if math.prod((d + 1) * reach + 4 * (d + 1) for reach in units) * (d + 2) >= 2**62:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")


def _neighbours(codes: Tensor, stride: list[int]) -> list[Tensor]:
    """Return the two neighbours of each corner for each of the d + 1 axes, (M, 2) int32; M: no neighbour."""
    d, m = len(stride) - 1, len(codes)
    back = -sum(stride[:d])  # along an axis all coordinates fall by 1, and its own rises by d
    found = []
    for step in [back + (d + 1) * stride[j] for j in range(d)] + [back]:
        wanted = codes + step
        if _on_processor(codes):
            right = torch.from_numpy(np.searchsorted(codes.numpy(), wanted.numpy()))  # as above
        else:
            right = torch.searchsorted(codes, wanted)
        right.clamp_(max=m - 1)
        here = (codes.index_select(0, right) == wanted).nonzero()[:, 0]
        right = right.index_select(0, here)
        pairs = torch.full((m, 2), m, dtype=torch.int32, device=codes.device)
        pairs[here, 0] = right.to(torch.int32)
        pairs[right, 1] = here.to(torch.int32)  # the left neighbour of the right neighbour
        found.append(pairs)
    return found


def _transposed(corner: Tensor, weights: Tensor, m: int) -> tuple[Tensor, Tensor, Tensor]:
    """List the points of each corner.

    Args:
        corner: (N, d + 1) int32, below m.
        weights: (N, d + 1).
    Returns:
        the points of corner 0, then of corner 1 and so on, int32; their weights; (m + 1,) int32 starts.
    """
    n, each = corner.shape
    if _on_processor(corner):
        rows = np.arange(0, n * each + 1, each, dtype=np.int32)
        values, columns = weights.view(-1).numpy(), corner.view(-1).numpy()
        found = sparse.csr_matrix((values, columns, rows), shape=(n, m)).tocsc()
        point, weight, start = (torch.from_numpy(a) for a in (found.indices, found.data, found.indptr))
        return point, weight, start
    ordered, order = corner.view(-1).sort(stable=True)
    corners = torch.arange(m + 1, dtype=torch.int32, device=corner.device)
    starts = torch.searchsorted(ordered, corners, out_int32=True)
    return (order // each).to(torch.int32), weights.view(-1)[order], starts


def _on_processor(tensor: Tensor) -> bool:
    """Whether the tensor is on the CPU, where numpy and scipy can process it."""
    return tensor.device.type == "cpu"
