"""The table of methods is the registries, no more and no less."""

import json
import os
import subprocess
import sys
from pathlib import Path

from wsstool import registry
from wsstool.registry import CAMS, Entry, Registry
from wsstool.stages.methods import PLACES, methods
from wsstool.types import Silent


def test_every_registry_and_every_method_is_listed():
    registries = {v.family for v in vars(registry).values() if isinstance(v, Registry)}
    assert {r.family for r in PLACES.values()} == registries
    assert [(one["place"], one["name"]) for one in methods()["methods"]] == [
        (place, name) for place, family in PLACES.items() for name in family
    ]


def test_own_options_with_defaults():
    one = next(m for m in methods()["methods"] if m["name"] == "scorecam")
    assert one["options"] == {"top_channels": 0, "masked_batch": 32}
    assert one["paper"] == CAMS.entries()["scorecam"].paper
    assert one["summary"].startswith("Score-CAM maps")


def test_a_broken_method_of_another_package_hides_no_other(monkeypatch):
    broken = Registry("cams", {"broken": Entry("no_such_package:method"), "cam": CAMS.entries()["cam"]})
    monkeypatch.setitem(PLACES, "cam --method", broken)
    warnings = []
    messages = Silent()
    monkeypatch.setattr(messages, "warn", warnings.append)
    found = methods(messages=messages)["methods"]
    assert [m["name"] for m in found if m["place"] == "cam --method"] == ["cam"]
    assert warnings == ["'broken' of cam --method cannot be loaded: No module named 'no_such_package'"]


def test_command():
    run = [sys.executable, "-m", "wsstool", "methods"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    table = subprocess.run(run, env=environment, capture_output=True, text=True)
    assert table.returncode == 0, table.stderr
    assert "Wang et al., CVPRW 2020" in table.stdout and "top_channels=0" in table.stdout
    text = subprocess.run([*run, "--json"], env=environment, capture_output=True, text=True).stdout
    assert {"methods", "backbones", "heads"} <= json.loads(text).keys()
