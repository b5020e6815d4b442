"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of ``data/`` and ``fixtures/`` that WSSTOOL_TEST_DATA names."""
    folder = os.environ.get("WSSTOOL_TEST_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("WSSTOOL_TEST_DATA names no folder with data/ and fixtures/")
    return Path(folder)
