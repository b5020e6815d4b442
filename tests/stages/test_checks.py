"""Values outside their range are refused before anything is read."""

import math
from pathlib import Path

import pytest

from wsstool.errors import UsageError
from wsstool.stages.pseudo_masks.cam import cam


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_no_share(value):
    with pytest.raises(UsageError, match="--score-threshold"):
        cam(Path("none"), weights=Path("none"), score_threshold=value)
