"""Small data folders for the tests of the data layer."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(path: Path, shape: tuple[int, int] = (4, 5)) -> Path:
    """A small picture of one colour, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*shape, 3), 90, np.uint8)).save(path)
    return path


def mask(path: Path, values: object = 1, shape: tuple[int, int] = (4, 5)) -> Path:
    """A grey mask, its folder made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, values, np.uint8)).save(path)
    return path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
