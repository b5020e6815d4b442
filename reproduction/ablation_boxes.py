"""What each part of the box recipe adds, on a data folder with boxes and true masks.

    python reproduction/ablation_boxes.py DATA --init mobilenet_v2.pth [--work FOLDER] [--tables NAME ...]

Mean instance IoU of the masks of the training pictures (objects of at least 100 pixels), as a table in
Markdown each. Only the scores read true masks. Every training has the same short schedule (``--epochs``,
``--crop-size``), so rows are compared with each other and not with a full run. What is there and up to date
under ``--work`` is not made again, so that a stopped run goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tables import table

from wsstool.stages.objects.contour import contour
from wsstool.stages.objects.propose import propose
from wsstool.stages.objects.select import select
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.scoring.evaluate import evaluate
from wsstool.stages.train.cotrain import cotrain
from wsstool.stages.train.train_contour import train_contour

FILLED = ("tightness=2", "pairwise=1")
ALONE = ("tightness=1",)
ZERO = (0.0, 0.01, 0.05, 0.25)
LOOSE = (0.0, 0.1, 0.2, 0.3)
SEEDS = (0, 1, 2)
GREEDY_REGION, GREEDY_CONTOUR = ("guide=region",), ("guide=contour",)


@dataclass
class Ablation:
    """A data folder, a place for files, and the schedule that all trainings share."""

    data: Path
    init: Path
    work: Path
    epochs: int
    crop_size: int
    workers: int
    segmenter_epochs: int

    def network(self, name: str, **own: Any) -> Path:
        """Train a contour network; ``own`` are options of ``train_contour``."""
        output = self.work / f"{name}.pth"
        options: dict[str, Any] = {
            "split": "train",
            "init": self.init,
            "ema": 0.99,
            "epochs": self.epochs,
            "crop_size": self.crop_size,
            "workers": self.workers,
        }
        train_contour(self.data, output=output, **{**options, **own})
        return output

    def maps(self, weights: Path, split: str = "train", boxes: Path | None = None) -> Path:
        output = self.work / f"{weights.stem}-{split}.maps.h5"
        contour(
            self.data,
            weights=weights,
            output=output,
            boxes=boxes,
            flip=True,
            split=split,
            workers=self.workers,
        )
        return output

    def proposals(self) -> Path:
        output = self.work / "proposals.h5"
        propose(self.data, output=output, split="train", workers=self.workers)
        return output

    def masks(self, maps: Path, method: str, settings: Sequence[str] = ()) -> Path:
        """The masks of one method; ``greedy`` chooses among proposals."""
        tag = "-".join([method, *settings]).replace("=", "-")
        output = self.work / f"{maps.name.removesuffix('.maps.h5')}.{tag}.h5"
        source = str(self.proposals()) if method == "greedy" else None
        select(
            source,
            contour=str(maps),
            output=output,
            method=method,
            settings=settings,
            images=self.data,
            workers=self.workers,
        )
        return output

    def score(self, masks: Path) -> float:
        """Mean instance IoU of a ``selection`` file against the true masks of the data folder."""
        return float(evaluate([str(masks)], truth=self.data, bootstrap=0)["rows"][0]["instance_miou"])

    def own(self, maps: Path) -> float:
        """The score of the network's map at .5."""
        return self.score(self.masks(maps, "prior"))

    def tested(self, weights: Path, ensemble: bool = False) -> float:
        """mIoU of a segmenter on the test pictures."""
        output = weights.with_suffix(".both.h5" if ensemble else ".h5")
        predict(
            self.data, weights=weights, output=output, split="test", ensemble=ensemble, workers=self.workers
        )
        return float(evaluate([str(output)], truth=self.data, bootstrap=0)["rows"][0]["miou"])


def parts(on: Ablation) -> str:
    """What each part adds."""
    alone = on.maps(on.network("tightness", loss=ALONE))
    first = on.maps(on.network("base", loss=FILLED))
    cut = on.masks(first, "grabcut-map")
    second = on.maps(second_network(on, cut))
    return table(
        ("chain", "IoU"),
        [
            ("filled box", on.score(on.masks(first, "box"))),
            ("ellipse", on.score(on.masks(first, "ellipse"))),
            ("network, tightness alone", on.own(alone)),
            ("network, tightness + pairwise", on.own(first)),
            ("the same, greedy on proposals by region", on.score(on.masks(first, "greedy", GREEDY_REGION))),
            ("the same, grabcut-map", on.score(cut)),
            ("second network on those masks", on.own(second)),
            ("the same, grabcut-map", on.score(on.masks(second, "grabcut-map"))),
        ],
    )


def second_network(on: Ablation, masks: Path) -> Path:
    """The second round: masks of the first one teach."""
    return on.network(
        "second",
        loss=("mask=1", "tightness=.5"),
        selection=masks,
        init=on.work / "base.pth",
        lr=1e-3,
        epochs=on.epochs // 2,
    )


