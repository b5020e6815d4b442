"""Weakly supervised segmentation: from image-level labels or boxes to pixel masks and trained segmenters.

The names of ``dir(wsstool)`` are public and documented in ``docs/reference/python.md``; everything else is
private. Importing the package loads neither torch nor HDF5: each name is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from wsstool import wait_policy as wait_policy  # before torch, which reads the setting once

__version__ = "0.1.0"

# Public name -> the module of wsstool.api that holds it, or the package that it is.
_PUBLIC = {
    "train_cls": "api.stages",
    "cam": "api.stages",
    "pseudo_mask": "api.stages",
    "train_contour": "api.stages",
    "contour": "api.stages",
    "propose": "api.stages",
    "select": "api.stages",
    "cotrain": "api.stages",
    "predict": "api.stages",
    "nms_files": "api.stages",
    "evaluate": "api.stages",
    "robustness": "api.stages",
    "report": "api.stages",
    "export": "api.stages",
    "import_masks": "api.stages",
    "sample": "api.stages",
    "tiles": "api.stages",
    "info": "api.stages",
    "check": "api.stages",
    "merge": "api.stages",
    "average": "api.stages",
    "open": "api.files",
    "load_classifier": "api.networks",
    "load_segmenter": "api.networks",
    "cams": "api.arrays",
    "refine": "api.arrays",
    "label_map": "api.arrays",
    "nms": "nms",
    "WsstoolError": "errors",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'wsstool' has no attribute '{name}'")
    module = import_module(f"wsstool.{_PUBLIC[name]}")
    return module if _PUBLIC[name] == name else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps the public names ``cams`` and ``report`` when the folders of these names are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        is_folder = isinstance(value, ModuleType) and value.__name__ == f"wsstool.{name}"
        if not (is_folder and name in _PUBLIC):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
