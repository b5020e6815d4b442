"""``wsstool sample``."""

from __future__ import annotations

from wsstool.cli.run import call
from wsstool.stages.options.datasets.sample import SampleOptions


def sample(options: SampleOptions) -> None:
    """Write a small synthetic data set to disk.

    Images, tags, masks, splits and, for referring, sentences are generated; nothing is downloaded.

    Examples:
        wsstool sample -o data/
        wsstool sample --kind tissue --count 200 --seed 7 -o tissue/
        wsstool sample --kind referring -o referring/
    """
    call("program.sample:sample", options)
