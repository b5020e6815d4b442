"""Toy sets with true masks, label maps of them, random networks, quick options, and an interruption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from wsstool import store
from wsstool.models.classifier import build_classifier
from wsstool.models.segmenter import build_segmenter
from wsstool.models.weights import save_weights
from wsstool.types import ClassList

QUICK: dict[str, Any] = {
    "crop_size": 32,
    "color_jitter": 0.0,
    "optimizer": "adam",
    "workers": 0,
    "device": "cpu",
}
"""What all trainings of toy segmenters share."""

CLASSES = ClassList(("ground", "cat", "dog"), 0)
"""The classes of ``write_rectangles``."""

COLOURS = np.array([[110, 110, 110], [200, 70, 60], [60, 80, 200]], np.uint8)


def write_pair(root: Path, stem: str, mask: np.ndarray, noise: np.ndarray, palette: np.ndarray) -> None:
    """An image in the colours of its (H, W) mask plus (H, W, 3) noise, and the mask."""
    for folder, pixels in (("images", palette[mask] + noise), ("masks", mask)):
        (root / folder).mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / folder / f"{stem}.png")


def write_classes(root: Path, classes: ClassList) -> None:
    """``classes.txt`` with numbers and names."""
    (root / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(classes.names)))


def write_rectangles(root: Path, n: int) -> Path:
    """``n`` images of two sizes with a coloured rectangle, with their tags and true masks."""
    rng = np.random.default_rng(0)
    rows = ["image,labels"]
    for i in range(n):
        kind, mask = 1 + i % 2, np.zeros((40, 36) if i % 3 else (33, 50), np.uint8)
        y, x = rng.integers(2, 12, 2)
        mask[y : y + 20, x : x + 20] = kind
        write_pair(root, f"{i:02d}", mask, rng.normal(0, 12, (*mask.shape, 3)), COLOURS)
        rows.append(f"{i:02d},{CLASSES.names[kind]}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    write_classes(root, CLASSES)
    return root


def write_splits(root: Path, **splits: range) -> None:
    """Lists of the images of each split."""
    (root / "splits").mkdir()
    for name, numbers in splits.items():
        (root / "splits" / f"{name}.txt").write_text("".join(f"{i:02d}\n" for i in numbers))


def true_mask(root: Path, name: str) -> np.ndarray:
    """(H, W) uint8 true mask of an image."""
    return np.asarray(Image.open(root / "masks" / Path(name).name))


def write_label_maps(
    path: Path,
    root: Path,
    names: Sequence[str],
    maps: Sequence[np.ndarray],
    layers: Sequence[str],
    classes: ClassList = CLASSES,
    fail: int | None = None,
) -> Path:
    """A mask file of (L, H, W) label maps of images of ``root``; image number ``fail`` has none."""
    header = store.new_header(
        "mask",
        stage="pseudo-mask",
        params={},
        inputs=[],
        images=names,
        sizes=np.array([one.shape[1:] for one in maps]),
        shapes=np.array([one.shape for one in maps]),
        classes=classes,
        image_root=root,
        attributes={"layers": list(layers)},
    )
    with store.create(header, path, max_failed=1) as writer:
        for i, one in enumerate(maps):
            if i == fail:
                writer.fail("toy")
            else:
                writer.write(one.astype(np.uint8))
    return path


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, owner: type, method: str, call: int) -> Iterator[None]:
    """What runs inside is interrupted, as by Ctrl-C, right after the ``call``-th call of a method."""
    original, calls = getattr(owner, method), count(1)

    def stopping(*arguments: Any) -> Any:
        result = original(*arguments)
        if next(calls) == call:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, method, stopping)
        yield


def save_random_networks(folder: Path, names: Sequence[str]) -> None:
    """Write ``cls.pth`` and ``seg.pth``, which have one output per name; always the same weights."""
    torch.manual_seed(0)
    classifier = build_classifier("tiny", len(names))
    segmenter = build_segmenter("fcn-tiny", len(names), width=8)
    shared = {
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "palette": [],
        "classes": list(names),
        "class_ids": list(range(len(names))),
    }
    meta = {**shared, "arch": "tiny", "task": "classification"}
    save_weights(folder / "cls.pth", classifier.state_dict(), meta)
    meta = {**shared, "arch": "fcn-tiny", "task": "segmentation", "width": 8}
    save_weights(folder / "seg.pth", segmenter.state_dict(), meta)
