"""Non-maximum suppression for boxes, rotated boxes and masks: every method behind one signature."""

from wsstool.nms.api import run
from wsstool.nms.candidates import Regions
from wsstool.nms.result import NmsResult

__all__ = ["NmsResult", "Regions", "run"]
