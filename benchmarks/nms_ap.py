"""The AP of every NMS rule on the raw detections of a folder, as the table of docs/explanation/nms.md has it.

    python benchmarks/nms_ap.py FOLDER [curves.png]

FOLDER is ``nms_real``: ``pennfudan_gt.json``, ``pennfudan_raw_nanodet_m_416.json`` and ``_320.json``, COCO
results with ``side_std``. The picture has precision and recall at IoU .75 of the 416 file (needs matplotlib).
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wsstool.stages.detections.nms import nms
from wsstool.stages.scoring.evaluate import evaluate

RULES: dict[str, dict[str, Any]] = {
    "none": {"iou_threshold": 1.0},
    "greedy .6": {"iou_threshold": 0.6},
    "greedy .5": {"iou_threshold": 0.5},
    "soft, gaussian .5": {"method": "soft"},
    "soft, gaussian .3": {"method": "soft", "settings": ["sigma=0.3"]},
    "soft, linear .3": {"method": "soft", "settings": ["kernel=linear"]},
    "weighted .6": {"method": "weighted", "iou_threshold": 0.6},
    "variance-voting, gaussian": {"method": "variance-voting"},
    "variance-voting, hard .6": {
        "method": "variance-voting",
        "iou_threshold": 0.6,
        "settings": ["kernel=hard"],
    },
    "adaptive .6, estimated density": {
        "method": "adaptive",
        "iou_threshold": 0.6,
        "settings": ["estimate_density=true"],
    },
    "diou .6": {"method": "diou", "iou_threshold": 0.6},
    "fast .6": {"method": "fast", "iou_threshold": 0.6},
    "cluster .6, spm": {"method": "cluster", "iou_threshold": 0.6, "settings": ["penalty=spm"]},
    "cluster .6, spm-distance, averaged": {
        "method": "cluster",
        "iou_threshold": 0.6,
        "settings": ["penalty=spm-distance", "average=true"],
    },
    "matrix, gaussian 2": {"method": "matrix"},
    "voting .6": {"method": "voting", "iou_threshold": 0.6},
    "fusion .6, one model": {"method": "fusion", "iou_threshold": 0.6},
}


def main(folder: Path, picture: Path | None) -> None:
    truth = folder / "pennfudan_gt.json"
    raw = {size: folder / f"pennfudan_raw_nanodet_m_{size}.json" for size in (416, 320)}
    curves = {}
    print("| rule | 416: AP | AP50 | AP75 | miss rate | 320: AP | AP50 | AP75 | miss rate |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with TemporaryDirectory() as place:
        kept = Path(place) / "kept.json"
        for name, options in RULES.items():
            cells = []
            for size, source in raw.items():
                nms([str(source)], output=kept, **options)
                found = evaluate(kept, truth=truth)
                cells += [f"{found['scores'][key]:.3f}" for key in ("ap", "ap50", "ap75", "miss_rate")]
                if size == 416:
                    curves[name] = found["curve"]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)
        nms([str(path) for path in raw.values()], output=kept, method="fusion", iou_threshold=0.6)
        found = evaluate(kept, truth=truth)["scores"]
        cells = [f"{found[key]:.3f}" for key in ("ap", "ap50", "ap75", "miss_rate")]
        print(f"| fusion .6, both files as two models | {' | '.join(cells)} | | | | |")
    if picture is not None:
        _draw(curves, picture)


def _draw(curves: dict[str, dict[str, list[float]]], picture: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.4), dpi=90)
    for name in (
        "none",
        "greedy .6",
        "soft, gaussian .5",
        "weighted .6",
        "variance-voting, gaussian",
        "fast .6",
    ):
        axes.plot(curves[name]["recall"], curves[name]["ap75"], label=name, linewidth=1.2)
    axes.set(xlabel="recall", ylabel="precision at IoU .75", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(fontsize=7, loc="lower left")
    figure.tight_layout()
    figure.savefig(picture)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
