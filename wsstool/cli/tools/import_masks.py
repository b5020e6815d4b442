"""``wsstool import``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.exchange import ImportOptions


def import_masks(options: ImportOptions) -> None:
    """Convert masks, score maps or sentences of another program.

    Masks become a selection file, class probabilities a cam file, sentences JSON lines. Boxes without masks
    need no import: 'train-contour --boxes' reads them.

    Examples:
        wsstool import annotations.xml --images data/ -o masks.h5
        wsstool import results.json --like instances.json | wsstool export --format cvat -o for-cvat.xml
        wsstool import softmax/ --images data/ --class-list classes.txt -o cams.h5
        wsstool import --expressions 'refs(unc).p' --images data/ -o referring.jsonl
        wsstool import --expressions data/ --shuffle 0 -o shuffled.jsonl
    """
    found = call("exchange.import_masks:import_masks", options)
    what = "sentences" if options.expressions else "maps" if "maps" in found else "masks"
    messages().say(f"{found[what]} {what} in {found['images']} images")
