"""No value of an option of GrabCut makes it run for hours."""

import numpy as np
import pytest

from wsstool.errors import UsageError
from wsstool.registry import FILLERS

BOX, IMAGE, MAP = (
    np.array([1, 1, 6, 5], np.float32),
    np.zeros((6, 8, 3), np.uint8),
    np.zeros((6, 8), np.float32),
)


@pytest.mark.parametrize("name", ["grabcut", "grabcut-map", "grabcut-opencv"])
@pytest.mark.parametrize("settings", [{"iterations": 10**9}, {"components": 10**9}])
def test_grabcut(name, settings):
    if name == "grabcut-opencv" and "components" in settings:
        return
    given = (MAP,) if name == "grabcut-map" else ()
    with pytest.raises(UsageError, match=r"--set.*iterations.* in \[1, 100\]"):
        FILLERS.load(name)((6, 8), BOX, IMAGE, *given, **settings)
