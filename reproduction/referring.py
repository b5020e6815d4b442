"""Referring segmentation from boxes against the same network on true masks, over several seeds.

    python reproduction/referring.py --work FOLDER [DATA] [--seeds 0 1 2] [--count N] [--views N]

Per seed, with one schedule: the twin learns from true masks, the chain from boxes (outlines, selection,
co-training of two networks). Prints overall IoU, mean IoU and Prec@.5 on the test sentences with intervals
over seeds, each network's own score with sentences about other images, and the shares that the project aims
at. Results of finished steps are kept in ``--work``. Without DATA the scenes are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures import picture
from steps import Steps
from tables import spread, table

TWIN, CHAIN, BOTH = "true masks", "boxes, first network", "boxes, both networks"
NETWORKS = (TWIN, CHAIN, BOTH)
OUTLINES = ("tightness=1", "zero=0.05")
GUIDE = "region"


@dataclass(frozen=True)
class Referring:
    """The networks of one data folder.

    Attributes:
        steps: runs the commands.
        data: folder with images, sentences, boxes and masks, and the splits train and test.
        arch: of every network.
        size: side of the images that networks see, pixels.
        epochs: passes over the sentences of ``cotrain``.
        views: sentences that ``train-contour`` sees.
        noise_rate: of the co-training.
    """

    steps: Steps
    data: Path
    arch: str
    size: str
    epochs: str
    views: str
    noise_rate: str = "0.05"

    def network(self, name: str, seed: str) -> Path:
        """Train a network that reads sentences."""
        if name == TWIN:
            return self.trained(f"twin-{seed}", self.data, ("--split", "train"), seed)
        own = ("--images", self.data, "--method", "coteaching", "--noise-rate", self.noise_rate)
        return self.trained(f"chain-{seed}", self.selection(seed), own, seed)

    def trained(self, name: str, source: Path, own: Sequence[str | Path], seed: str) -> Path:
        """Train on the masks of a data folder or of a selection."""
        schedule = ("--epochs", self.epochs, "--optimizer", "adamw", "--weight-decay", "0.01")
        return self.steps.make(f"{name}.pth", "cotrain", source, *own, *schedule, *self.common(seed, "0.004"))

    def common(self, seed: str, lr: str) -> tuple[str, ...]:
        """The part of the schedule that all trainings share."""
        return (
            *("--arch", self.arch, "--crop-size", self.size, "--lr", lr, "--clip", "5", "--ema", "0.99"),
            *("--batch-size", "32", "--sentences-per-image", "4", "--workers", "0"),
            *("--seed", seed, "--quiet"),
        )

    def contours(self, seed: str, losses: Sequence[str] = OUTLINES, name: str = "contour") -> Path:
        """Maps of the training sentences, by a network that learned from boxes alone."""
        words = [word for loss in losses for word in ("--loss", loss)]
        weights = self.steps.make(
            f"{name}-{seed}.pth",
            *("train-contour", self.data, "--split", "train", "--views", self.views),
            *words,
            *self.common(seed, "0.004"),
        )
        given = (self.data, "--split", "train", "--weights", weights, "--workers", "0", "--quiet")
        return self.steps.make(f"{name}-{seed}.h5", "contour", *given)

    def selection(self, seed: str, guide: str = GUIDE, contours: Path | None = None) -> Path:
        """One mask per training sentence, chosen among proposals."""
        maps = contours or self.contours(seed)
        proposals = self.steps.make(
            "proposals.h5", "propose", self.data, "--split", "train", "--workers", "0", "--quiet"
        )
        return self.steps.make(
            f"{maps.stem}.{guide}.selection.h5",
            *("select", proposals, "--contour", maps, "--images", self.data, "--set", f"guide={guide}"),
            *("--workers", "0", "--quiet"),
        )

    def selected(self, selection: Path) -> dict[str, Any]:
        """Score the masks of the training sentences."""
        return self.steps.result(f"{selection.stem}.json", "eval", selection, "--json", "--quiet")["rows"][0]

    def predicted(self, weights: Path, *own: str, expressions: Path | None = None) -> Path:
        """Masks of the test sentences, or of those in ``expressions``."""
        tag = "".join(own) + (".shuffled" if expressions else "")
        return self.steps.make(
            f"{weights.stem}{tag}.h5",
            *("predict", self.data, "--expressions", expressions or self.data, "--split", "test"),
            *("--weights", weights, *own, "--workers", "0", "--quiet"),
        )

    def score(self, name: str, seed: str) -> dict[str, Any]:
        """Score the masks of the test sentences, beside those of shuffled ones."""
        weights, own = self.network(name, seed), ("--ensemble",) if name == BOTH else ()
        shuffled = self.steps.make(
            "shuffled.jsonl", "import", "--expressions", self.data, "--images", self.data, "--shuffle", "0"
        )
        found, blind = self.predicted(weights, *own), self.predicted(weights, *own, expressions=shuffled)
        words = ("eval", found, "--shuffled", blind, "--json", "--quiet")
        return self.steps.result(f"{found.stem}.json", *words)["rows"][0]


def score_table(on: Referring, seeds: Sequence[str]) -> str:
    rows = []
    for name in NETWORKS:
        runs = [on.score(name, seed) for seed in seeds]
        blind = [run["baselines"]["shuffled sentences"] for run in runs]
        twins = [on.score(TWIN, seed) for seed in seeds]
        rows.append(
            (
                name,
                *(spread([run[key] for run in runs]) for key in ("overall_iou", "mean_iou", "prec_50")),
                spread([one["overall_iou"] for one in blind]),
                spread([share(run, one) for run, one in zip(runs, blind, strict=True)]),
                spread([share(run, twin) for run, twin in zip(runs, twins, strict=True)]),
            )
        )
    head = ("masks learned from", "overall IoU", "mean IoU", "Prec@.5", "shuffled", "gain", "of the twin")
    return table(head, rows)


def share(run: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the overall IoU of a run as a multiple of that of another; not a number if that is 0."""
    return run["overall_iou"] / (other["overall_iou"] or float("nan"))


def selection_table(on: Referring, seeds: Sequence[str]) -> str:
    runs = [on.selected(on.selection(seed)) for seed in seeds]
    row = [spread([run[key] for run in runs]) for key in ("overall_iou", "mean_iou", "prec_50")]
    return table(("training masks", "overall IoU", "mean IoU", "Prec@.5"), [("selected from boxes", *row)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"])
    args = parser.parse_args()
    on = experiment(args)
    print(score_table(on, args.seeds), selection_table(on, args.seeds), sep="\n\n")
    shown = {name: on.predicted(on.network(name, args.seeds[0])) for name in (TWIN, CHAIN)}
    print(picture(on.steps, "referring", [f"{name}={path}" for name, path in shown.items()], on.data))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that the experiments on sentences share."""
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", default="6000", help="scenes to draw")
    parser.add_argument("--arch", default="bcam-tiny")
    parser.add_argument("--size", default="64")
    parser.add_argument("--epochs", default="4")
    parser.add_argument("--views", default="60000")


def experiment(args: argparse.Namespace) -> Referring:
    """Return the experiment of these options; without data the scenes are drawn."""
    steps = Steps(args.work)
    data = args.data or steps.make(
        *("drawn", "sample", "--kind", "referring", "--count", args.count, "--size", args.size, "--quiet")
    )
    return Referring(steps, data, args.arch, args.size, args.epochs, args.views)


if __name__ == "__main__":
    main()
