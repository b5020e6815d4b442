"""A small set in the layout of LUAD-HistoSeg or BCSS-WSSS, and a cam file of three layers for it."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsstool import store
from wsstool.data.dataset import open_dataset

SIDE = 16
LAYERS = ("b4_5", "b5_2", "bn7")
TAGS = {"luad": "[{} {} {} {}]", "bcss": "[{}{}{}{}]"}


def write_tree(root: Path, tags, kind: str = "luad") -> Path:
    """``train/`` with a picture for each row of tags, ``val/`` and ``test/`` with two and their masks.

    The upper half of each picture is white, the lower half dark; masks hold 0..4, palettes are 15 bytes.
    """
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    image[: SIDE // 2] = 240
    for folder in ("train", "val/img", "val/mask", "test/img", "test/mask"):
        (root / folder).mkdir(parents=True)
    for i, row in enumerate(tags):
        stem = f"patch-{i}-{TAGS[kind].format(*row)}" if row is not None else f"patch-{i}"
        Image.fromarray(image).save(root / "train" / f"{stem}.png")
    for split in ("val", "test"):
        for i in range(2):
            Image.fromarray(image).save(root / split / "img" / f"{split}-{i}.png")
            labels = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE) % 5
            mask = Image.fromarray(labels, "P")
            mask.putpalette([205, 51, 51, 0, 255, 0, 65, 105, 225, 255, 165, 0, 255, 255, 255])
            mask.save(root / split / "mask" / f"{split}-{i}.png")
    return root


def write_maps(path: Path, root: Path, maps: np.ndarray, *, ids=(0, 1, 2, 3), labels: bool = True) -> Path:
    """(L, K, h, w) maps, the same for every picture of the training split."""
    data = open_dataset(root, split="train")
    n, (layers, k, h, w) = len(data), maps.shape
    header = store.new_header(
        "cam",
        stage="cam",
        params={},
        inputs=[],
        images=data.names,
        sizes=data.sizes(),
        shapes=np.tile([layers, k, -1], (n, 1)),
        elements=np.full(n, maps.size),
        classes=data.classes,
        labels=data.labels if labels else None,
        image_root=root,
        dtype="float32",
        columns={
            "layer_size": np.tile([h, w], (n, layers, 1)),
            "map_offset": np.arange(n + 1) * k,
            "map_class": np.tile(ids, n),
        },
        attributes={"layers": list(LAYERS[:layers])},
    )
    with store.create(header, path) as writer:
        for _ in range(n):
            writer.write(maps.reshape(-1), scale=np.ones(layers), score=np.ones(k))
    return path
