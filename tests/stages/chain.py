"""A small data set with masks, and mask and CAM files made for it without a network."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.data.masks import write_mask
from wsstool.types import ClassList

CLASSES = ClassList(("background", "circle", "square"), 0, ((0, 0, 0), (220, 60, 40), (40, 90, 220)))
SIZE = (24, 32)


def truth_of(i: int) -> np.ndarray:
    """A shape of class 1 or 2, and in every third image both; a void outline at the top."""
    labels = np.zeros(SIZE, np.uint8)
    labels[6:18, 3 + i : 13 + i] = 1 + i % 2
    if i % 3 == 0:
        labels[12:22, 20:30] = 2 - i % 2
    labels[:1] = 255
    return labels


def write_data(root: Path, n: int = 6, *, masks: bool = True) -> Path:
    """``images/``, ``masks/``, ``classes.txt``, ``labels.csv`` and ``meta.csv``."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    lines, meta = ["image,labels"], ["image,patient"]
    rng = np.random.default_rng(0)
    for i in range(n):
        labels = truth_of(i)
        noise = rng.integers(0, 60, (*SIZE, 3))
        colours = np.array(CLASSES.palette)[np.where(labels == 255, 0, labels)]
        Image.fromarray((colours * 0.7 + noise).astype(np.uint8)).save(root / "images" / f"p{i}.png")
        if masks:
            write_mask(root / "masks" / f"p{i}.png", labels, CLASSES)
        lines.append(f"p{i}.png,{' '.join(CLASSES.names[c] for c in (1, 2) if (labels == c).any())}")
        meta.append(f"p{i}.png,{i // 2}")
    (root / "classes.txt").write_text("\n".join(f"{k} {v}" for k, v in enumerate(CLASSES.names)) + "\n")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    (root / "meta.csv").write_text("\n".join(meta) + "\n")
    return root


def predicted(i: int, shift: int = 1) -> np.ndarray:
    """The truth moved down, without void."""
    labels = np.roll(truth_of(i), shift, axis=0)
    return np.where(labels == 255, 0, labels).astype(np.uint8)


def header_of(kind, root: Path, indices, **more):
    n = len(indices)
    labels = np.array([[0, *[(truth_of(i) == c).any() for c in (1, 2)]] for i in indices], np.uint8)
    arguments = {
        "stage": "pseudo-mask" if kind == "mask" else "cam",
        "params": {},
        "inputs": [],
        "images": [f"images/p{i}.png" for i in indices],
        "sizes": np.tile(SIZE, (n, 1)),
        "classes": CLASSES,
        "labels": labels,
        "image_root": root,
    }
    return store.new_header(kind, **{**arguments, **more})


def write_masks(
    path: Path, root: Path, indices=range(6), *, layers=("argmax",), fail=(), shift=1, **more
) -> Path:
    """A mask file; the second layer is the truth itself."""
    shapes = np.tile([len(layers), *SIZE], (len(indices), 1))
    header = header_of("mask", root, indices, shapes=shapes, attributes={"layers": list(layers)}, **more)
    with store.create(header, path, max_failed=len(fail)) as writer:
        for i in indices:
            if i in fail:
                writer.fail("broken")
                continue
            truth = np.where(truth_of(i) == 255, 0, truth_of(i))
            writer.write(np.stack([predicted(i, shift), truth.astype(np.uint8)][: len(layers)]))
    return path


def write_cams(path: Path, root: Path, indices=range(6), *, targets="labels") -> Path:
    """A CAM file at full size whose maps are 1 (times 4) inside the true region, 0.2 around it."""
    ids = [[c for c in (1, 2) if targets == "all" or (truth_of(i) == c).any()] for i in indices]
    header = header_of(
        "cam",
        root,
        indices,
        shapes=np.array([[len(k), *SIZE] for k in ids]),
        attributes={"layers": ["features"]},
        columns={
            "layer_size": np.tile(SIZE, (len(ids), 1, 1)),
            "map_offset": np.cumsum([0, *map(len, ids)]),
            "map_class": np.concatenate(ids),
        },
    )
    with store.create(header, path) as writer:
        for i, k in zip(indices, ids, strict=True):
            there = [(truth_of(i) == c) for c in k]
            maps = np.stack([np.where(t, 1.0, 0.2 * t.any()) for t in there])
            writer.write(maps, scale=[4.0], score=[0.9 if t.any() else 0.1 for t in there])
    return path
