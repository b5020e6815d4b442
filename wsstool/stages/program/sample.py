"""Write a small dataset to disk, so that everything can be tried without a download."""

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
    """Generate a dataset from the images bundled with scikit-image.

    Equal arguments give equal bytes. The folder appears only when it is complete.

    Args:
        output: the folder to create.
        kind: ``objects`` (five classes in clutter, with boxes and masks), ``tissue`` (four textures, no
            background) or ``referring`` (objects that sentences tell apart, with boxes and masks).
        count: number of images, 1..100000.
        size: rows and columns of an image, pixels, 32..1024.
        seed: of the generator.
        force: replace a folder that is not empty.
        messages: receives progress.

    Returns:
        the folder, the kind, and the number of images.

    Raises:
        UsageError: an option out of range, or a folder that is not empty without ``force``.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    output = Path(options.output)
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"{str(output)!r} is a file; name a folder")
    if output.is_dir() and any(output.iterdir()) and not options.force:
        raise UsageError(f"{str(output)!r} is not empty; --force replaces it")
    kind, count = options.kind, options.count
    with atomic_folder(output) as partial:
        drawn = write_sample(partial, kind=kind, count=count, size=options.size, seed=options.seed)
        for _ in tracked(drawn, messages, count, "images"):
            pass
    messages.say(f"wrote {count} images to {output}")
    return {"output": str(output), "kind": kind, "images": count}
