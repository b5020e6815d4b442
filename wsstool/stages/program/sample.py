"""Write a small dataset to disk, so that everything can be tried without a download."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from wsstool.atomic import atomic_folder, remove_abandoned
from wsstool.data.sample import write_sample
from wsstool.errors import CannotWriteError, UsageError
from wsstool.options import takes
from wsstool.stages.options.datasets.sample import SampleOptions
from wsstool.types import SILENT, Messages, tracked

_MADE_FROM = ".wsstool-sample.json"


@takes(SampleOptions)
def sample(options: SampleOptions, *, messages: Messages = SILENT) -> dict[str, Any]:
    """Generate a dataset from the images bundled with scikit-image.

    Equal arguments give equal bytes. The folder appears only when it is complete, and a hidden file in it
    says what it was made from: the same command again finds it up to date.

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
        the folder, the kind, the number of images, and whether it was ``up_to_date``.

    Raises:
        UsageError: an option out of range, or without ``force`` a folder that is neither empty nor this
            sample.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    output = Path(options.output)
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"{str(output)!r} is a file; name a folder")
    kind, count = options.kind, options.count
    made_from = {"kind": kind, "count": count, "size": options.size, "seed": options.seed}
    done = {"output": str(output), "kind": kind, "images": count}
    if output.is_dir() and any(output.iterdir()) and not options.force:
        if not _is_made_from(output, made_from):
            raise UsageError(f"{str(output)!r} is not empty; --force replaces it")
        remove_abandoned(output.absolute().parent)
        messages.say(f"{str(output)!r} is up to date")
        return {**done, "up_to_date": True}
    with atomic_folder(output) as partial:
        (partial / _MADE_FROM).write_text(json.dumps(made_from) + "\n", encoding="utf-8")
        drawn = write_sample(partial, kind=kind, count=count, size=options.size, seed=options.seed)
        for _ in tracked(drawn, messages, count, "images"):
            pass
    messages.say(f"wrote {count} images to {output}")
    return {**done, "up_to_date": False}


def _is_made_from(folder: Path, made_from: dict[str, Any]) -> bool:
    """Whether a folder is a whole sample that was made from these options."""
    try:
        found = json.loads((folder / _MADE_FROM).read_text(encoding="utf-8"))
        return bool(found == made_from) and len(os.listdir(folder / "images")) == made_from["count"]
    except (OSError, ValueError):
        return False
