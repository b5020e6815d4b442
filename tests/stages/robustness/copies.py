"""Corrupted copies of a data folder, on disk: what the stages do in memory, done by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from wsstool.corruptions import corrupt, moved


def corrupted_copy(data: Path, to: Path, name: str, severity: int, *, seed: int = 0, only: str = "") -> Path:
    """Copy ``data`` with corrupted images and masks that move along; ``only``: those of a split."""
    shutil.copytree(data, to)
    chosen = None if not only else (data / "splits" / f"{only}.txt").read_text().split()
    for path in sorted((to / "images").iterdir()):
        if chosen is not None and path.stem not in chosen:
            continue
        own = {"image_name": f"images/{path.name}", "seed": seed}
        image = np.asarray(Image.open(path))
        Image.fromarray(corrupt(image, name, severity, **own)).save(path)
        mask = np.asarray(Image.open(to / "masks" / path.name))
        Image.fromarray(moved(mask, name, severity, **own)).save(to / "masks" / path.name)
    return to
