"""What token labels are worth: a class-only network, a labeler and two students, on drawn or real images.

    python reproduction/token_labels.py --work FOLDER [DATA] [--seeds 0 1 2] [--epochs N] [--negatives]
        [--train "OPTIONS of train-cls"]

Four networks per seed, with one schedule: the class token alone (its token head reads the finished tokens
and trains nothing else: the stopped gradient of the paper), a labeler, and students of that labeler by Gumbel
and by soft labels. Prints two tables in Markdown: clean and robust accuracy, and the masks that the maps of
each network give on the test images at their best threshold. Results of finished steps are kept in
``--work``. Without DATA the images are drawn.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pictures import picture
from steps import Steps
from tables import slug, spread, table

from wsstool.models.weights import load_weights, save_weights

CLASS_ONLY, LABELER = "class token only", "labeler"
STUDENTS = {"student, Gumbel labels": "gumbel", "student, soft labels": "soft"}
NETWORKS = (CLASS_ONLY, LABELER, *STUDENTS)
BY_CLASS_HEAD = "tokens by the class head"
MAPS = {
    "token probabilities": ("--method", "token"),
    "token logits": ("--method", "token", "--set", "values=logits"),
    BY_CLASS_HEAD: ("--method", "token"),
    "Grad-CAM": ("--method", "gradcam"),
}


@dataclass(frozen=True)
class Experiment:
    """The networks of one data folder.

    Attributes:
        steps: runs the commands.
        data: folder with tags and the splits train, val and test; masks if maps are scored.
        schedule: options of ``train-cls`` that all networks share; ``{seed}`` in them is the seed.
        severities: of the corruptions.
    """

    steps: Steps
    data: Path
    schedule: Sequence[str]
    severities: Sequence[str]

    def network(self, name: str, seed: str) -> Path:
        """Train a network; a student after its labeler."""
        own: tuple[str | Path, ...] = ("--token-head",)
        if name == CLASS_ONLY:
            own = ("--token-head", "--no-token-gradient")
        if name in STUDENTS:
            teacher = self.network(LABELER, seed)
            own = ("--token-head", "--teacher", teacher, "--token-labels", STUDENTS[name])
        return self.steps.make(
            f"{slug(name)}-{seed}.pth",
            *("train-cls", self.data, "--split", "train", "--val-split", "val"),
            *(word.format(seed=seed) for word in self.schedule),
            *own,
            *("--seed", seed, "--quiet"),
        )

    def robustness(self, name: str, seed: str) -> dict[str, Any]:
        """Clean and robust score on the test images."""
        severities = [word for one in self.severities for word in ("--severity", one)]
        return self.steps.result(
            f"{slug(name)}-{seed}.robustness.json",
            *("robustness", self.data, "--split", "test", "--weights", self.network(name, seed)),
            *severities,
            *("--score", "class", "--workers", "0", "--quiet", "--json"),
        )

    def mask_score(self, name: str, maps: str, seed: str) -> float:
        """mIoU of the test images at the best threshold on the maps of a network."""
        cams = self.maps(name, maps, seed)
        found = self.steps.result(f"{cams.stem}.json", "eval", cams, "--sweep", "--json", "--quiet")
        return float(found["rows"][0]["sweep"]["miou"])

    def maps(self, name: str, maps: str, seed: str) -> Path:
        """Class maps of the test images."""
        weights = self.network(name, seed)
        if maps == BY_CLASS_HEAD:
            weights = class_head_on_tokens(weights)
        words = ("cam", self.data, "--split", "test", "--weights", weights, *MAPS[maps])
        return self.steps.make(f"{slug(name)}-{seed}.{slug(maps)}.h5", *words, "--workers", "0", "--quiet")

    def strips(self, seed: str) -> Path:
        """Six test images with the maps of the labeler and of the class token alone."""
        chosen = {
            "tokens by class head": (CLASS_ONLY, BY_CLASS_HEAD),
            "stopped gradient": (CLASS_ONLY, "token logits"),
            "labeler": (LABELER, "token logits"),
            "labeler, Grad-CAM": (LABELER, "Grad-CAM"),
        }
        shown = [f"{caption}={self.maps(name, maps, seed)}" for caption, (name, maps) in chosen.items()]
        return picture(self.steps, "token-labels", shown, self.data)


def class_head_on_tokens(weights: Path) -> Path:
    """Write the network with its class head in place of the token head, which it then never had."""
    found = load_weights(weights)
    state = dict(found.state_dict)
    for leaf in ("weight", "bias"):
        state[f"head.aux_head.{leaf}"] = state[f"head.head.{leaf}"]
    path = weights.with_suffix(".class-head.pth")
    save_weights(path, state, found.meta)
    return path


def robustness_table(experiment: Experiment, seeds: Sequence[str]) -> str:
    rows = []
    for name in NETWORKS:
        runs = [experiment.robustness(name, seed) for seed in seeds]
        rows.append((name, *(spread([run[key] for run in runs]) for key in ("clean", "robust", "retention"))))
    return table(("network", "clean", "robust", "retention"), rows)


def mask_table(experiment: Experiment, seeds: Sequence[str]) -> str:
    rows = [
        (name, *(spread([experiment.mask_score(name, maps, seed) for seed in seeds]) for maps in MAPS))
        for name in NETWORKS
    ]
    return table(("network", *MAPS), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", default=["0", "1", "2"])
    parser.add_argument("--epochs", default="12")
    parser.add_argument("--image-size", default="128")
    parser.add_argument("--batch-size", default="32")
    parser.add_argument("--severity", nargs="+", default=["3"])
    parser.add_argument("--negatives", action="store_true", help="images without a tag are negatives")
    parser.add_argument("--train", default="", help="further options of train-cls; '{seed}' is replaced")
    parser.add_argument("--no-masks", action="store_true", help="skip the scores of the maps")
    args = parser.parse_args()
    steps = Steps(args.work)
    if (data := args.data) is None:
        data = steps.make("drawn", "sample", "--count", "2000", "--seed", "11", "--quiet")
    schedule = (
        *("--arch", "fan-micro", "--image-size", args.image_size, "--epochs", args.epochs),
        *("--batch-size", args.batch_size, "--lr", "1e-3", "--warmup-epochs", "2", "--weight-decay", "0.05"),
        *("--color-jitter", "0.2", "--workers", "0"),
        *(["--negatives"] if args.negatives else []),
        *shlex.split(args.train),
    )
    experiment = Experiment(steps, data, schedule, args.severity)
    print(robustness_table(experiment, args.seeds))
    if not args.no_masks:
        print(mask_table(experiment, args.seeds), experiment.strips(args.seeds[0]), sep="\n")


if __name__ == "__main__":
    main()
