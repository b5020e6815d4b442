"""Apply corruptions by name, with groups and one generator per image, corruption and severity."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np

from wsstool.corruptions.elastic import displacement, enlarged, warp_mask
from wsstool.errors import UsageError
from wsstool.registry import CORRUPTIONS

GROUPS: dict[str, tuple[str, ...]] = {
    "noise": ("gaussian-noise", "shot-noise", "impulse-noise", "speckle-noise"),
    "blur": ("gaussian-blur", "motion-blur", "glass-blur", "defocus-blur"),
    "weather": ("snow", "fog", "frost", "spatter", "brightness"),
    "digital": ("contrast", "jpeg-compression", "saturate", "pixelate"),
    "extra": ("zoom-blur", "elastic-transform"),
}
"""The 19 corruptions in the groups over which robust accuracy is averaged."""

VALIDATION = ("speckle-noise", "gaussian-blur", "spatter", "saturate")
"""The four that the benchmark keeps for choosing settings; mCE is over the other fifteen."""

MOVES_OBJECTS = ("elastic-transform",)
"""Those after which masks of the clean image do not fit any more."""


def selected(words: Iterable[str] = ()) -> tuple[str, ...]:
    """Expand names and groups to names of corruptions.

    Args:
        words: names, with hyphens or underscores, or groups; none: all 19 of the benchmark.
    Returns:
        Each name once, in the order given.

    Raises:
        UsageError: neither a corruption nor a group.

    Example:
        >>> selected(["extra", "fog", "zoom_blur"])
        ('zoom-blur', 'elastic-transform', 'fog')
    """
    found: dict[str, None] = {}
    for word in list(words) or GROUPS:
        name = _known(word, (*GROUPS, *CORRUPTIONS))
        found |= dict.fromkeys(GROUPS.get(name, (name,)))
    return tuple(found)


def one_of(word: str) -> str:
    """Turn the name of a single corruption into its registered name.

    Args:
        word: a name, with hyphens or underscores.

    Raises:
        UsageError: a group, or no corruption of that name.

    Example:
        >>> one_of("zoom_blur")
        'zoom-blur'
    """
    if word in GROUPS:
        raise UsageError(f"'{word}' is a group of corruptions; choose one: {', '.join(GROUPS[word])}")
    return _known(word, tuple(CORRUPTIONS))


def _known(word: str, names: tuple[str, ...]) -> str:
    name = word.replace("_", "-")
    if name in names:
        return name
    near = get_close_matches(name, names, 1)
    hint = f"did you mean '{near[0]}'? There are" if near else "there are"
    raise UsageError(
        f"no corruption '{word}'; {hint} the groups {', '.join(GROUPS)} and "
        f"the corruptions {', '.join(CORRUPTIONS)}"
    )


def generator_of(name: str, severity: int, image_name: str, seed: int = 0) -> np.random.Generator:
    """Return the generator of one image under one corruption of one severity.

    The state depends on nothing else, so results are the same in any order and with any number of workers.

    Args:
        name: of the corruption, with hyphens.
        severity: 1 to 5.
        image_name: a name that is unique in the dataset.
        seed: of the run.

    Notes:
        The draws are equal on all machines; numpy releases may change how a distribution is drawn.

    Example:
        >>> one, other = (generator_of("fog", 3, "cat.png") for _ in range(2))
        >>> bool(one.random() == other.random())
        True
    """
    text = "\0".join((str(seed), name, str(int(severity)), image_name))
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))


def corrupt(
    image: np.ndarray, name: str, severity: int, *, image_name: str, seed: int = 0, **own: Any
) -> np.ndarray:
    """Corrupt an image at its current size.

    The constants are designed for images of 224 pixels and radii are in pixels, so the same severity is
    milder on a larger image. The caller resizes before or after, and should state which.

    Args:
        image: (H, W, 3) uint8.
        name: of the corruption, with hyphens or underscores.
        severity: 1 to 5.
        image_name: a name that is unique in the dataset.
        seed: of the run.
        own: further options of the corruption.
    Returns:
        (H, W, 3) uint8.

    Raises:
        BadInputError: not an RGB image.
        MissingInputError: frost without photographs.
        UsageError: no such corruption or severity.

    Example:
        >>> corrupt(np.full((2, 2, 3), 100, np.uint8), "brightness", 1, image_name="a.png")[0, 0].tolist()
        [125, 125, 125]
    """
    name = name.replace("_", "-")
    return CORRUPTIONS.load(name)(image, severity, generator_of(name, severity, image_name, seed), **own)


def moved(
    mask: np.ndarray,
    name: str,
    severity: int,
    *,
    image_name: str,
    seed: int = 0,
    drawn_at: tuple[int, int] | None = None,
) -> np.ndarray:
    """Move the label map of an image along with ``corrupt``, where the corruption moves objects.

    Args:
        mask: (H, W), any dtype.
        name, severity, image_name, seed: of the corruption, see ``corrupt``.
        drawn_at: rows and columns of the image that was corrupted; None: those of the mask. The field of
            another size is enlarged to that of the mask.
    Returns:
        (H, W) of the same dtype; ``mask`` itself if the corruption moves nothing.

    Example:
        >>> moved(np.eye(2, dtype=np.uint8), "fog", 5, image_name="a.png").tolist()
        [[1, 0], [0, 1]]
    """
    name = name.replace("_", "-")
    if name not in MOVES_OBJECTS:
        return mask
    size = tuple(drawn_at or mask.shape)
    field = displacement(
        np.zeros((*size, 3), np.uint8), severity, generator_of(name, severity, image_name, seed)
    )
    return warp_mask(mask, enlarged(field, mask.shape))
