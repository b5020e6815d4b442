"""Open the promptable segmenter of a command."""

from __future__ import annotations

from pathlib import Path

from wsstool import store
from wsstool.models.promptable.sam import check_installed, checkpoint_files, load_sam
from wsstool.prompts.segmenter import Segmenter
from wsstool.runtime import pick_device


def open_segmenter(folder: Path, device: str) -> tuple[Segmenter, store.Input]:
    """Load Segment Anything from ``--sam-weights``.

    Returns:
        The segmenter, and the content of its checkpoint for the key and the history.

    Raises:
        MissingInputError, BadInputError: see ``load_sam``.
        UsageError: a device that is not here.
    """
    check_installed()
    files = checkpoint_files(folder)
    segmenter = load_sam(folder, pick_device(device))
    return segmenter, store.Input.of_folder(folder, files, role="sam-weights")
