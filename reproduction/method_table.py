"""The method table: seeds x refiners x segmenters on msrc21, as one page with a strip of six images.

    python reproduction/method_table.py [--work .reproduction] [--page docs/method-table.md]

``WSSTOOL_TEST_DATA`` names the folder with ``data/msrc21`` and ``data/weights/mobilenet_v2_imagenet1k.pth``;
neither may be redistributed with this program. Finished steps stay in the work folder, and a second run
computes only what is missing. All of it takes some hours on one core; ``--part`` and ``--every`` do less.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pictures import picture
from steps import Steps
from tables import slug

ROOT = Path(__file__).parents[1]
THREE_SCALES = ("--scale", "1", "--scale", "1.5", "--scale", "2")
SEEDS = {
    "cam, three scales": ("--method", "cam", *THREE_SCALES),
    "cam, one scale": ("--method", "cam", "--scale", "1"),
    "gradcam++, three scales": ("--method", "gradcam++", *THREE_SCALES),
    "layercam, three scales": ("--method", "layercam", *THREE_SCALES),
    "scorecam of 16 channels": ("--method", "scorecam", "--set", "top_channels=16", "--scale", "1"),
}
FIRST = "cam, three scales"
REFINERS = {
    "none": (),
    "crf deeplab": ("--refine", "crf", "--set", "preset=deeplab", "--set", "logit_scale=4"),
    "crf irn": ("--refine", "crf", "--set", "preset=irn", "--set", "logit_scale=4"),
    "crf tissue": (
        *("--refine", "crf", "--set", "preset=tissue", "--set", "steps=5"),
        *("--set", "logit_scale=4"),
    ),
    "crf irn, labels": ("--refine", "crf", "--set", "preset=irn", "--set", "unary=labels"),
    "random-walk": ("--refine", "random-walk"),
    "pamr": ("--refine", "pamr"),
}
CRF = ("--refine", "crf", "--set", "preset=irn", "--set", "logit_scale=4")
GUIDED = {  # these read proposals of the images, or features of the start weights
    "regions": ("--refine", "regions"),
    "regions, crf irn": ("--refine", "regions", *CRF),
    "regions sepl": ("--refine", "regions", "--set", "vote=sepl"),
    "regions sepl, crf irn": ("--refine", "regions", "--set", "vote=sepl", *CRF),
    "affinity": ("--refine", "affinity"),
    "affinity, crf irn": ("--refine", "affinity", *CRF),
}
ROUNDS = {
    name: own for name, own in REFINERS.items() if name != "crf irn, labels"
}  # of a segmenter's answers
OF_ANSWERS = {  # probabilities of a segmenter need no scale
    "none": (),
    "crf deeplab": ("--refine", "crf", "--set", "preset=deeplab"),
    "crf irn": ("--refine", "crf", "--set", "preset=irn"),
    "random-walk": ("--refine", "random-walk"),
    "pamr": ("--refine", "pamr"),
}
TWO_PASSES = ("--refine", "crf", "--set", "preset=irn", "--set", "unary=labels")
ON_BACKGROUND = {
    "none, threshold auto": ("--background-threshold", "auto"),
    "crf irn, threshold auto": (*REFINERS["crf irn"], "--background-threshold", "auto"),
    "random-walk, threshold auto": ("--refine", "random-walk", "--background-threshold", "auto"),
    "pamr, threshold auto": ("--refine", "pamr", "--background-threshold", "auto"),
    "crf irn, labels, one pass at 0.3": (*TWO_PASSES, "--background-threshold", "0.3"),
    "crf irn, labels, two passes at 0.3 and 0.05": (
        *TWO_PASSES,
        *("--background-threshold", "0.3", "--background-threshold-low", "0.05"),
    ),
}
SEGMENTERS = {"linear (recipe tags)": "tags", "pyramid (recipe masks)": "masks"}
PARTS = ("refiners", "seeds", "objects", "segmenters", "second-round", "drawn")
QUIET = ("--quiet", "--workers", "0")


class Table:
    """Rows of Markdown."""

    def __init__(self, *columns: str) -> None:
        self.lines = ["| " + " | ".join(columns) + " |", "| --- |" + " ---: |" * (len(columns) - 1)]

    def add(self, *cells: str) -> None:
        self.lines.append("| " + " | ".join(cells) + " |")

    def __str__(self) -> str:
        return "\n".join(self.lines)


def miou(result: dict[str, Any]) -> str:
    row = result["rows"][0]
    return f"{short(row['miou'])} ({short(row['interval']['low'])} to {short(row['interval']['high'])})"


def short(value: float) -> str:
    return f"{value:.3f}"


class Msrc21:
    """The chain on msrc21; one method per part of the page returns its Markdown."""

    def __init__(self, steps: Steps, data: Path, init: Path, seeds: Sequence[str], every: int) -> None:
        self.steps, self.data, self.init = steps, data, init
        self.seeds, self.every = seeds, every

    def refiners(self) -> str:
        """Pseudo-masks of all training images; every pixel belongs to a tagged class."""
        table = Table("refiner", "mIoU")
        for refiner in (*REFINERS, *GUIDED):
            path = self.masks(FIRST, refiner, "train")
            result = self.steps.result(f"{path.stem}.eval.json", "eval", path, "--json")
            table.add(refiner, miou(result))
        blind = short(result["rows"][0]["blind"]["miou"])
        return f"{table}\n\nBlind, each image filled with its first tag: {blind}."

    def seeds_by_refiners(self) -> str:
        """The same with other class maps, for every n-th image."""
        names = (self.data / "splits/train.txt").read_text().split()[:: self.every]
        split = self.steps.folder / f"every-{self.every}.txt"
        split.write_text("\n".join(names) + "\n")
        table = Table("mIoU", "maps, seconds per image", *REFINERS)
        spent: dict[str, list[float]] = {refiner: [] for refiner in REFINERS}
        for seed in self.seeds:
            of = "train" if seed == FIRST else split  # of the first there are all
            count = len(names) if seed != FIRST else len(names) * self.every
            scores = []
            for refiner in REFINERS:
                path = self.masks(seed, refiner, of)
                result = self.steps.result(
                    f"{path.stem}-every-{self.every}.eval.json", "eval", path, "--split", split, "--json"
                )
                scores.append(short(result["rows"][0]["miou"]))
                spent[refiner].append(self.seconds(path, count))
            table.add(seed, f"{self.seconds(self.maps(seed, of), count):.2f}", *scores)
        table.add("seconds per image, median", "", *(f"{np.median(one):.2f}" for one in spent.values()))
        return f"{table}\n\n{len(names)} images."

    def classifier(self, name: str, *own: str | Path) -> Path:
        return self.steps.make(
            name,
            *("train-cls", self.data, *own, "--split", "train", "--init", self.init, "--recipe", "tags"),
            *QUIET,
        )

    def maps(self, seed: str, split: str | Path) -> Path:
        name = f"cams-{slug(seed)}" + ("" if split == "train" else f"-{Path(split).stem}")
        weights = self.classifier("cls.pth")
        return self.steps.make(
            f"{name}.h5",
            *("cam", self.data, "--split", split, "--weights", weights, *SEEDS[seed], *QUIET),
        )

    def masks(self, seed: str, refiner: str, split: str | Path) -> Path:
        cams = self.maps(seed, split)
        own: tuple[str | Path, ...] = REFINERS.get(refiner) or GUIDED.get(refiner, ())
        if "regions" in own:
            own = (*own, "--regions", self.proposals(split))
        if "affinity" in own:
            own = (*own, "--init", self.init, "--arch", "mobilenet-v2")
        return self.steps.make(
            f"{cams.stem.replace('cams', 'masks', 1)}-{slug(refiner)}.h5",
            *("pseudo-mask", cams, "--images", self.data, "--background", "none", *own, *QUIET),
        )

    def proposals(self, split: str | Path) -> Path:
        """Regions of the images, from their colours alone."""
        name = "proposals" if split == "train" else f"proposals-{Path(split).stem}"
        return self.steps.make(f"{name}.h5", "propose", self.data, "--split", split, *QUIET)

    def seconds(self, path: Path, images: int) -> float:
        return self.steps.record(path.name)["seconds"] / images

    def with_background(self) -> str:
        """Pseudo-masks of the training images, with scene classes such as grass and sky as background."""
        classes = self.data / "classes_objects.txt"
        view = ("--labels", self.data / "labels_objects.csv", "--class-list", classes)
        weights = self.classifier("cls-objects.pth", *view)
        cams = self.steps.make(
            "cams-objects.h5",
            *("cam", self.data, *view, "--split", "train", "--weights", weights, *THREE_SCALES, *QUIET),
        )
        truth = ("--truth", self.data / "masks_objects", "--class-list", classes, "--json")
        table = Table("objects on a background", "255 is background", "255 is left out", "seconds per image")
        for title, own in ON_BACKGROUND.items():
            name = f"masks-objects-{slug(title)}"
            path = self.steps.make(f"{name}.h5", "pseudo-mask", cams, "--images", self.data, *own, *QUIET)
            scored = [
                self.steps.result(
                    f"{name}-{how}.eval.json", "eval", path, *truth, "--ignored-prediction", how
                )
                for how in ("background", "skip")
            ]
            table.add(title, *map(miou, scored), f"{self.seconds(path, scored[0]['images']):.2f}")
        return str(table)

    def segmenters(self) -> str:
        """Test images, without tags: networks trained on pseudo-masks and on ground-truth masks."""
        masks = self.masks(FIRST, "crf irn", "train")
        trained = ("trained on pseudo-masks", "trained on ground-truth masks")
        table = Table("segmenter", "refiner", *trained, "ratio")
        for title, recipe in SEGMENTERS.items():
            common = ("--init", self.init, "--recipe", recipe, *QUIET)
            networks = [
                self.steps.make(f"seg-{recipe}.pth", "cotrain", masks, "--images", self.data, *common),
                self.steps.make(f"twin-{recipe}.pth", "cotrain", self.data, "--split", "train", *common),
            ]
            scales = THREE_SCALES if recipe == "tags" else THREE_SCALES[:4]
            answers = [
                self.steps.make(
                    f"test-{path.stem}.h5",
                    *("predict", self.data, "--split", "test", "--probabilities", "--flip"),
                    *("--weights", path, *scales, *QUIET),
                )
                for path in networks
            ]
            for refiner in OF_ANSWERS:
                results = [self._refined(answer, refiner) for answer in answers]
                share = results[0]["rows"][0]["miou"] / results[1]["rows"][0]["miou"]
                table.add(title, refiner, *map(miou, results), f"{100 * share:.0f} %")
        return str(table)

    def second_round(self) -> str:
        """The linear segmenter's predictions on the training images, restricted to their tags."""
        answer = self.steps.make(
            "round2.h5",
            *("predict", self.data, "--split", "train", "--targets", "labels", "--probabilities"),
            *("--weights", self.steps.folder / "seg-tags.pth", *THREE_SCALES, *QUIET),
        )
        table = Table("second round", *OF_ANSWERS)
        table.add("mIoU", *(miou(self._refined(answer, refiner)) for refiner in OF_ANSWERS))
        return str(table)

    def _refined(self, answer: Path, refiner: str) -> dict[str, Any]:
        name = f"{answer.stem}-{slug(refiner)}"
        own = ("--background", "none", *OF_ANSWERS[refiner])
        path = self.steps.make(f"{name}.h5", "pseudo-mask", answer, "--images", self.data, *own, *QUIET)
        return self.steps.result(f"{name}.eval.json", "eval", path, "--json")

    def strip(self) -> Path:
        """Six training images under every refiner."""
        shown = [f"{refiner}={self.masks(FIRST, refiner, 'train')}" for refiner in REFINERS]
        return picture(self.steps, "strip-msrc21", shown, self.data)


