"""Class maps of one image, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, repr=False)
class ClassMaps:
    """Class maps of one image; made by ``wsstool.cams`` and by the records of a ``cam`` file.

    Args:
        data: (K, h, w) float32, raw scale.
        class_ids: (K,) int64, indices into ``classes``.
        size: (H, W) of the image.
        classes: names of all classes.
        background: class id of the background, or -1.
        normalisation: mode of ``label_map`` for maps on a scale of their own: ``none`` for token
            probabilities, ``probability`` for maps from ``predict``; None: any scale.
    """

    data: np.ndarray
    class_ids: np.ndarray
    size: tuple[int, int]
    classes: tuple[str, ...]
    background: int = -1
    normalisation: str | None = None

    def __len__(self) -> int:
        return len(self.data)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.data, dtype=dtype, copy=bool(copy))  # type: ignore[call-overload, no-any-return]

    def __repr__(self) -> str:
        names = ", ".join(self.classes[i] for i in self.class_ids) or "no class"
        rows, columns = self.data.shape[1:]
        return f"<{rows} x {columns} maps of {names}>"
