"""When images that could not be used make a training run one that failed."""

from __future__ import annotations

from wsstool.errors import SomeFailedError


def check_failed(failed: int, max_failed: int) -> None:
    """Raise SomeFailedError when more images failed than allowed; the weights are written."""
    if failed > max_failed:
        raise SomeFailedError(f"{failed} images failed and were left out; --max-failed allows {max_failed}")
