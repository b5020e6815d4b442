"""Referring segmentation from boxes against the same network on true masks, over several seeds.

    python reproduction/referring.py --work FOLDER [DATA] [--seeds 0 1 2] [--cotrained 0] [--greedy]

Per seed, with one schedule: the twin learns from true masks, the chain from boxes: GrabCut in each box or,
with ``--greedy``, learned outlines that choose proposals. For the seeds of ``--cotrained`` two networks learn
from the masks of the chain by co-training as well. Prints overall IoU, mean IoU and Prec@.5 of the test
sentences with intervals over seeds, each network's own score with sentences about other images, and the share
of the twin. Results of finished steps are kept in ``--work``. Without DATA the scenes are drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures import picture
from steps import Steps
from tables import slug, spread, table

TWIN, GRABCUT, GREEDY = "true masks", "GrabCut in boxes", "outlines, greedy selection"
COTRAINED = ", co-training"
OUTLINES = ("tightness=1", "zero=0.05")


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
    noise_rate: str = "0.02"

    def network(self, masks: str, seed: str) -> Path:
        """Train a network on one kind of masks; two that teach each other if ``COTRAINED`` ends its name."""
        if masks == TWIN:
            return self.trained(f"twin-{seed}", self.data, ("--split", "train"), seed)
        own: tuple[str | Path, ...] = ("--images", self.data)
        if masks.endswith(COTRAINED):
            own += ("--method", "coteaching", "--noise-rate", self.noise_rate)
        selection = self.selection(masks.removesuffix(COTRAINED), seed)
        return self.trained(f"{slug(masks)}-{seed}", selection, own, seed)

    def trained(self, name: str, source: Path, own: Sequence[str | Path], seed: str) -> Path:
        """Train on the masks of a data folder or of a selection."""
        schedule = ("--epochs", self.epochs, "--optimizer", "adamw", "--weight-decay", "0.01")
        return self.steps.make(f"{name}.pth", "cotrain", source, *own, *schedule, *self.common(seed))

    def common(self, seed: str) -> tuple[str, ...]:
        """The part of the schedule that all trainings share."""
        return (
            *("--arch", self.arch, "--crop-size", self.size, "--lr", "0.004", "--clip", "5", "--ema", "0.99"),
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
            *self.common(seed),
        )
        given = (self.data, "--split", "train", "--weights", weights, "--workers", "0", "--quiet")
        return self.steps.make(f"{name}-{seed}.h5", "contour", *given)

    def selection(self, masks: str, seed: str) -> Path:
        """One mask per training sentence: GrabCut in its box, or proposals chosen by its outline."""
        if masks == GRABCUT:
            given = ("select", self.data, "--expressions", self.data, "--split", "train")
            return self.steps.make("grabcut.h5", *given, "--method", "grabcut", "--workers", "0", "--quiet")
        return self.chosen(self.contours(seed), f"greedy-{seed}")

    def chosen(self, maps: Path, name: str, guide: str = "contour") -> Path:
        """Masks chosen among proposals by maps."""
        proposals = self.steps.make(
            "proposals.h5", "propose", self.data, "--split", "train", "--workers", "0", "--quiet"
        )
        given = ("select", proposals, "--contour", maps, "--images", self.data, "--set", f"guide={guide}")
        return self.steps.make(f"{name}.h5", *given, "--workers", "0", "--quiet")

    def selected(self, selection: Path) -> dict[str, Any]:
        """Score the masks of the sentences in a file, without shuffled ones."""
        return self.steps.result(f"{selection.stem}.alone.json", "eval", selection, "--json", "--quiet")[
            "rows"
        ][0]

    def predicted(self, weights: Path, *own: str, expressions: Path | None = None) -> Path:
        """Masks of the test sentences, or of those in ``expressions``."""
        tag = "".join(own) + (".shuffled" if expressions else "")
        return self.steps.make(
            f"{weights.stem}{tag}.h5",
            *("predict", self.data, "--expressions", expressions or self.data, "--split", "test"),
            *("--weights", weights, *own, "--workers", "0", "--quiet"),
        )

    def score(self, masks: str, seed: str, *own: str) -> dict[str, Any]:
        """Score the masks of the test sentences, beside those of shuffled ones."""
        weights = self.network(masks, seed)
        shuffled = self.steps.make(
            "shuffled.jsonl", "import", "--expressions", self.data, "--images", self.data, "--shuffle", "0"
        )
        found, blind = self.predicted(weights, *own), self.predicted(weights, *own, expressions=shuffled)
        words = ("eval", found, "--shuffled", blind, "--json", "--quiet")
        return self.steps.result(f"{found.stem}.json", *words)["rows"][0]


def score_table(on: Referring, masks: Sequence[str], seeds: Sequence[str], cotrained: Sequence[str]) -> str:
    rows = [_row(TWIN, [on.score(TWIN, seed) for seed in seeds], on, seeds)]
    for name in masks:
        rows.append(_row(name, [on.score(name, seed) for seed in seeds], on, seeds))
        both = name + COTRAINED
        for title, own in ((f"{both}, first network", ()), (f"{both}, both networks", ("--ensemble",))):
            rows.append(_row(title, [on.score(both, seed, *own) for seed in cotrained], on, cotrained))
    head = ("masks learned from", "overall IoU", "mean IoU", "Prec@.5", "shuffled", "gain", "of the twin")
    return table(head, rows)


def _row(title: str, runs: Sequence[dict[str, Any]], on: Referring, seeds: Sequence[str]) -> tuple[str, ...]:
    twins = [on.score(TWIN, seed) for seed in seeds]
    blind = [run["baselines"]["shuffled sentences"] for run in runs]
    return (
        title,
        *(spread([run[key] for run in runs]) for key in ("overall_iou", "mean_iou", "prec_50")),
        spread([one["overall_iou"] for one in blind]),
        spread([share(run, one) for run, one in zip(runs, blind, strict=True)]),
        spread([share(run, twin) for run, twin in zip(runs, twins, strict=True)]),
    )


def share(run: dict[str, Any], other: dict[str, Any]) -> float:
    """Return the overall IoU of a run as a multiple of that of another; not a number if that is 0."""
    return run["overall_iou"] / (other["overall_iou"] or float("nan"))


def selection_table(on: Referring, masks: Sequence[str], seeds: Sequence[str]) -> str:
    rows = []
    for name in masks:
        runs = [on.selected(on.selection(name, seed)) for seed in (seeds if name == GREEDY else seeds[:1])]
        rows.append(
            (name, *(spread([run[key] for run in runs]) for key in ("overall_iou", "mean_iou", "prec_50")))
        )
    return table(("training masks", "overall IoU", "mean IoU", "Prec@.5"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"])
    parser.add_argument(
        "--cotrained", nargs="+", default=["0"], help="seeds of the co-training, which is slow"
    )
    parser.add_argument("--greedy", action="store_true", help="also learn from outlines and proposals")
    args = parser.parse_args()
    on, masks = experiment(args), (GRABCUT, *([GREEDY] if args.greedy else []))
    print(score_table(on, masks, args.seeds, args.cotrained))
    print(selection_table(on, masks, args.seeds))
    shown = [f"{name}={on.predicted(on.network(name, args.seeds[0]))}" for name in (TWIN, GRABCUT)]
    print(picture(on.steps, "referring", shown, on.data))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that the experiments on sentences share."""
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--count", default="6000", help="scenes to draw")
    parser.add_argument("--arch", default="bcam-tiny")
    parser.add_argument("--size", default="64")
    parser.add_argument("--epochs", default="3")
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
