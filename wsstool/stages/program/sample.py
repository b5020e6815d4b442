"""Write a small dataset to disk, so that everything can be tried without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wsstool.atomic import atomic_folder
from wsstool.data.sample import KINDS, write_sample
from wsstool.errors import CannotWriteError, UsageError
from wsstool.types import SILENT, Messages, tracked


def sample(
    output: str | Path,
    *,
    kind: str = "objects",
    count: int = 400,
    size: int = 128,
    seed: int = 0,
    force: bool = False,
    messages: Messages = SILENT,
) -> dict[str, Any]:
    """Generate a dataset from the images bundled with scikit-image.

    Equal arguments give equal bytes. The folder appears only when it is complete.

    Args:
        output: the folder to create.
        kind: ``objects`` (five classes in clutter, with boxes and masks) or ``tissue`` (four textures, no
            background).
        count: number of images, 1..100000.
        size: rows and columns of an image, pixels, 32..1024.
        seed: of the generator.
        force: replace a folder that is not empty.
        messages: receives progress.

    Returns:
        the folder, the kind, and the number of images.

    Raises:
        UsageError: an argument out of range, or a folder that is not empty without ``force``.
        CannotWriteError: no space, no permission, or a file in the way.
    """
    output = Path(output)
    if kind not in KINDS:
        raise UsageError(f"no kind '{kind}' of sample; there are: {', '.join(KINDS)}")
    if not 1 <= count <= 100_000:
        raise UsageError(f"the count of pictures is 1..100000, not {count}")
    if not 32 <= size <= 1024:
        raise UsageError(f"the size of a picture is 32..1024 pixels, not {size}")
    if seed < 0:
        raise UsageError(f"a seed is 0 or more, not {seed}")
    if output.exists() and not output.is_dir():
        raise CannotWriteError(f"{str(output)!r} is a file")
    if output.is_dir() and any(output.iterdir()) and not force:
        raise UsageError(f"{str(output)!r} is not empty; --force replaces it")
    with atomic_folder(output) as partial:
        for _ in tracked(
            write_sample(partial, kind=kind, count=count, size=size, seed=seed), messages, count, "pictures"
        ):
            pass
    messages.say(f"{count} pictures in {output}")
    return {"output": str(output), "kind": kind, "images": count}
