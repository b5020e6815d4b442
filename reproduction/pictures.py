"""One picture of several record files: strips of a report, stacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from steps import Steps

from wsstool.report.overlays import stacked


def picture(steps: Steps, name: str, shown: Sequence[str], data: Path) -> Path:
    """One PNG of six images: the two worst, two in the middle and the two best of the last file.

    Args:
        steps: runs the command.
        name: of the PNG, without suffix.
        shown: ``CAPTION=FILE`` for each file.
        data: folder of the images.
    """
    strips = steps.make(
        name,
        *("report", *shown, "--images", data, "--samples", "2", "--quiet"),
        *("-o", steps.folder / f"{name}.html"),
        output=("--strips",),
    )
    path = steps.folder / f"{name}.png"
    Image.fromarray(stacked([np.asarray(Image.open(p)) for p in sorted(strips.glob("*.png"))])).save(path)
    return path
