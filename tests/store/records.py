"""Small synthetic record files of every kind of the schema, as a stage would write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wsstool import store
from wsstool.types import ClassList

CLASSES = ClassList(("background", "cat", "dog"), 0, ((0, 0, 0), (200, 30, 30), (30, 30, 200)))
KINDS = (
    *("cam", "cam-3-layers", "mask", "contour", "selection", "proposal", "box", "score"),
    *("contour-sentences", "selection-sentences", "mask-sentences"),
)
SENTENCES = ("the red cat", "кот слева 🐈", "x")
ENVIRONMENT = '{"python":"any"}'


@dataclass(frozen=True)
class Example:
    """A header, the data of each record and its tail values; ``None`` as data: a failed image."""

    header: store.Header
    data: list[np.ndarray | None]
    tails: list[dict[str, Any]]

    def __len__(self) -> int:
        return len(self.header)

    def write(self, output: Path | str | None, stop: int | None = None, **options: Any) -> None:
        """Write as a stage does; ``stop``: leave by an exception before that record."""
        options = {"env": ENVIRONMENT, "max_failed": len(self), **options}
        with store.create(self.header, output, **options) as writer:
            for i in range(writer.start, len(self)):
                if i == stop:
                    raise InterruptedError(f"stopped before record {i}")
                if self.data[i] is None:
                    writer.fail("made to fail")
                else:
                    writer.write(self.data[i], **self.tails[i])

    def bytes(self, folder: Path) -> bytes:
        """The complete file."""
        path = folder / f"{self.header.key}.whole.h5"
        self.write(path)
        whole = path.read_bytes()
        path.unlink()
        return whole


def example(
    kind: str = "cam", n: int = 6, *, seed: int = 0, failed: tuple[int, ...] = (), **params: Any
) -> Example:
    """``n`` records of a kind; the second image is unreadable, so that it has size (0, 0) and no elements."""
    r = np.random.default_rng(seed)
    sizes = r.integers(5, 9, (n, 2)).astype(np.int32)
    if n > 1:
        sizes[1] = 0
    readable = sizes.all(1)
    payload = kind.partition("-")[0]
    tails: list[dict[str, Any]] = [{} for _ in range(n)]
    columns: dict[str, np.ndarray] = {}
    attributes: dict[str, Any] = {}
    if payload == "cam":
        layers = ["a", "b", "c"] if kind == "cam-3-layers" else ["features"]
        k = np.where(readable, r.integers(1, 3, n), 0)
        grids = np.stack([-(-sizes // stride) for stride in (1, 2, 4)[: len(layers)]], 1)
        elements = k * grids.prod(2).sum(1)
        shapes = np.stack([np.full(n, len(layers)), k, np.full(n, -1)], 1)
        if len(layers) == 1:
            shapes = np.concatenate([k[:, None], grids[:, 0]], 1)
        columns = {"layer_size": grids, "map_offset": ends(k), "map_class": r.integers(1, 3, k.sum())}
        attributes = {"layers": layers}
        data = [r.random(count, np.float32) for count in elements]
        tails = [{"scale": r.random(len(layers)), "score": r.random(count)} for count in k]
    elif kind == "mask-sentences":
        counts = np.where(readable, r.integers(0, 3, n), 0)
        shapes = np.concatenate([counts[:, None], sizes], 1)
        columns = _sentences(counts, r)
        columns["box"][::2] = np.nan
        data = [r.integers(0, 2, shape).astype(np.uint8) for shape in shapes]
        elements, attributes = shapes.prod(1), {"layers": ["sentences"]}
    elif payload == "mask":
        shapes = np.concatenate([np.ones((n, 1), int), sizes], 1)
        data = [r.integers(0, 3, shape).astype(np.uint8) for shape in shapes]
        elements, attributes = shapes.prod(1), {"layers": ["mask"]}
    elif payload in ("contour", "selection"):
        b = np.where(readable, r.integers(0, 3, n), 0)
        height = r.integers(1, 5, b.sum())
        window = np.stack([np.zeros_like(height), np.zeros_like(height), height, np.full_like(height, 3)], 1)
        columns = {
            "box_offset": ends(b),
            "box": window + 0.25,
            "box_class": r.integers(1, 3, b.sum()),
            "box_id": np.arange(b.sum()) + (1 << 40),
            "window": window,
        }
        if kind.endswith("-sentences"):
            columns["sentence"] = _sentences(b, r)["sentence"]
        elements = np.diff(ends(height * 3)[ends(b)])
        shapes = np.stack([b, np.full(n, -1), np.full(n, -1)], 1)
        data = [
            r.integers(0, 2, count) if payload == "selection" else r.random(count, np.float32)
            for count in elements
        ]
        tails = [{"score": r.random(count)} for count in b]
        if payload == "selection":
            tails = [{**tail, "fallback": tail["score"] > 0.5} for tail in tails]
    elif payload == "proposal":
        rows = 4
        elements = np.where(readable, sizes.prod(1) + 3 * rows, 0)
        shapes = np.concatenate([sizes, np.full((n, 1), -1)], 1)
        data = [r.integers(0, 99, count).astype(np.uint16) for count in elements]
        attributes = {"max_proposals": rows}
    elif payload == "score":
        conditions = ["clean 0", "fog 1", "fog 3"]
        shapes = np.tile([len(conditions), len(CLASSES), 3], (n, 1))
        elements, attributes = shapes.prod(1), {"conditions": conditions, "measure": "pixels"}
        data = [r.integers(0, 50, shape).astype(np.int32) for shape in shapes]
    else:
        names = ["x0", "y0", "x1", "y1", "score", "class"]
        rows = np.where(readable, r.integers(0, 4, n), 0)
        rows[list(failed)] = 0
        shapes = np.stack([np.ones(n, int), rows, np.full(n, len(names))], 1)
        elements, attributes = shapes.prod(1), {"columns": names}
        data = [r.random(shape, np.float32) for shape in shapes]
    header = store.new_header(
        payload,
        stage="made-up",
        params={"kind": kind, "seed": seed, **params},
        inputs=[store.Input("data", {"fingerprint": "0" * 32}, "data")],
        images=[f"b/{i:06d}-ü.jpg" for i in range(n)],
        sizes=sizes,
        shapes=shapes,
        elements=elements,
        classes=CLASSES,
        labels=np.concatenate([np.zeros((n, 1), int), r.integers(0, 2, (n, 2))], 1),
        image_root="data",
        columns=columns,
        attributes=attributes,
    )
    good = [None if i in failed or not readable[i] else one for i, one in enumerate(data)]
    return Example(header, good, tails)


def _sentences(counts: np.ndarray, r: np.random.Generator) -> dict[str, np.ndarray]:
    """The box columns of a mask file with sentences."""
    total = int(counts.sum())
    corner = r.integers(0, 3, (total, 2))
    return {
        "box_offset": ends(counts),
        "box": np.concatenate([corner, corner + 2], 1).astype(np.float32),
        "box_class": r.integers(1, 3, total),
        "box_id": np.arange(total) // 2,
        "sentence": store.text_column([SENTENCES[k % len(SENTENCES)] for k in range(total)]),
    }


def ends(counts: np.ndarray) -> np.ndarray:
    """Offsets of pieces of these lengths, beginning with 0."""
    return np.concatenate([[0], np.cumsum(counts)])


def read(source: object) -> tuple[store.Header, list[store.Record], dict[str, np.ndarray]]:
    """Everything that a file holds."""
    with store.open_records(source) as reader:
        records = list(reader.records())
        return reader.header, records, reader.tail
