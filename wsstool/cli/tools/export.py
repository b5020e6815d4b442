"""``wsstool export``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.exchange import ExportOptions


def export(options: ExportOptions) -> None:
    """Export masks, class maps, sentences or a trained network.

    Label maps become palette PNGs, overlays on the images, or their regions in the formats of objects: COCO,
    CVAT, Label Studio, YOLO, VOC, GeoJSON, or a CSV list with the lowest score first. Object masks become the
    same. The label maps of the tiles of a slide become one pyramid TIFF or GeoJSON in slide coordinates.
    Class maps become overlays, one per class. Sentences become JSON lines, COCO or the REFER layout; masks of
    sentences become the same, PNGs, or overlays. Weights become ONNX (needs the extra onnx) or an archive of
    torch.export (pt2), which take plain pixels and are compared with the network before they are written.

    Examples:
        wsstool export masks.h5 -o masks
        wsstool predict data --weights seg.pth | wsstool export -o out
        wsstool export masks.h5 --format coco --min-area 50 -o regions.json
        wsstool export masks.h5 --tiles tiles --format geojson -o for-qupath
        wsstool export cams.h5 --format overlay -o heat-maps
        wsstool export selection.h5 --format cvat -o for-cvat.xml
        wsstool export selection.h5 --format csv --score-below 0.5 -o doubtful.csv
        wsstool export selection.h5 --set shape=polygon -o instances.json
        wsstool export predicted.h5 --format overlay -o pictures
        wsstool export --expressions referring.jsonl --format refer -o refcoco
        wsstool export seg.pth --format onnx -o seg.onnx
        wsstool export published.pth --class-list classes.txt -o seg.pt2
    """
    found = call("exchange.export:export", options)
    if "difference" in found:
        messages().say(f"network in '{found['output']}'")
        return
    what = "sentences" if options.expressions else "images" if found["format"] == "overlay" else "masks"
    messages().say(f"{found['written']} {what} in '{found['output']}'")
