"""Which layout a folder has: every format is asked, and two that fit are an error, never a guess."""

from __future__ import annotations

from pathlib import Path

from wsstool.data.formats import Tags, table
from wsstool.data.views import View
from wsstool.errors import MissingInputError, UsageError

LAYOUTS = ("table", "images")


def read_tags(
    root: Path,
    names: tuple[str, ...],
    view: View,
    *,
    split: str | None = None,
    boxes: str | Path | None = None,
) -> tuple[str, Tags | None]:
    """The layout of a folder and the tags that it holds (None for bare pictures)."""
    if isinstance(view.labels, Path):
        return "table", table.read(view.labels, view.classes)
    if view.labels is not None and view.labels not in LAYOUTS:
        raise MissingInputError(f"there is no label file {view.labels!r}, neither in {str(root)!r} nor here")
    tables = table.candidates(root)
    if len(tables) > 1:
        raise UsageError(f"several label files: {', '.join(p.name for p in tables)}; name one with --labels")
    return ("table", table.read(tables[0], view.classes)) if tables else ("images", None)
