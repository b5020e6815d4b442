"""A small drawn set: two discs of different colour per image, and sentences about colour and side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wsstool.data.geometry import rle

SIZE = (48, 64)
COLOURS = {"red": (220, 50, 40), "blue": (60, 90, 230)}
QUICK: dict[str, Any] = {
    "arch": "bcam-tiny", "crop_size": 32, "epochs": 1, "workers": 0, "batch_size": 8, "attention_width": 16,
    "decoder_width": 16,
}  # fmt: skip


def draw(folder: Path, n: int = 8, *, val: int = 2, masks: bool = True) -> Path:
    """Write ``images/`` and ``referring.jsonl``; the last ``val`` images are the split val."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
    rows = []
    for i in range(n):
        picture = rng.integers(0, 60, (*SIZE, 3), np.uint8)
        colours = rng.permutation(list(COLOURS)).tolist()
        for k, side in enumerate(("left", "right")):
            cx, cy = rng.uniform(12, 20) + 30 * k, rng.uniform(14, 34)
            disc = ((x - cx) / 9) ** 2 + ((y - cy) / 11) ** 2 < 1
            picture[disc] = COLOURS[colours[k]]
            at_rows, at_columns = np.flatnonzero(disc.any(1)), np.flatnonzero(disc.any(0))
            x0, y0 = int(at_columns[0]), int(at_rows[0])
            row = {
                "image": f"{i}.png", "ref_id": 10 * i + k, "width": SIZE[1], "height": SIZE[0],
                "split": "val" if i >= n - val else "train", "category": "disc",
                "box": [x0, y0, int(at_columns[-1]) + 1 - x0, int(at_rows[-1]) + 1 - y0],
                "sentences": [f"the {colours[k]} disc", f"disc on the {side}"],
            }  # fmt: skip
            rows.append(row | ({"mask": rle.encode(disc)} if masks else {}))
        Image.fromarray(picture).save(folder / "images" / f"{i}.png")
    write_rows(folder, rows)
    return folder


def read_rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "referring.jsonl").read_text().splitlines()]


def write_rows(folder: Path, rows: list[dict[str, Any]]) -> None:
    (folder / "referring.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
