"""The public names: which there are, when they load, and where they are documented."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wsstool as ws

ROOT = Path(__file__).parents[2]


def test_the_page_lists_the_public_names():
    page = (ROOT / "docs/reference/python.md").read_text()
    assert sorted(re.findall(r"^### (\w+)$", page, re.M)) == dir(ws) == sorted(ws.__all__)


@pytest.mark.parametrize("name", ws.__all__)
def test_every_name_is_there_and_has_a_docstring(name):
    assert name == "__version__" or getattr(ws, name).__doc__


def test_the_import_loads_nothing_heavy():
    code = "import sys, wsstool; dir(wsstool); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "wsstool" in loaded
    assert not loaded & {"torch", "numpy", "h5py", "scipy", "skimage", "PIL", "typer", "wsstool.api"}


@pytest.mark.parametrize("name", ["cams", "report"])
def test_a_folder_of_the_same_name_hides_no_public_name(name):
    folder = importlib.import_module(f"wsstool.{name}")
    assert sys.modules[f"wsstool.{name}"] is folder
    assert getattr(ws, name) is not folder
    assert callable(ws.report) and callable(ws.cams.cam)


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'eval_'"):
        ws.eval_  # noqa: B018


def test_settings_of_the_package_can_be_changed(monkeypatch):
    monkeypatch.setattr(ws, "__version__", "1")
    assert ws.__version__ == "1"
