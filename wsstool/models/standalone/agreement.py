"""Compare a written network with the one in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from wsstool.errors import WsstoolError
from wsstool.models.standalone.pixels import OnPixels, SegmenterOnPixels
from wsstool.models.standalone.trace import Traced

Runner = Callable[[Sequence[np.ndarray]], list[np.ndarray]]
"""What runs a written network: inputs -> outputs, in the order of their names."""

TOLERANCE = 1e-4
"""Largest difference allowed, in standard deviations of the output."""


def largest_difference(traced: Traced, run: Runner) -> float:
    """Return the largest difference of the outputs, in standard deviations of each output.

    Both run on random pixels, in two batch sizes and two image sizes: one a multiple of the stride, one not,
    neither of them traced. Class ids are checked against the logits of the same run.

    Raises:
        WsstoolError: it is above ``TOLERANCE``, or an output has another shape or type.
    """
    network = traced.network
    unit, least = network.stride, max(traced.least_side or 0, 32)
    generator = torch.Generator().manual_seed(1)
    differences = [0.0]
    for batch, rows, columns in ((1, 3 * unit, 4 * unit), (3, 2 * unit + 1, 3 * unit + 7)):
        inputs = network.example(batch, max(rows, least), max(columns, least), generator)
        differences.append(_checked(network, run, inputs))
    return max(differences)


def _checked(network: OnPixels, run: Runner, inputs: Sequence[Tensor]) -> float:
    """Return the largest difference for these inputs; raises as ``largest_difference`` does."""
    with torch.no_grad():
        expected = [one.numpy() for one in network(*inputs)]
    found = dict(zip(network.outputs, run([one.numpy() for one in inputs]), strict=True))
    differences = [0.0]
    for (name, one), wanted in zip(found.items(), expected, strict=True):
        if one.shape != wanted.shape or one.dtype != wanted.dtype:
            raise WsstoolError(f"the written network gives {name} of another shape or type than torch")
        if name != "mask":
            differences.append(_difference(one, wanted))
    worst = float(np.max(differences))  # NaN if one is
    if not worst <= TOLERANCE:
        raise WsstoolError(
            f"the written network differs from torch by {worst:.1e} standard deviations of its output; "
            f"at most {TOLERANCE:.0e} is allowed"
        )
    if isinstance(network, SegmenterOnPixels) and not _is_argmax(
        found["mask"], found["logits"], network.class_ids.numpy()
    ):
        raise WsstoolError("the mask of the written network is not the class of its largest logits")
    return worst


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference in standard deviations; of constant outputs, in parts of their value."""
    scale = max(float(wanted.std()), 1e-3 * float(np.abs(wanted).max()), 1e-12)
    return float(np.abs(found - wanted).max()) / scale


def _is_argmax(mask: np.ndarray, logits: np.ndarray, class_ids: np.ndarray) -> bool:
    """Return whether no class has a larger logit than that of the mask."""
    outputs = np.zeros(256, np.int64)
    outputs[class_ids] = np.arange(len(class_ids))
    chosen = np.take_along_axis(logits, outputs[mask][:, None], 1)[:, 0]
    return bool(np.isin(mask, class_ids).all() and (chosen >= logits.max(1)).all())
