"""Gaussian filtering in any dimension on the permutohedral lattice: splat, blur, slice as sums of rows.

A Gaussian in position and colour lives in five dimensions, where a grid is hopeless. The lattice covers
R^d with simplices of d + 1 corners; a point spreads its value over the corners of its simplex, the corners
are blurred along d + 1 axes with (1/2, 1, 1/2), and the point reads the result back. Only corners that a
point touches exist. Everything up to the values depends on the features alone, so it is built once; each
filtering is then a handful of ``embedding_bag`` calls, which sum weighted rows in one pass on any device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wsstool.errors import UsageError


class Permutohedral:
    """The lattice of one set of points.

    Args:
        features: (N, d) float32, every coordinate divided by its standard deviation; the lattice lives on
            the same device.

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
        >>> lattice = Permutohedral(torch.tensor([[0.0], [0.0], [50.0]]))
        >>> out = lattice.filter(torch.ones(3, 1))[:, 0]
        >>> bool(abs(out[0] - out[1]) < 1e-6 and out[0] > 1.5 * out[2])  # two together, one alone
        True
    """

    def __init__(self, features: Tensor) -> None:
        base, rank, weights = _enclosing_simplices(features.float())
        d = features.shape[1]
        simplices, of_point = _simplices(base[:d], rank[:d])
        corners, codes, stride = _corners(base[:d, simplices.example], rank[:d, simplices.example])
        self._neighbours = _neighbours(codes, stride)  # d + 1 of (M, 2)
        self._corner = corners.number.view(-1, d + 1).to(torch.int32)[of_point]  # (N, d + 1)
        self._slice_weights = weights * (1 / (1 + 2.0**-d))
        # Splatting sums over the points of a corner: all points of the simplices that have it.
        simplex, r = corners.order // (d + 1), corners.order % (d + 1)
        counts = simplices.counts[simplex]
        entry = simplices.starts[simplex] - counts.cumsum(0) + counts
        place = torch.arange(len(of_point) * (d + 1), device=entry.device) + entry.repeat_interleave(counts)
        point = simplices.order[place]
        self._splat_point = point.to(torch.int32)
        self._splat_weights = weights.view(-1)[point * (d + 1) + r.repeat_interleave(counts)]
        self._splat_start = F.pad(counts.cumsum(0), (1, 0))[F.pad(corners.starts, (0, 1), value=len(counts))]
        self._splat_start = self._splat_start.to(torch.int32)  # (M + 1,)

    @property
    def size(self) -> int:
        """M, the number of corners."""
        return len(self._neighbours[0])

    @torch.no_grad()
    def filter(self, values: Tensor) -> Tensor:
        """Filter (N, L) float32 values, all L columns at once; the result has the same shape."""
        corners = values.new_zeros(self.size + 1, values.shape[1])  # the last: what is not there counts 0
        corners[:-1] = F.embedding_bag(
            self._splat_point,
            values,
            self._splat_start,
            mode="sum",
            per_sample_weights=self._splat_weights,
            include_last_offset=True,
        )
        for pair in self._neighbours:
            corners[:-1].add_(F.embedding_bag(pair, corners, mode="sum"), alpha=0.5)
        return F.embedding_bag(self._corner, corners, mode="sum", per_sample_weights=self._slice_weights)

    def normalised(self) -> Permutohedral:
        """Scale by D = diag(1 / sqrt(K 1)) on both sides, so that ``filter`` is D K D; returns itself."""
        mass = self.filter(self._slice_weights.new_ones(len(self._corner), 1))[:, 0]
        scale = (mass + 1e-20).rsqrt()
        self._slice_weights *= scale[:, None]
        self._splat_weights *= scale[self._splat_point]
        return self


def _enclosing_simplices(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The simplex round each point.

    Returns:
        its remainder-0 corner (d + 1, N) int64 in units of d + 1, the ranks (d + 1, N) int64 of the
        coordinates, and barycentric weights (N, d + 1) float32.
    """
    n, d = features.shape
    scaled = features.T.contiguous()
    # Into the hyperplane of coordinates that sum to zero; rows are coordinates, so every step is contiguous.
    elevated = features.new_empty(d + 1, n)
    total = features.new_zeros(n)
    for j in range(d, 0, -1):
        column = scaled[j - 1] * ((2 / 3) ** 0.5 * (d + 1) / (j * (j + 1)) ** 0.5)
        elevated[j] = total - j * column
        total += column
    elevated[0] = total
    if n and not elevated.abs().max() < 2**30:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")
    base = (elevated / (d + 1)).round()
    difference = elevated - base * (d + 1)
    base = base.to(torch.int32)
    rank = base.sum(0, dtype=torch.int32).repeat(d + 1, 1)
    for a in range(d + 1):
        for b in range(a + 1, d + 1):
            less = difference[a] < difference[b]
            rank[a] += less
            rank[b] += ~less
    # The rounded corner may be off the hyperplane: walk it back along the largest remainders.
    shift = (rank < 0).to(torch.int32) - (rank > d).to(torch.int32)
    rank += shift * (d + 1)
    base += shift
    difference -= shift * (d + 1)
    # With y the remainders in falling order, corner r > 0 weighs (y_{d-r} - y_{d-r+1}) / (d + 1).
    by_rank = torch.empty_like(difference).scatter_(0, rank.long(), difference / (d + 1))
    weights = features.new_empty(n, d + 1)
    weights[:, 1:] = (by_rank[:-1] - by_rank[1:]).flip(0).T
    weights[:, 0] = 1 + by_rank[d] - by_rank[0]
    return base, rank, weights


