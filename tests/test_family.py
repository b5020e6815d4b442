"""The options of a method, typed as texts on the command line."""

import inspect

import pytest
from typer.testing import CliRunner

from wsstool import registry
from wsstool.argument_types import keyword_options
from wsstool.cli.app import app
from wsstool.errors import UsageError
from wsstool.family import Registry, setting_texts
from wsstool.registry import NMS, PROPOSALS, REFINERS

ROWS = [
    (REFINERS, "pamr", "dilations=1, 2,4", (1, 2, 4)),
    (PROPOSALS, "felzenszwalb", "scales=50,0.5", (50.0, 0.5)),
    (PROPOSALS, "slic", "segments=100", (100,)),
    (PROPOSALS, "selective-search", "spaces=hsv, lab", ("hsv", "lab")),
    (PROPOSALS, "selective-search", "similarities=ctsf,tsf", ("ctsf", "tsf")),
    (PROPOSALS, "tree", "spaces=lab", ("lab",)),
    (NMS, "fusion", "model-weights=2,1", (2.0, 1.0)),
    (NMS, "fusion", "model_weights=", ()),
]


@pytest.mark.parametrize(("family", "method", "text", "values"), ROWS, ids=[row[2] for row in ROWS])
def test_several_values_are_written_with_commas(family, method, text, values):
    (found,) = family.settings(method, [text]).values()
    assert found == values
    assert [type(one) for one in found] == [type(one) for one in values]


@pytest.mark.parametrize(
    ("family", "method", "text", "message"),
    [
        (REFINERS, "pamr", "dilations=1,x", "'1,x' is not whole numbers separated by commas"),
        (NMS, "fusion", "model_weights=1;2", "'1;2' is not numbers separated by commas"),
        (REFINERS, "pamr", "steps=many", "'many' is not a whole number"),
    ],
)
def test_other_texts_are_refused(family, method, text, message):
    with pytest.raises(UsageError, match=message):
        family.settings(method, [text])


def test_what_a_file_records_is_what_a_user_types():
    typed = ["scales=50,100,200", "sigma=0.8"]
    assert setting_texts(PROPOSALS.settings("felzenszwalb", typed)) == typed


@pytest.mark.parametrize(
    ("family", "method"),
    [(one, name) for one in vars(registry).values() if isinstance(one, Registry) for name in one],
)
def test_defaults_can_be_typed(family, method):
    presets = {"preset"}  # stands for other options
    defaults = {k: p.default for k, p in family.own_options(method).items() if k not in presets}
    assert family.settings(method, setting_texts(defaults)) == defaults


@pytest.mark.parametrize("family", [REFINERS, PROPOSALS])
def test_methods_state_what_else_they_read(family):
    for name, entry in family.entries().items():
        taken = [what for what in ("regions", "features", "segmenter") if family.takes(name, what)]
        assert [entry.reads] == (taken or [""]), name


def test_refiners_that_need_another_option_are_for_pseudo_mask_alone():
    refused = CliRunner().invoke(app, ["predict", "data", "--weights", "seg.pth", "--refine", "affinity"])
    assert refused.exit_code == 2 and "not one of 'crf', 'random-walk', 'pamr'" in refused.stderr
    shown = CliRunner().invoke(app, ["pseudo-mask", "c.h5", "--refine", "affinity", "--show-config"])
    assert shown.exit_code == 0 and 'refine = ["affinity"]' in shown.stdout


def test_options_read_from_the_source_are_those_of_the_function():
    """A wrong ``--set`` is refused without importing the method, and with it torch."""
    families = [one for one in vars(registry).values() if isinstance(one, Registry)]
    methods = [(family, name) for family in families for name in family._entries]
    read = {(f.family, n): keyword_options(f._entries[n].target) for f, n in methods}
    for family, name in methods:
        if (found := read[family.family, name]) is not None:
            parameters = inspect.signature(family.load(name)).parameters
            assert found == {k: p for k, p in parameters.items() if p.kind is p.KEYWORD_ONLY}, name
    assert sum(found is None for found in read.values()) < 5
    assert keyword_options("json:dumps") is None
