"""Corrupt the images that a stage reads, to test a network on images unlike those it was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wsstool import store
from wsstool.corruptions import MOVES_OBJECTS, corrupt, one_of
from wsstool.corruptions.frost import photographs
from wsstool.errors import UsageError
from wsstool.stages.options.groups import Corruption
from wsstool.types import Messages


@dataclass(frozen=True)
class ImageCorruption:
    """A corruption of one severity, applied to decoded images at their own size.

    The draws depend on the image, the corruption and the severity only: those of seed 0.

    Attributes:
        name: of the corruption.
        severity: 1 to 5.
        textures: folder of photographs of frost; empty: those of the installed package.
    """

    name: str
    severity: int
    textures: str = ""

    def __call__(self, image: np.ndarray, image_name: str) -> np.ndarray:
        """Corrupt (H, W, 3) uint8; ``image_name`` is the path in the data folder."""
        own = textures_of(self.name, self.textures)
        return corrupt(image, self.name, self.severity, image_name=image_name, **own)

    @property
    def inputs(self) -> list[store.Input]:
        """The photographs, for the key and the history."""
        return frost_inputs([self.name], self.textures)


def open_corruption(
    options: Corruption, messages: Messages, *, needs_still_objects: bool = False
) -> ImageCorruption | None:
    """Return the corruption that the options name, or None.

    Args:
        options: of a command.
        messages: told which corruption is applied.
        needs_still_objects: refuse corruptions that move objects: the maps of the corrupted image would not
            fit the ground truth of the clean one.

    Raises:
        UsageError: no such corruption, a group of several, no severity, or objects that must not move.
        MissingInputError: frost without photographs.
    """
    if options.corruption is None:
        return None
    name = one_of(options.corruption)
    if options.severity is None:
        raise UsageError(f"--corruption {name}: give its --severity, 1 to 5")
    if needs_still_objects and name in MOVES_OBJECTS:
        raise UsageError(
            f"--corruption {name} moves objects, so that the maps would not fit the ground truth; "
            "'wsstool robustness' moves the ground truth along"
        )
    found = ImageCorruption(name, options.severity, str(options.frost or ""))
    if name == "frost":
        photographs(found.textures)
    messages.say(f"images are corrupted by {name}, severity {options.severity}")
    return found


def corruption_params(corruption: ImageCorruption | None) -> dict[str, Any]:
    """Return the resolved values for ``Options.key_params``."""
    return {"corruption": corruption.name} if corruption else {}


def textures_of(name: str, folder: str) -> dict[str, Any]:
    """Return the own options of a corruption: ``textures`` where it takes photographs from a folder."""
    return {"textures": folder} if name == "frost" and folder else {}


def frost_inputs(names: list[str], folder: str) -> list[store.Input]:
    """Return the photographs that ``frost`` among these corruptions uses, identified by content."""
    if "frost" not in names:
        return []
    files = photographs(folder)
    one = store.Input.of_folder(files[0].parent, [file.name for file in files], role="frost")
    return [store.Input(one.role, one.identity, folder)]
