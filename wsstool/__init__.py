"""wsstool: cheap labels in, pixel masks and trained segmenters out."""

from wsstool import wait_policy as wait_policy  # before torch, which reads the setting once

__version__ = "0.1.0"
