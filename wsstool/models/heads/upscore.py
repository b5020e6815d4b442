"""Bilinear upsampling as a transposed convolution, and its fast path by two narrow matrix products."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wsstool.models.class_probabilities import cropped

Span = tuple[int, int]
"""First cell and number of cells, along one axis."""


def bilinear_row(kernel: int) -> Tensor:
    """Return the (kernel,) float64 bilinear taps: 1 - |i - c| / f, f = (kernel + 1) // 2, c in the middle.

    Source:
        Long et al., CVPR 2015, section 3.3 (bilinear start of transposed convolutions). Independent.
    Example:
        >>> bilinear_row(4).tolist(), bilinear_row(3).tolist()
        ([0.25, 0.75, 0.75, 0.25], [0.5, 1.0, 0.5])
    """
    factor = (kernel + 1) // 2
    centre = (kernel - 1) / 2
    return 1 - (torch.arange(kernel, dtype=torch.float64) - centre).abs() / factor


def bilinear_weight(n_classes: int, kernel: int) -> Tensor:
    """Return the (C,C,k,k) float32 bilinear kernel from each class to itself, 0 between classes.

    A stride of half the kernel's width, rounded up, reproduces linear ramps, and fades at the borders.
    """
    row = bilinear_row(kernel)
    weight = torch.zeros(n_classes, n_classes, kernel, kernel)
    weight[range(n_classes), range(n_classes)] = torch.outer(row, row).float()
    return weight


class Upscore(nn.Module):
    """A transposed convolution of score maps, class to class, without bias or padding, initially bilinear.

    Its weight is part of the state dict and used as it is. As long as it is the bilinear kernel, each axis is
    upsampled by a narrow matrix, which is much faster and gives the same.

    Args:
        n_classes: C, of input and output.
        factor: output cells per input cell: the stride.
        kernel: width of the kernel, output cells; 2 factor, or 2 factor - 1.
    Example:
        >>> Upscore(1, 2, 4)(torch.ones(1, 1, 2, 2), (1, 2), (1, 2)).tolist()
        [[[[0.5625, 0.75], [0.75, 1.0]]]]
    """

    def __init__(self, n_classes: int, factor: int, kernel: int) -> None:
        super().__init__()
        self.factor, self.kernel = factor, kernel
        self.weight = nn.Parameter(bilinear_weight(n_classes, kernel), requires_grad=False)
        self._looked_at: tuple[int, int] = (0, -1)  # version of the weight that was last checked
        self._is_bilinear = False

    def full_size(self, n: int) -> int:
        """Return the number of output cells for n input cells."""
        return self.factor * (n - 1) + self.kernel

    def forward(self, x: Tensor, rows: Span | None = None, columns: Span | None = None) -> Tensor:
        """Return the window of the output given by the spans (None: whole axis): (B,C,h,w) -> (B,C,R,S)."""
        rows = rows or (0, self.full_size(x.shape[-2]))
        columns = columns or (0, self.full_size(x.shape[-1]))
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            if not self.is_bilinear:
                whole = F.conv_transpose2d(x, self.weight, stride=self.factor)
                return cropped(whole, (rows[1], columns[1]), (rows[0], columns[0]))
            down = self._matrix(x, x.shape[-2], rows)  # (R, h)
            across = self._matrix(x, x.shape[-1], columns)  # (S, w)
            return torch.matmul(torch.matmul(down, x), across.T)

    def settle(self) -> None:
        """Stop training the weight, and see now what it is: a traced weight has no values."""
        self.requires_grad_(False)
        self._is_bilinear = self.is_bilinear

    @property
    def is_bilinear(self) -> bool:
        """Whether the weight is the fixed bilinear kernel, to the last bit."""
        weight = self.weight
        if weight.requires_grad:
            return False
        if torch.compiler.is_compiling():
            return self._is_bilinear  # see ``settle``
        state = (weight.data_ptr(), -1 if weight.is_inference() else weight._version)
        if state != self._looked_at or state[1] < 0:
            self._looked_at = state
            fixed = bilinear_weight(len(weight), self.kernel).to(weight)
            self._is_bilinear = bool(torch.equal(weight.detach(), fixed))
        return self._is_bilinear

    def _matrix(self, x: Tensor, n: int, span: Span) -> Tensor:
        """Return (cells of the span, n): the contribution of each input cell to each output cell."""
        first, size = span
        tap = torch.arange(first, first + size)[:, None] - self.factor * torch.arange(n)  # (size, n)
        row = bilinear_row(self.kernel).float()
        inside = (tap >= 0) & (tap < self.kernel)
        return torch.where(inside, row[tap.clamp(0, self.kernel - 1)], row.new_zeros(())).to(x.device)
