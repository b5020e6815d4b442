"""Options of predict and pseudo-mask: one kind of output or input each, and the part of keys they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsstool.errors import UsageError
from wsstool.options import Options
from wsstool.stages.checks import only
from wsstool.stages.options.predict import LabelMapOptions, ObjectMaskOptions, PredictOptions
from wsstool.stages.options.pseudo_mask import ClassMapOptions, ObjectOptions, PseudoMaskOptions

COMMON = {"split": None, "class_list": None, "shard": None}
LABEL_MAPS = {"probabilities": False, "targets": "all", "flip": False, "ensemble": False, "labels": None}


def predict_options(**own: Any) -> PredictOptions:
    return PredictOptions(data=Path("data"), weights=Path("x.pth"), **own)


@pytest.mark.parametrize(
    ("options", "kind", "option"),
    [
        (predict_options(threshold=0.4), LabelMapOptions, "--threshold"),
        (predict_options(margin=[0.1]), LabelMapOptions, "--margin"),
        (predict_options(scale=[0.5]), ObjectMaskOptions, "--scale"),
        (predict_options(labels=Path("tags.csv")), ObjectMaskOptions, "--labels"),
        (PseudoMaskOptions(overlap="score"), ClassMapOptions, "--overlap"),
        (PseudoMaskOptions(settings=["a=1"]), ObjectOptions, "--set"),
    ],
)
def test_an_option_of_the_other_kind_is_refused(options: Options, kind: type[Options], option: str) -> None:
    with pytest.raises(UsageError, match=f"^{option} is of another kind$"):
        only(kind, options, "is of another kind")


def test_options_of_both_kinds_and_ignored_ones_pass() -> None:
    found = only(ObjectMaskOptions, predict_options(flip=True, boxes=Path("b.json")), "")
    assert type(found) is ObjectMaskOptions and found.flip and found.boxes == Path("b.json")
    options = PseudoMaskOptions(min_score=0.2, background_threshold="0.5")
    assert only(ObjectOptions, options, "", ignored=["background_threshold"]).min_score == 0.2


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"threshold": 1.0}, r"--threshold 1: give a number in \(0, 1\)"),
        ({"margin": [0.1, 5.0]}, r"--margin 5: give a number in \[0, 4\]"),
        ({"scale": [1.0, float("nan")]}, "--scale nan"),
        ({"gate_threshold": 1.0}, r"--gate-threshold 1: give a number in \[0, 1\)"),
        ({"gate_form": "maybe"}, "--gate-form maybe: choose from forbid, multiply"),
    ],
)
def test_values_outside_their_range(own: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        predict_options(**own)


@pytest.mark.parametrize("text", ["much", "1.5", "nan", "-1"])
def test_a_background_threshold_is_auto_or_a_share(text: str) -> None:
    with pytest.raises(UsageError, match=f"--background-threshold {text}: give auto"):
        PseudoMaskOptions(background_threshold=text)
    assert PseudoMaskOptions(background_threshold="auto").constant_background is None
    assert PseudoMaskOptions(background_threshold="0.25").constant_background == 0.25


def test_the_key_of_label_maps_is_what_it_was() -> None:
    found = only(LabelMapOptions, predict_options(), "").key_params(scale=[1.0], settings=[])
    assert found == {**COMMON, **LABEL_MAPS, "scale": [1.0], "set": [], "refine": None, "dtype": None}


def test_the_key_of_pseudo_masks_is_what_it_was() -> None:
    resolved = {"settings": [], "normalise": "joint", "background_threshold": 0.3}
    assert only(ClassMapOptions, PseudoMaskOptions(), "").key_params(**resolved) == {
        "rule": "argmax",
        "refine": None,
        "set": [],
        "normalise": "joint",
        "background": "auto",
        "background_threshold": 0.3,
        "background_threshold_low": None,
        "background_power": None,
        "ignore_margin": 0.0,
        "layer": None,
    }
    assert only(ObjectOptions, PseudoMaskOptions(), "").key_params() == {"overlap": "ignore", "min_score": 0}
