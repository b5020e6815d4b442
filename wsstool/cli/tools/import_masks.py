"""``wsstool import``."""

from __future__ import annotations

from wsstool.cli.run import call, messages
from wsstool.stages.options.exchange import ImportOptions


def import_masks(options: ImportOptions) -> None:
    """Convert object masks of another program to a selection file.

    Boxes without masks need no import: 'train-contour --boxes' reads them.

    Examples:
        wsstool import annotations.xml --images data/ -o masks.h5
        wsstool import results.json --like instances.json | wsstool export --format cvat -o for-cvat.xml
    """
    found = call("exchange.import_masks:import_masks", options)
    messages().say(f"{found['masks']} masks in {found['images']} images")
