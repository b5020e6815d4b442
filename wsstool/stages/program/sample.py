"""Write a small data set to disk, so that everything runs without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstool.atomic import atomic_folder
from wsstool.data.sample import write_sample
from wsstool.errors import CannotWriteError, UsageError
from wsstool.options import takes
from wsstool.stages.options.sample import SampleOptions
from wsstool.types import SILENT, Messages, tracked


@takes(SampleOptions)
def sample(options: SampleOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Draw a data set by rule from the images that scikit-image brings along.

    Equal options give equal bytes. The folder appears when it is whole, and not before.

    Returns:
        ``output``, ``kind`` and ``images``, their number.

    Raises:
        UsageError: an option out of range, or a folder that is not empty without ``force``.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    output = Path(options.output)
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"{str(output)!r} is a file")
    if output.is_dir() and any(output.iterdir()) and not options.force:
        raise UsageError(f"{str(output)!r} is not empty; --force replaces it")
    kind, count = options.kind, options.count
    with atomic_folder(output) as partial:
        drawn = write_sample(partial, kind=kind, count=count, size=options.size, seed=options.seed)
        for _ in tracked(drawn, messages, count, "images"):
            pass
    messages.say(f"{count} images in {output}")
    return {"output": str(output), "kind": kind, "images": count}
