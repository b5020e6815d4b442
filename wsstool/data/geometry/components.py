"""The connected regions of a label map."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from scipy import ndimage

from wsstool.data.geometry.instances import Window

_NEIGHBOURS = np.ones((3, 3), bool)


def components(labels: np.ndarray, without: Iterable[int] = ()) -> Iterator[tuple[int, Window, np.ndarray]]:
    """Yield the connected regions of a label map: class id, window and (h, w) bool mask of the window.

    Pixels that touch at a corner belong to one region. Regions come by class id, within a class in the order
    of their first pixels.

    Args:
        labels: (H, W) integers.
        without: class ids that have no regions, such as background and ignore.

    >>> found = components(np.array([[1, 0, 1], [0, 1, 2]]), [0])
    >>> [(class_id, window, mask.sum().item()) for class_id, window, mask in found]
    [(1, (0, 0, 3, 2), 3), (2, (2, 1, 3, 2), 1)]
    """
    left_out = set(without)
    for class_id in np.unique(labels).tolist():
        if class_id in left_out:
            continue
        numbered, _ = ndimage.label(labels == class_id, _NEIGHBOURS)
        for number, place in enumerate(ndimage.find_objects(numbered), 1):
            rows, columns = place
            window = columns.start, rows.start, columns.stop, rows.stop
            yield class_id, window, numbered[place] == number
