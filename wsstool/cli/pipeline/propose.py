"""``wsstool propose``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.objects import ProposeOptions


def propose(options: ProposeOptions) -> None:
    """Propose regions in all images, without labels.

    Examples:
        wsstool propose data/ --split train -o proposals.h5
        wsstool propose data/ --import sam.json -o proposals.h5
        wsstool propose data/ --method slic | wsstool eval
        wsstool propose data/ --method ncut --weights cls.pth -o objects.h5
    """
    call("objects.propose:propose", options)
