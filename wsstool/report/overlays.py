"""Images for visual inspection: labels and score maps over the image, and image strips."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from wsstool.types import IGNORE

_GAP = 4
_CAPTION = 18
_FONT = 13


def blend(
    image: np.ndarray,
    labels: np.ndarray,
    palette: np.ndarray,
    *,
    background: int = -1,
    opacity: float = 0.55,
    outline: bool = True,
) -> np.ndarray:
    """Tint an image with its label map.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) uint8; 255 is greyed out and hatched.
        palette: (256, 3) uint8.
        background: class id that is not tinted, or -1.
        opacity: of the tint, [0, 1].
        outline: draw the borders between labels in white.

    Returns:
        (H, W, 3) uint8.

    Raises:
        ValueError: the label map has another size.
    """
    if image.shape[:2] != labels.shape:
        raise ValueError(f"the image has shape {image.shape[:2]}, but the labels have shape {labels.shape}")
    base = image.astype(np.float32)
    strength = np.full(labels.shape, opacity, np.float32)
    strength[labels == background] = 0
    colours = palette[labels].astype(np.float32)
    void = labels == IGNORE
    if void.any():
        rows, columns = np.nonzero(void)
        grey = base[rows, columns].mean(axis=1, keepdims=True)
        base[rows, columns] = grey * 0.5 + 100
        hatched = ((rows + columns) // 3) % 3 == 0
        colours[rows, columns] = 245
        strength[rows, columns] = np.where(hatched, 0.8, 0.0)
    mixed = base + (colours - base) * strength[..., None]
    if outline:
        mixed[label_borders(labels)] = 255
    return mixed.round().astype(np.uint8)


def label_borders(labels: np.ndarray) -> np.ndarray:
    """Return (H, W) bool: pixels whose right or lower neighbour has another label."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


def blend_scores(
    image: np.ndarray,
    scores: np.ndarray,
    class_ids: Sequence[int] | np.ndarray,
    palette: np.ndarray,
    *,
    opacity: float = 0.85,
) -> np.ndarray:
    """Tint every pixel with the colour of its strongest class, in proportion to its score.

    Args:
        image: (H, W, 3) uint8; shown in grey, so that the only colours are classes.
        scores: (K, H, W) float in [0, 1].
        class_ids: (K,) ids.
        palette: (256, 3) uint8.
        opacity: of the tint at score 1.

    Returns:
        (H, W, 3) uint8.
    """
    grey = image.astype(np.float32).mean(axis=2, keepdims=True).repeat(3, axis=2)
    if len(scores) == 0:
        return grey.round().astype(np.uint8)
    best = np.nan_to_num(scores.max(axis=0)).clip(0, 1)[..., None] * opacity
    colours = palette[np.asarray(class_ids)][scores.argmax(axis=0)].astype(np.float32)
    return (grey + (colours - grey) * best).round().astype(np.uint8)


def errors(image: np.ndarray, prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Show where a prediction is wrong: orange on grey; ignored ground truth is left out.

    Args:
        image: (H, W, 3) uint8.
        prediction: (H, W) uint8.
        truth: (H, W) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    wrong = (prediction != truth) & (truth != IGNORE)
    labels = np.where(wrong, np.uint8(1), np.uint8(0))
    grey = image.astype(np.float32).mean(axis=2, keepdims=True).repeat(3, axis=2)
    palette = np.zeros((256, 3), np.uint8)
    palette[1] = 235, 104, 20
    return blend(grey.astype(np.uint8), labels, palette, background=0, opacity=0.75, outline=False)


def strip(panels: Sequence[np.ndarray], captions: Sequence[str] = (), *, height: int = 200) -> np.ndarray:
    """Place images side by side at one height, each with a caption above it.

    Args:
        panels: (H, W, 3) uint8 images.
        captions: one per panel, or none.
        height: of the images, pixels.

    Returns:
        (rows, columns, 3) uint8 on white.
    """
    images = [Image.fromarray(fitted(panel, height)) for panel in panels]
    top = _CAPTION if captions else 0
    width = sum(p.width for p in images) + _GAP * (len(images) - 1)
    sheet = Image.new("RGB", (width, height + top), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_FONT)
    left = 0
    for k, image in enumerate(images):
        if captions:
            draw.text((left + 2, 1), captions[k], fill=(40, 40, 40), font=font)
        sheet.paste(image, (left, top))
        left += image.width + _GAP
    return np.asarray(sheet)


def titled(image: np.ndarray, text: str) -> np.ndarray:
    """Place a text above an image, in as many lines as its width demands.

    Args:
        image: (H, W, 3) uint8.
        text: broken between words; characters that the font lacks appear as boxes.

    Returns:
        (rows, columns, 3) uint8 on white.
    """
    font, width = ImageFont.load_default(_FONT), image.shape[1] - 4
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    top = _CAPTION * len(lines)
    sheet = Image.new("RGB", (image.shape[1], image.shape[0] + top), "white")
    draw = ImageDraw.Draw(sheet)
    for k, line in enumerate(lines):
        draw.text((2, 1 + k * _CAPTION), line, fill=(40, 40, 40), font=font)
    sheet.paste(Image.fromarray(image), (0, top))
    return np.asarray(sheet)


def stacked(strips: Sequence[np.ndarray]) -> np.ndarray:
    """Stack strips vertically, aligned at the left, on white."""
    width = max(s.shape[1] for s in strips)
    rows = []
    for one in strips:
        rows.append(np.pad(one, ((0, _GAP), (0, width - one.shape[1]), (0, 0)), constant_values=255))
    return np.concatenate(rows)


WIDEST = 8192  #: pixels; the JPEG limit is 65,500, that of a page far lower


def fitted(image: np.ndarray, height: int) -> np.ndarray:
    """Resize an image to a height, keeping its proportions; enlarged pixels stay square.

    Images that would be wider than ``WIDEST`` are reduced further.
    """
    height = max(1, min(height, WIDEST * image.shape[0] // image.shape[1]))
    width = min(WIDEST, max(1, round(image.shape[1] * height / image.shape[0])))
    kind = Image.Resampling.LANCZOS if height < image.shape[0] else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(image).resize((width, height), kind))


def jpeg(image: np.ndarray, *, quality: int = 82) -> bytes:
    """Encode an image as JPEG; equal images give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()
