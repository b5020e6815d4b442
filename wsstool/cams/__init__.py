"""Class activation maps: where in the image a classifier sees each class. One method per file."""

from wsstool.cams.multiscale import multiscale
from wsstool.cams.result import Cams, Probabilities

__all__ = ["Cams", "Probabilities", "multiscale"]