def drawn(steps: Steps) -> Path:
    """The strip of the drawn sample set, which may be redistributed."""
    data = steps.make("drawn", "sample", "--count", "200", "--quiet")
    demo = (data, "--recipe", "demo", *QUIET)
    weights = steps.make("drawn-cls.pth", "train-cls", *demo, "--split", "train")
    cams = steps.make("drawn-cams.h5", "cam", *demo, "--split", "test", "--weights", weights)
    shown = []
    for refiner, own in REFINERS.items():
        name = f"drawn-{slug(refiner)}.h5"
        background = ("--background-threshold", "auto")
        path = steps.make(name, "pseudo-mask", cams, "--images", data, *background, *own, *QUIET)
        shown.append(f"{refiner}={path}")
    return picture(steps, "strip-drawn", shown, data)


def write(page: Path, tables: dict[str, str]) -> None:
    """Put each table between the comments of its name."""
    text = page.read_text()
    for name, table in tables.items():
        mark = f"<!-- {name} -->"
        if text.count(mark) != 2:
            sys.exit(f"{page} needs two comments {mark} round the place of that table")
        before, _, after = text.split(mark)
        text = f"{before}{mark}\n{table}\n{mark}{after}"
    page.write_text(text)


def inputs() -> tuple[Path, Path]:
    """Data and start weights."""
    folder = os.environ.get("WSSTOOL_TEST_DATA", "")
    data, init = Path(folder, "data/msrc21"), Path(folder, "data/weights/mobilenet_v2_imagenet1k.pth")
    missing = [str(path) for path in (data, init) if not path.exists()]
    if not folder:
        sys.exit("reproduction: WSSTOOL_TEST_DATA names no folder; it holds data/msrc21 and data/weights")
    if missing:
        sys.exit(f"reproduction: no {' and no '.join(missing)}; WSSTOOL_TEST_DATA is {folder}")
    return data.resolve(), init.resolve()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=ROOT / ".reproduction", help="folder of all outputs")
    parser.add_argument("--page", type=Path, help="page whose tables are written anew; default: print them")
    parser.add_argument("--part", action="append", choices=PARTS, help="repeatable; default: all")
    parser.add_argument("--seed", action="append", choices=tuple(SEEDS), help="repeatable; default: all")
    parser.add_argument("--every", type=int, default=1, help="other seeds: only every n-th image")
    options = parser.parse_args()
    parts = options.part or PARTS
    steps = Steps(options.work.resolve())
    tables: dict[str, str] = {}
    if set(parts) - {"drawn"}:
        chain = Msrc21(steps, *inputs(), options.seed or list(SEEDS), options.every)
        made = {
            "refiners": chain.refiners,
            "seeds": chain.seeds_by_refiners,
            "objects": chain.with_background,
            "segmenters": chain.segmenters,
            "second-round": chain.second_round,
        }
        for part in parts:
            if part in made:
                tables[part] = made[part]()
                print(f"\n## {part}\n\n{tables[part]}", flush=True)
        if "refiners" in parts:
            print(chain.strip())
    if "drawn" in parts:
        print(drawn(steps))
    if options.page:
        write(options.page, tables)


if __name__ == "__main__":
    main()
