"""The table of methods is the registries, no more and no less."""

import json

from typer.testing import CliRunner

from wsstool import registry
from wsstool.cli.app import app
from wsstool.family import Entry, Registry
from wsstool.registry import CAMS
from wsstool.stages.program.methods import PLACES, methods
from wsstool.types import Silent


def test_every_registry_and_every_method_is_listed():
    registries = {v.family for v in vars(registry).values() if isinstance(v, Registry)}
    assert {r.family for r in PLACES.values()} == registries
    assert list(PLACES.values()) == list(registry.REGISTRIES), "one order: that of the pipeline"
    assert [(one["place"], one["name"]) for one in methods()["methods"]] == [
        (place, name) for place, family in PLACES.items() for name in family
    ]


def test_own_options_with_defaults():
    one = next(m for m in methods()["methods"] if m["name"] == "scorecam")
    assert one["options"] == {"top_channels": 0, "masked_batch": 32}
    assert one["paper"] == CAMS.entries()["scorecam"].paper
    assert one["summary"].startswith("Compute Score-CAM maps")


def test_a_broken_method_of_another_package_hides_no_other(monkeypatch):
    broken = Registry(
        "cams", "CAM method", {"broken": Entry("no_such_package:method"), "cam": CAMS.entries()["cam"]}
    )
    monkeypatch.setitem(PLACES, "cam --method", broken)
    warnings = []
    messages = Silent()
    monkeypatch.setattr(messages, "warn", warnings.append)
    found = methods(messages=messages)["methods"]
    assert [m["name"] for m in found if m["place"] == "cam --method"] == ["cam"]
    assert warnings == ["cannot load 'broken' of cam --method: No module named 'no_such_package'"]


def test_command():
    run = CliRunner()
    table = run.invoke(app, ["methods"])
    assert table.exit_code == 0, table.output
    assert "Wang et al., CVPRW 2020" in table.stdout and "top_channels=0" in table.stdout
    text = run.invoke(app, ["methods", "--json"]).stdout
    assert {"methods", "backbones", "heads"} <= json.loads(text).keys()
