"""``wsstool import``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.exchange import ImportOptions


def import_masks(options: ImportOptions) -> None:
    """Convert object masks or sentences of another program.

    Masks become a selection file, sentences become JSON lines. Boxes without masks need no import:
    'train-contour --boxes' reads them.

    Examples:
        wsstool import annotations.xml --images data/ -o masks.h5
        wsstool import results.json --like instances.json | wsstool export --format cvat -o for-cvat.xml
        wsstool import --expressions 'refs(unc).p' --images data/ -o referring.jsonl
        wsstool import --expressions data/ --shuffle 0 -o shuffled.jsonl
    """
    found = call("exchange.import_masks:import_masks", options)
    what = "sentences" if options.expressions else "masks"
    messages().say(f"{found[what]} {what} in {found['images']} images")
