"""What each part of the chain with sentences adds: losses, selection, co-training, loose boxes, lambda, eta.

    python reproduction/ablation_referring.py --work FOLDER [DATA] [--tables NAME ...] [--seed N]

The tables of Feng et al. (TNNLS 2022) on drawn scenes or on DATA, in Markdown. Tables of maps and selections
score the masks of the training sentences, the others the masks of the test sentences; only the scores read
true masks. All trainings share one short schedule, so rows are compared with each other. Results of finished
steps are kept in ``--work``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from referring import GRABCUT, Referring, add_options, experiment
from tables import slug, table

ETA = ("0", "0.02", "0.05", "0.1", "0.2")
LAMBDA = ("0", "0.01", "0.05", "0.25")
LOOSE = (0.0, 0.1, 0.2, 0.3)
LOSSES = {
    "tightness": ("tightness=1",),
    "projection Dice": ("projection-dice=1",),
    "bags": ("bags=1",),
    "tightness + zero": ("tightness=1", "zero=0.05"),
}


@dataclass(frozen=True)
class Ablation:
    """The experiment and the seed of all its trainings."""

    on: Referring
    seed: str

    def tested(self, name: str, source: Path, *own: str, ensemble: bool = False) -> float:
        """Overall IoU of the test sentences, by a network trained on the masks of a selection."""
        given = ("--images", self.on.data, *own)
        weights = self.on.trained(f"{slug(name)}-{self.seed}", source, given, self.seed)
        found = self.on.predicted(weights, *(["--ensemble"] if ensemble else []))
        return self.selected(found)

    def selected(self, masks: Path) -> float:
        """Overall IoU of the masks of the sentences in a file."""
        return float(self.on.selected(masks)["overall_iou"])

    def filled(self, method: str, expressions: Path | None = None, name: str = "") -> Path:
        """Masks from boxes alone."""
        given = ("--expressions", expressions or self.on.data, "--split", "train", "--method", method)
        return self.on.steps.make(
            f"{method}{name}.h5", "select", self.on.data, *given, "--workers", "0", "--quiet"
        )

    def greedy(self, name: str, losses: Sequence[str], guide: str = "contour") -> Path:
        """Masks chosen among proposals by maps that learned from ``losses``."""
        maps = self.on.contours(self.seed, losses, slug(name))
        return self.on.chosen(maps, f"{slug(name)}-{self.seed}.{guide}", guide)


def losses(of: Ablation) -> str:
    """Box losses: what the selection finds by the maps that they leave."""
    rows = [
        (name, *(of.selected(of.greedy(name, given, guide)) for guide in ("contour", "region")))
        for name, given in LOSSES.items()
    ]
    return table(("loss of the maps", "greedy by outline", "greedy by region"), rows)


def weight(of: Ablation) -> str:
    """Lambda, the weight of the zero loss."""
    rows = []
    for one in LAMBDA:
        given = ("tightness=1",) if one == "0" else ("tightness=1", f"zero={one}")
        rows.append((one, of.selected(of.greedy(f"lambda {one}", given))))
    return table(("lambda", "greedy by outline"), rows)


def selection(of: Ablation) -> str:
    """Masks of boxes: cross-entropy with the filled box, GrabCut, proposals by outline; plain training."""
    masks = {
        "filled box (box cross-entropy)": of.filled("box"),
        GRABCUT: of.filled("grabcut"),
        "greedy by outline": of.greedy("tightness + zero", LOSSES["tightness + zero"]),
    }
    rows = [(name, of.selected(path), of.tested(name, path)) for name, path in masks.items()]
    return table(("masks", "training masks", "test sentences"), rows)


def methods(of: Ablation) -> str:
    """Learning from wrong masks: plain, self-training, EMA teacher, co-training of two networks."""
    source = of.filled("grabcut")
    noise = ("--noise-rate", of.on.noise_rate)
    rows = [("plain", of.tested(GRABCUT, source))]
    for name in ("self-training", "ema-teacher", "coteaching"):
        own = ("--method", name, *(noise if name != "ema-teacher" else ()))
        rows.append((name, of.tested(f"{name} masks", source, *own)))
    both = of.tested("coteaching masks", source, "--method", "coteaching", *noise, ensemble=True)
    return table(("method", "test sentences"), [*rows, ("coteaching, both networks", both)])


def eta(of: Ablation) -> str:
    """Eta, the share of pixels that co-training drops in the end."""
    source = of.filled("grabcut")
    rows = [
        (one, of.tested(f"eta {one}", source, "--method", "coteaching", "--noise-rate", one)) for one in ETA
    ]
    return table(("eta", "test sentences"), rows)


def loose(of: Ablation) -> str:
    """Boxes whose sides lie up to a share of their length too far out."""
    rows = []
    for share in LOOSE:
        source = of.filled("grabcut", loosened(of.on.data, share, of.on.steps.folder), f"-loose-{share:g}")
        rows.append((f"{share:.0%}", of.selected(source), of.tested(f"loose {share:g}", source)))
    return table(("outwards, up to", "training masks", "test sentences"), rows)


def loosened(data: Path, share: float, work: Path) -> Path:
    """A copy of the sentences: each side of a box moved outwards by a share of its length, at random."""
    rng = np.random.default_rng(0)
    rows = [json.loads(line) for line in (data / "referring.jsonl").read_text().splitlines()]
    for row in rows:
        x, y, w, h = row["box"]
        left, top, right, bottom = share * rng.random(4)
        x0, y0 = max(0.0, x - left * w), max(0.0, y - top * h)
        x1, y1 = min(row["width"], x + w + right * w), min(row["height"], y + h + bottom * h)
        row["box"] = [x0, y0, x1 - x0, y1 - y0]
    output = work / f"loose-{share:g}.jsonl"
    output.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return output


TABLES: dict[str, Callable[[Ablation], str]] = {
    "losses": losses,
    "lambda": weight,
    "selection": selection,
    "methods": methods,
    "eta": eta,
    "loose": loose,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--seed", default="0")
    args = parser.parse_args()
    of = Ablation(experiment(args), args.seed)
    for name in args.tables:
        print(f"\n{name}: {TABLES[name].__doc__}\n\n{TABLES[name](of)}", flush=True)


if __name__ == "__main__":
    main()
