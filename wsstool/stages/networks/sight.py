"""Say where windows show: how far the network of a command sees, against what its windows leave out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from wsstool.models.windows.field import field_radius
from wsstool.models.windows.plan import Windows
from wsstool.types import Messages


def say_windows(
    windows: Windows,
    sizes: np.ndarray,
    run: Callable[[torch.Tensor], torch.Tensor],
    device: torch.device,
    messages: Messages,
) -> None:
    """Say that large images are computed in windows, and warn if their borders reach into the result.

    Args:
        windows: the plan.
        sizes: (N, 2) rows and columns of the large images.
        run: (1, 3, h, w) float -> (1, C, h', w'), the network as it is used.
        device: of the network.
        messages: receive the sentences.
    """
    count = sum(windows.count(size) for size in sizes.tolist())
    images = "1 image" if len(sizes) == 1 else f"{len(sizes)} images"
    messages.say(
        f"computing {images} in {count} windows of {windows.window} pixels, overlap {windows.overlap}"
    )
    radius = field_radius(run, windows.window, device, windows.cell)
    if radius is None:
        messages.warn(
            f"the network sees further than a window of {windows.window} pixels, or averages over all of it: "
            "the result depends on where the windows lie; a larger --window lessens that"
        )
    elif radius > windows.margin:
        enough = -(-3 * radius // windows.step) * windows.step
        messages.warn(
            f"the network sees {radius} pixels to each side, and windows leave out {windows.margin} at their "
            f"borders: with --overlap {enough} the result does not depend on the windows"
        )
