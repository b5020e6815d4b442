"""The versions of the software that computes a result."""

from __future__ import annotations

import platform
import sys

import h5py
import numpy as np

from wsstool.store.provenance import canonical_json


def environment(**more: str) -> str:
    """Return the versions of the software, and torch's threads, as JSON; in the tail, never part of a key."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "h5py": h5py.__version__}
    found["hdf5"] = h5py.version.hdf5_version
    for name in ("torch", "torchvision"):
        if name in sys.modules:
            found[name] = str(sys.modules[name].__version__)
    if "torch" in sys.modules:  # sums over several threads round differently
        found["threads"] = str(sys.modules["torch"].get_num_threads())
    return canonical_json({**found, **more})
