"""Positions of feature-map cells in the image: the single source of all crop offsets."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from wsstool.errors import UsageError
from wsstool.models.backbones import Backbone
from wsstool.models.backbones.layout import PROBE_SIZE, watch


@dataclass(frozen=True)
class Grid:
    """A grid whose cell i has its centre at pixel ``start + step * i`` of the image, along either axis.

    The grid after each layer follows from the layers alone; two maps of equal step align if the difference of
    their starts is a whole number of cells, and this number is the crop offset. A centre is that of the
    receptive field; pixel 0 is the centre of the first pixel.

    Attributes:
        step: image pixels from one cell to the next, > 0.
        start: centre of cell 0, image pixels; negative if padding extends beyond the image.
        field: side of the receptive field of a cell, image pixels; ignored in comparisons.

    Source:
        Long et al., CVPR 2015, section 3.2 (how strides and offsets of layers compose); independent.
    Example:
        FCN-32s: padding 100, five poolings, a 7x7 convolution, then 32 x upsampling. The image begins at 19.

        >>> grid = Grid().behind(3, padding=100)
        >>> for _ in range(5):
        ...     grid = grid.behind(2, stride=2)
        >>> grid.behind(7).enlarged(64, 32).offset_of(Grid())
        19
    """

    step: float = 1.0
    start: float = 0.0
    field: int = field(default=1, compare=False)

    def behind(self, kernel: int, stride: int = 1, padding: float = 0, dilation: int = 1) -> Grid:
        """Return the grid after a convolution or pooling; cell i reads cells s i - p + d (0 ... k - 1)."""
        reach = dilation * (kernel - 1)
        start = self.start + self.step * (reach / 2 - padding)
        return Grid(self.step * stride, start, self.field + int(self.step * reach))

    def enlarged(self, kernel: int, stride: int) -> Grid:
        """Return the grid after a transposed convolution; cell i spreads to cells s i ... s i + k - 1."""
        step = self.step / stride
        return replace(self, step=step, start=self.start - step * (kernel - 1) / 2)

    def from_cell(self, first: int) -> Grid:
        """Return the grid of the map that begins at cell ``first`` of this one."""
        return replace(self, start=self.start + self.step * first)

    def fits(self, other: Grid) -> bool:
        """Whether the cells of ``other`` coincide with cells of this map."""
        return self.step == other.step and ((other.start - self.start) / self.step).is_integer()

    def offset_of(self, other: Grid) -> int:
        """Return the cell of this map that coincides with cell 0 of ``other``.

        Raises:
            UsageError: the cells of the two do not coincide.
        """
        if not self.fits(other):
            raise UsageError(
                f"a map of {other} cannot be aligned with one of {self}: its cells lie between them"
            )
        return int((other.start - self.start) / self.step)


def behind_layer(grid: Grid, layer: nn.Module) -> Grid:
    """Return the grid after a module; modules other than convolution and pooling leave it unchanged."""
    if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        return grid
    kernel, stride, dilation = (single(value) for value in (layer.kernel_size, layer.stride, layer.dilation))
    padding = dilation * (kernel - 1) // 2 if layer.padding == "same" else single(layer.padding)
    return grid.behind(kernel, stride, padding, dilation)


def single(value: int | str | tuple[int, ...]) -> int:
    """Parse a kernel, stride, padding or dilation given as a number or as two equal ones."""
    return int(value[0] if isinstance(value, tuple) else value)


def stage_grids(backbone: Backbone) -> dict[str, Grid]:
    """Return the grid of every stage of a backbone, by name.

    Each layer shifts the grid by the asymmetry of its window: nothing for symmetric padding, half a cell for
    a 2x2 pooling. At most one of several parallel branches does.
    """
    grids: dict[str, Grid] = {}
    grid = Grid()

    def note(name: str, inputs: object, output: Tensor) -> None:
        nonlocal grid
        step = PROBE_SIZE / output.shape[-1]
        if name in layers:
            grid = behind_layer(replace(grid, step=step / single(layers[name].stride)), layers[name])
        if name in stages:
            grids[name] = replace(grid, step=step)

    stages = {stage.name for stage in backbone.stages}
    layers = {n: m for n, m in backbone.named_modules() if isinstance(m, nn.Conv2d | nn.MaxPool2d)}
    watch(backbone, layers | {name: backbone.get_submodule(name) for name in stages}, note)
    return grids
