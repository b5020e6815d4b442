"""Let OpenMP threads sleep while they wait for each other, instead of spinning.

By default a thread that waits keeps its core busy for milliseconds. Beside any other busy process (the next
stage of a pipe, ``make -j``, a loader worker) it takes the core from the work that it waits for, and a run
takes several times as long; on an idle machine sleeping costs nothing measurable (``benchmarks/waiting.py``).
The OpenMP library reads its setting once, when torch loads it, so this module imports nothing but ``os`` and
``sys`` and is run by ``import wsstool``. Child processes inherit the setting.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, MutableMapping

CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Environment variables by which a user chooses how threads wait; any one of them is left alone."""

PASSIVE = ("OMP_WAIT_POLICY", "PASSIVE")


def wait_passively(environment: MutableMapping[str, str], loaded: Collection[str]) -> str:
    """Set passive waiting unless the user chose otherwise.

    Args:
        environment: environment of this process; changed only where the user chose nothing.
        loaded: names of the modules that are already imported.

    Returns:
        Who decides for this process: ``user``; ``wsstool``; or ``torch``, which was imported first and keeps
        the default of its OpenMP library (child processes wait passively).

    >>> wait_passively({"GOMP_SPINCOUNT": "0"}, [])
    'user'
    """
    if any(name in environment for name in CHOICES):
        return "user"
    environment.__setitem__(*PASSIVE)
    return "torch" if "torch" in loaded else "wsstool"


DECIDED_BY = wait_passively(os.environ, sys.modules)
"""Who decided how the threads of this process wait: ``user``, ``wsstool`` or ``torch``."""
