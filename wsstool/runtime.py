"""The runtime environment: device, precision, threads, seeds. The only file that queries for a GPU."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import sys
from typing import Any

import numpy as np
import torch

from wsstool.errors import UsageError


def pick_device(name: str = "auto") -> torch.device:
    """Turn ``auto|cpu|cuda|cuda:N|mps`` into an available device, and set up the memory allocator.

    Of several CUDA devices, ``auto`` and ``cuda`` take the one that ``LOCAL_RANK`` numbers, else the first.

    Raises:
        UsageError: the named device is not available.
    """
    keep_freed_memory()
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device(_own_cuda_device(os.environ.get("LOCAL_RANK", ""), torch.cuda.device_count()))
    if name == "auto":
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"no device '{name}'; use auto, cpu, cuda, cuda:N or mps") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"--device {name}: no CUDA device is usable here; use --device cpu")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError(f"--device {name}: no Metal device is usable here; use --device cpu")
    return device


def _own_cuda_device(local_rank: str, count: int) -> str:
    """Return the device of one of several processes of a machine, which torchrun numbers by ``LOCAL_RANK``.

    More processes than devices share them; so a process to which the scheduler shows one device takes that.

    >>> _own_cuda_device("", 8), _own_cuda_device("5", 8), _own_cuda_device("5", 1)
    ('cuda', 'cuda:5', 'cuda:0')
    """
    return f"cuda:{int(local_rank) % count}" if local_rank.isdecimal() and count else "cuda"


def keep_freed_memory() -> bool:
    """Let glibc reuse the memory of freed tensors instead of returning it to the system after each layer.

    By default every large feature map is a fresh memory mapping, and a quarter of the time of a forward pass
    on a CPU goes to page faults. Freed memory then stays with the process until it ends.

    Returns:
        Whether the C library supports these settings.
    """
    trim_threshold, mmap_max = -1, -4  # from glibc's malloc.h
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(mmap_max, 0)) and bool(mallopt(trim_threshold, 2**31 - 1))


def autocast(device: torch.device, enabled: bool) -> contextlib.AbstractContextManager[Any]:
    """Return a mixed-precision context: bfloat16 on CUDA; no change elsewhere."""
    if enabled and device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def seed_everything(seed: int) -> None:
    """Seed every generator in this process. Loader workers derive their seeds from the item instead."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
