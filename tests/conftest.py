"""Fixtures that every test may use."""

import os
import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A background job of a shell ignores interrupts, and so would every process that these tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of ``data/`` and ``fixtures/`` that WSSTOOL_TEST_DATA names."""
    folder = os.environ.get("WSSTOOL_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("WSSTOOL_TEST_DATA names no folder with data/ and fixtures/")
    return Path(folder)