@dataclass(frozen=True)
class _Groups:
    """Equal integers numbered: which group each belongs to, and the members of each group."""

    number: Tensor  # (n,) the group of each
    order: Tensor  # (n,) members of group 0, then of group 1, ...
    starts: Tensor  # (groups,) where those of each group begin in ``order``

    @property
    def counts(self) -> Tensor:
        return torch.diff(self.starts, append=self.starts.new_tensor([len(self.order)]))

    @property
    def example(self) -> Tensor:
        """(groups,) one member of each."""
        return self.order[self.starts]


def _groups(codes: Tensor) -> _Groups:
    """Group equal codes, in rising order of the code."""
    # numpy sorts integers twice as fast as torch does on a CPU
    order = codes.argsort() if codes.is_cuda else torch.from_numpy(np.argsort(codes.numpy()))
    ordered = codes[order]
    is_first = F.pad(ordered[1:] != ordered[:-1], (1, 0), value=True)
    number = torch.empty_like(order).scatter_(0, order, is_first.cumsum(0) - 1)
    return _Groups(number, order, is_first.nonzero()[:, 0])


def _simplices(base: Tensor, rank: Tensor) -> tuple[_Groups, Tensor]:
    """Points share a simplex where base and ranks are equal; there are far fewer simplices than points."""
    d = len(base)
    least = base.amin(1)
    units = (base.amax(1) - least + 1).tolist()
    _check(units, d)
    code = torch.zeros_like(base[0], dtype=torch.int64)
    for j in range(d):
        code = (code * units[j] + (base[j] - least[j])) * (d + 1) + rank[j]
    groups = _groups(code)
    return groups, groups.number


def _corners(base: Tensor, rank: Tensor) -> tuple[_Groups, Tensor, list[int]]:
    """The corners of simplices, d + 1 of each in turn, as groups of equal ones.

    Returns:
        the groups; (M,) int64, the code of each; and what a step along each coordinate adds to a code.
    """
    d = len(base)
    base, rank, least = base.long(), rank.long(), base.amin(1).long()
    # A corner is known by its first d coordinates, packed into one integer of mixed radix. Corners and their
    # neighbours lie less than 2 (d + 1) away; with that margin packing is linear: a step is one constant.
    margin = 2 * (d + 1)
    stride = [1]
    for reach in (base.amax(1) - least + 1).tolist():
        stride.append(stride[-1] * ((d + 1) * reach + 2 * margin))
    steps = torch.tensor(stride[:d], device=base.device)[:, None]
    origin = (((base - least[:, None]) * (d + 1) + margin) * steps).sum(0)
    steps_of_rank = [(torch.where(rank <= d - r, r, r - (d + 1)) * steps).sum(0) for r in range(d + 1)]
    codes = torch.stack([origin + one for one in steps_of_rank], 1).reshape(-1)
    groups = _groups(codes)
    return groups, codes[groups.example], stride


def _check(units: list[int], d: int) -> None:
    """Whether all codes fit: those of neighbours reach farthest."""
    if math.prod((d + 1) * reach + 4 * (d + 1) for reach in units) * (d + 2) >= 2**62:
        raise UsageError("a standard deviation is too close to zero for these features: use a larger one")


def _neighbours(codes: Tensor, stride: list[int]) -> list[Tensor]:
    """For each of the d + 1 axes (M, 2) int32: the two neighbours of each corner, M where there is none."""
    d, m = len(stride) - 1, len(codes)
    back = -sum(stride[:d])  # along an axis all coordinates fall by 1, and its own rises by d
    found = []
    for step in [back + (d + 1) * stride[j] for j in range(d)] + [back]:
        wanted = codes + step
        right = torch.searchsorted(codes, wanted).clamp_(max=m - 1)
        here = (codes[right] == wanted).nonzero()[:, 0]
        pairs = torch.full((m, 2), m, dtype=torch.int32, device=codes.device)
        pairs[here, 0] = right[here].to(torch.int32)
        pairs[right[here], 1] = here.to(torch.int32)  # to the left of one's right is oneself
        found.append(pairs)
    return found
