"""The set of ``object_sets`` with sentences, and record files with one entry per sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.stages.object_sets import SIZE, truth_of, write_objects
from wsstool import store
from wsstool.data.geometry.rle import encode
from wsstool.expressions.recognise import read_expressions
from wsstool.stages.objects.columns import BoxColumns

# image, number of the object in it (None: no target), sentences, split, dataset
ROWS: list[tuple[int, int | None, list[str], str, str]] = [
    (0, 0, ["the disc", "the round thing on the left"], "val", "drawn"),
    (0, 1, ["green block on the right of the disc"], "val", "drawn"),
    (0, None, ["the purple star"], "val", "drawn"),
    (1, 1, ["the block"], "testA", "other"),
    (2, 0, ["everything in the whole big picture"], "testA", "other"),
    (3, None, ["a disc"], "testA", "other"),
    (4, 0, ["left one", "round and red"], "testB", "other"),
]


def written_rows() -> list[dict]:
    rows = []
    for k, (image, which, sentences, split, dataset) in enumerate(ROWS):
        row = {
            "image": f"images/p{image}.png", "ref_id": 50 + k, "sentences": [*sentences], "split": split,
            "dataset": dataset, "width": SIZE[1], "height": SIZE[0],
        }  # fmt: skip
        if which is None:
            row |= {"box": None, "no_target": True}
        else:
            class_id, mask = truth_of(image)[which]
            y, x = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = [int(x[0]), int(y[0]), int(x[-1] - x[0] + 1), int(y[-1] - y[0] + 1)]
            row |= {"box": box, "mask": encode(mask), "category": ("", "disc", "block")[class_id]}
        rows.append(row)
    return rows


def write_sentences(root: Path, **changes) -> Path:
    """``images/``, ``boxes.json`` and ``referring.jsonl``; ``changes``: fields to replace in every row."""
    write_objects(root)
    lines = [json.dumps({**row, **changes}) for row in written_rows()]
    (root / "referring.jsonl").write_text("\n".join(lines) + "\n")
    return root


def entries(root: Path, indices=range(5), margin: float | None = 0.25) -> BoxColumns:
    """The columns for the sentences of a folder or file."""
    names = tuple(f"images/p{i}.png" for i in indices)
    rows = read_expressions(root).rows
    return BoxColumns.of_sentences(names, np.array([SIZE] * len(names), np.int32), rows, margin=margin)


def truths(indices=range(5)) -> list[np.ndarray]:
    """(H, W) bool mask of every sentence, in the order of the entries; empty without a target."""
    return [
        np.zeros(SIZE, bool) if which is None else truth_of(image)[which][1]
        for i in indices
        for image, which, sentences, _, _ in ROWS
        for _ in sentences
        if image == i
    ]


def write_entries(
    path: Path,
    root: Path,
    kind: str = "selection",
    change: Callable[[int, np.ndarray], np.ndarray] = lambda _, mask: mask,
    *,
    indices=range(5),
    failed: tuple[int, ...] = (),
    margin: float | None = None,
    sentences: Path | None = None,
    **header_fields,
) -> Path:
    """A file with the mask of every sentence: ``change(number of the entry, true mask)``."""
    found = entries(sentences or root, indices, margin)
    fields = found.mask_fields() if kind == "mask" else found.header_fields()
    header = store.new_header(
        kind,
        stage={"selection": "predict", "contour": "contour", "mask": "pseudo-mask"}[kind],
        **{
            "params": {},
            "inputs": [store.Input("data", {"fingerprint": "stat:" + "0" * 32}, str(root))],
            "image_root": root,
            **header_fields,
        },
        **fields,
    )
    masks = [change(k, mask) for k, mask in enumerate(truths(indices))]
    with store.create(header, path, max_failed=99) as writer:
        for i in range(len(found)):
            rows = found.rows(i)
            if i in failed:
                writer.fail("made to fail")
                continue
            pieces = [np.zeros(0)]
            for row in rows:
                x0, y0, x1, y1 = found.columns["window"][row]
                pieces.append(masks[row][y0:y1, x0:x1].reshape(-1))
            tails = {"score": [0.5 + 0.01 * row for row in rows], "fallback": [0] * len(rows)}
            known = {"selection": tails, "contour": {"score": tails["score"]}, "mask": {}}[kind]
            writer.write(np.concatenate(pieces), **known)
    return path
