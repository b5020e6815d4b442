"""Trace a network once, for every batch size and image size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from wsstool.errors import WsstoolError
from wsstool.models.standalone.pixels import OnPixels, ReferringOnPixels


@dataclass(frozen=True)
class Traced:
    """A network and its graph.

    Attributes:
        network: the traced one.
        program: the graph, with its weights.
        least_side: rows and columns that an image needs at least, as the trace assumes; None: one size only.
    """

    network: OnPixels
    program: ExportedProgram
    least_side: int | None


def trace(network: OnPixels) -> Traced:
    """Trace a network with random pixels of a size that is no multiple of its stride.

    Raises:
        WsstoolError: the graph would hold for one size only, or cannot be made.
    """
    unit = network.stride
    generator = torch.Generator().manual_seed(0)
    example = network.example(2, 2 * unit + 11, 3 * unit + 5, generator)
    dynamic = tuple(_dynamic(network, number, one) for number, one in enumerate(example))
    try:
        with torch.no_grad():
            network(*example)  # constants that layers remember must be real ones
            program = torch.export.export(network, example, dynamic_shapes=dynamic, strict=False)
    except Exception as error:  # the tracer raises whatever the operators raise
        why = str(error).strip().partition("\n")[0]
        raise WsstoolError(f"this network cannot be traced: {why}") from error
    shapes = [node.meta["val"].shape for node in program.graph.nodes if node.name in network.inputs]
    for name, shape, axes in zip(network.inputs, shapes, dynamic, strict=True):
        if any(_bounds(program, shape[axis]) is None for axis in axes):
            raise WsstoolError(f"the traced network would take {name} of one size only: {tuple(shape)}")
    if isinstance(network, ReferringOnPixels):
        return Traced(network, program, None)
    least = max(int(_bounds(program, side).lower) for side in shapes[0][-2:])
    return Traced(network, program, least)


def _bounds(program: ExportedProgram, side: Any) -> Any:
    """Return the range of a traced length; None if it is a constant."""
    return None if isinstance(side, int) else program.range_constraints.get(side.node.expr)


def _dynamic(network: OnPixels, number: int, example: Tensor) -> dict[int, object]:
    """Return the axes of an input that may have any length: the batch, and the sides of images."""
    if isinstance(network, ReferringOnPixels):
        return {} if number == 0 else {0: Dim.AUTO}
    return {axis: Dim.AUTO for axis in ((0, 2, 3) if example.ndim == 4 else (0,))}
