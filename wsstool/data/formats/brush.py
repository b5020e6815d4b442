"""Label Studio's brush: run lengths of the bits of an RGBA image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wsstool.errors import BadInputError

_SIZES = (3, 4, 8, 16)
"""Possible bit widths of run lengths, as written by Label Studio itself."""


def encode(mask: np.ndarray) -> list[int]:
    """Encode a mask as bytes, each a number, for ``value.rle`` of a brush.

    The stream begins with the number of samples (32 bits), the bits per sample less one (5), and four lengths
    less one (4 each). Each run then says whether one value is repeated (1 bit), which of the four lengths its
    count has (2 bits), the count less one, and the value. An object has 255 in all four channels: a mask of
    ones would be invisible.

    Args:
        mask: (H, W), non-zero inside the object.

    Source: the format of rle-pack, as Label Studio reads and writes it; written from the format.
    """
    flat = np.asarray(mask, bool).reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1, [flat.size]])
    bits = [f"{4 * flat.size:032b}{7:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        left, value = 4 * (end - start), "11111111" if flat[start] else "00000000"
        while left:
            count = min(left, 1 << _SIZES[-1])
            which = next(k for k, size in enumerate(_SIZES) if count <= 1 << size)
            bits.append(f"1{which:02b}{count - 1:0{_SIZES[which]}b}{value}")
            left -= count
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def decode(values: Sequence[int], size: tuple[int, int]) -> np.ndarray:
    """Decode the (H, W) bool mask of a brush: all pixels that are not fully transparent.

    Args:
        values: the bytes.
        size: rows and columns of the annotated image.

    Raises:
        BadInputError: not bytes, a number of samples that does not match the size, or an end within a run.
    """
    try:
        bits = np.unpackbits(np.array(values, np.uint8))
    except (TypeError, ValueError, OverflowError):
        raise BadInputError("the run lengths of a brush mask are not bytes") from None
    place = 0

    def number(length: int) -> int:
        nonlocal place
        piece = bits[place : place + length]
        if len(piece) < length:
            raise BadInputError("a brush whose run lengths end early")
        place += length
        return int("".join(map(str, piece.tolist())), 2)

    samples, width = number(32), number(5) + 1
    lengths = [number(4) + 1 for _ in range(4)]
    if samples != 4 * size[0] * size[1]:
        raise BadInputError(
            f"a brush mask of {samples // 4} pixels for an image of {size[1]} x {size[0]} pixels"
        )
    found = np.zeros(samples, bool)
    at = 0
    while at < samples:
        repeated = number(1)
        end = at + 1 + number(lengths[number(2)])
        if end > samples:
            raise BadInputError("the run lengths of a brush mask extend beyond its image")
        if repeated:
            found[at:end] = number(width) > 0
        else:
            piece = bits[place : place + (end - at) * width]
            if len(piece) < (end - at) * width:
                raise BadInputError("a brush whose run lengths end early")
            found[at:end] = piece.reshape(end - at, width).any(1)
            place += len(piece)
        at = end
    return found.reshape(*size, 4)[..., 3]