def loose(on: Ablation) -> str:
    """Boxes whose sides lie up to a share of their length too far out."""
    rows = []
    for share in LOOSE:
        boxes = loosened(on.data / "boxes.json", share, on.work) if share else None
        tag = f"loose-{share:g}" if share else "base"
        plain = on.own(on.maps(on.network(tag, loss=FILLED, boxes=boxes), boxes=boxes))
        slack: float | None = None
        if share:
            weights = on.network(f"{tag}-slack", loss=FILLED, boxes=boxes, box_slack=share / 2)
            slack = on.own(on.maps(weights, boxes=boxes))
        rows.append((f"{share:.0%}", plain, slack))
    return table(("outwards, up to", "as they are", "`--box-slack` half of it"), rows)


def loosened(source: Path, share: float, work: Path) -> Path:
    """A copy of a COCO box file: each side moved outwards by a share of the box drawn from [0, share]."""
    said = json.loads(source.read_text())
    sizes = {one["id"]: (one["width"], one["height"]) for one in said["images"]}
    rng = np.random.default_rng(0)
    for one in said["annotations"]:
        x, y, w, h = one["bbox"]
        left, top, right, bottom = share * rng.random(4)
        width, height = sizes[one["image_id"]]
        x0, y0 = max(0.0, x - left * w), max(0.0, y - top * h)
        x1, y1 = min(float(width), x + w + right * w), min(float(height), y + h + bottom * h)
        one["bbox"] = [x0, y0, x1 - x0, y1 - y0]
        one.pop("segmentation", None)
    output = work / f"boxes-{share:g}.json"
    output.write_text(json.dumps(said))
    return output


def zero(on: Ablation) -> str:
    """The weight of the zero constraint: maps become outlines, which the published selection follows."""
    rows = []
    for weight in ZERO:
        losses = ("tightness=1", f"zero={weight:g}") if weight else ALONE
        maps = on.maps(on.network(f"zero-{weight:g}" if weight else "tightness", loss=losses))
        rows.append(
            (
                f"{weight:g}",
                on.own(maps),
                on.score(on.masks(maps, "greedy", GREEDY_CONTOUR)),
            )
        )
    return table(("lambda", "map at 0.5", "greedy by contour"), rows)


def seeds(on: Ablation) -> str:
    """The same training from other random numbers."""
    names = {seed: f"seed-{seed}" if seed else "base" for seed in SEEDS}
    scores = [on.own(on.maps(on.network(names[seed], loss=FILLED, seed=seed))) for seed in SEEDS]
    rows: list[tuple[object, ...]] = list(zip(SEEDS, scores, strict=True))
    return table(("seed", "IoU"), [*rows, ("standard deviation", float(np.std(scores, ddof=1)))])


def rates(on: Ablation) -> str:
    """A segmenter on the masks, with and without co-training; mIoU of the test pictures."""
    cut = on.masks(on.maps(on.network("base", loss=FILLED)), "grabcut-map")
    labels = on.work / "labels.h5"
    pseudo_mask(str(cut), output=labels, images=on.data, workers=on.workers)
    wrong = 1 - float(evaluate([str(labels)], truth=on.data, bootstrap=0)["rows"][0]["pixel_accuracy"])
    rows: list[tuple[object, ...]] = []
    for name, source, method, rate in (
        ("plain", str(labels), "plain", 0.0),
        ("co-training, published rate 0.1", str(labels), "coteaching", 0.1),
        (f"co-training, actual rate {wrong:.3f}", str(labels), "coteaching", wrong),
        ("ground-truth masks", on.data, "plain", 0.0),
        ("ground-truth masks, co-training, rate 0.1", on.data, "coteaching", 0.1),
    ):
        weights = on.work / f"segmenter-{len(rows)}.pth"
        cotrain(
            source,
            output=weights,
            images=None if source is on.data else on.data,
            split="train" if source is on.data else None,
            method=method,
            noise_rate=rate or "auto",
            init=on.init,
            arch="lraspp-mobilenet-v2",
            crop_size=160,
            epochs=on.segmenter_epochs,
            workers=on.workers,
        )
        one = on.tested(weights)
        both = on.tested(weights, ensemble=True) if method == "coteaching" else None
        rows.append((name, one, both))
    return table(("", "first network", "both"), rows)


TABLES: dict[str, Callable[[Ablation], str]] = {
    "parts": parts,
    "seeds": seeds,
    "loose": loose,
    "lambda": zero,
    "rates": rates,
}


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description="What each part of the box recipe adds.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--init", type=Path, required=True, help="an ImageNet MobileNetV2")
    parser.add_argument("--work", type=Path, default=Path("ablation"))
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--crop-size", type=int, default=96)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--segmenter-epochs", type=int, default=40)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    on = Ablation(
        given.data,
        given.init,
        given.work,
        given.epochs,
        given.crop_size,
        given.workers,
        given.segmenter_epochs,
    )
    for name in given.tables:
        print(f"\n{name}: {TABLES[name].__doc__}\n\n{TABLES[name](on)}", flush=True)


if __name__ == "__main__":
    main()
