"""``wsstool propose``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.objects import ProposeOptions


def propose(options: ProposeOptions) -> None:
    """Propose regions in all images, without labels or weights.

    Examples:
        wsstool propose data/ --split train -o proposals.h5
        wsstool propose data/ --import sam.json -o proposals.h5
        wsstool propose data/ --method slic | wsstool eval
    """
    call("objects.propose:propose", options)
