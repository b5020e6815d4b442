"""Clean, robust, retention and mCE of score files with known contents."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest

from tests.messages import Heard
from wsstool import store
from wsstool.corruptions import GROUPS, VALIDATION
from wsstool.errors import MissingInputError
from wsstool.metrics.corruption_error import ALEXNET
from wsstool.stages.options.scoring import RobustnessOptions
from wsstool.stages.robustness.conditions import CLEAN, chosen_corruptions, conditions_of
from wsstool.stages.robustness.robustness import robustness
from wsstool.stages.robustness.tables import columns
from wsstool.types import ClassList

CLASSES = ClassList(("background", "cat", "dog", "emu"), 0)
ALL = [name for names in GROUPS.values() for name in names]
CATEGORY = {name: category for category, names in GROUPS.items() for name in names}


def write_scores(path: Path, right: dict[str, int], n: int = 20, **params: Any) -> Path:
    """A file of ``n`` images with class 1 to 3, so many of them classified right under each condition."""
    labels = np.zeros((n, 4), np.uint8)
    labels[np.arange(n), 1 + np.arange(n) % 3] = 1
    header = store.new_header(
        "score",
        stage="robustness",
        params={"corrupt_at": None, "image_size": None, "crop": None, "shard": None, **params},
        inputs=[],
        images=[f"{i:03d}.png" for i in range(n)],
        sizes=np.tile([30, 40], (n, 1)),
        shapes=np.tile([len(right), 1, 1], (n, 1)),
        classes=CLASSES,
        labels=labels,
        attributes={"conditions": list(right), "measure": "class"},
    )
    with store.create(header, path) as writer:
        for i in range(n):
            true = int(labels[i].argmax())
            writer.write(np.array([true if i < k else 1 + true % 3 for k in right.values()], np.int32))
    return path


def full(names: list[str], clean: int = 18) -> dict[str, int]:
    """Right images of 20 under all severities of these corruptions: fewer and fewer, and each its own."""
    found = {"clean 0": clean}
    for k, name in enumerate(names):
        found |= {f"{name} {s}": max(0, 16 - 2 * s + k % 4) for s in range(1, 6)}
    return found


class TestByHand:
    @pytest.fixture
    def found(self, tmp_path: Path) -> dict[str, Any]:
        return robustness(write_scores(tmp_path / "s.h5", full(ALL)))

    def test_scores_are_shares_of_right_images(self, found: dict[str, Any]) -> None:
        assert found["clean"] == 0.9 and found["images"] == 20 and found["failed"] == []
        for k, name in enumerate(ALL):
            own = found["corruptions"][name]
            expected = [(16 - 2 * s + k % 4) / 20 for s in range(1, 6)]
            assert list(own["severities"].values()) == expected and list(own["severities"]) == list("12345")
            assert own["mean"] == pytest.approx(fmean(expected)) and own["category"] == CATEGORY[name]

    def test_robust_is_the_mean_over_corruptions_and_over_categories(self, found: dict[str, Any]) -> None:
        means = {name: (10 + k % 4) / 20 for k, name in enumerate(ALL)}
        assert found["robust"] == pytest.approx(fmean(means.values()))
        categories = {c: fmean(means[name] for name in names) for c, names in GROUPS.items()}
        assert found["categories"] == pytest.approx(categories)
        assert found["category_mean"] == pytest.approx(fmean(categories.values()))
        assert found["robust"] != pytest.approx(found["category_mean"])
        assert found["retention"] == pytest.approx(found["robust"] / 0.9)
        assert found["category_retention"] == pytest.approx(found["category_mean"] / 0.9)

    def test_mce_is_the_mean_over_fifteen_relative_errors(self, found: dict[str, Any]) -> None:
        relative = [1 - (10 + k % 4) / 20 for k in range(len(ALL))]
        own = {name: e / ALEXNET[name] for name, e in zip(ALL, relative, strict=True) if name in ALEXNET}
        assert len(own) == 15
        assert found["mce"] == pytest.approx(sum(own.values()) / 15) and found["mce_missing"] is None
        for name, one in found["corruptions"].items():
            assert one.get("ce") == (pytest.approx(own[name]) if name in own else None)

    def test_the_table_holds_them(self, found: dict[str, Any]) -> None:
        corruptions, categories, overall, *lines = columns(found)
        assert [row[0] for row in corruptions.rows] == ALL and corruptions.header[-1] == "CE"
        assert corruptions.rows[0][2:8] == [0.7, 0.6, 0.5, 0.4, 0.3, pytest.approx(0.5)]
        assert dict(categories.rows) == found["categories"]
        assert overall.rows[0][:3] == ["accuracy", 0.9, found["robust"]]
        text = "\n".join(lines)
        assert f"mCE {found['mce']:.4f}, relative to AlexNet on ImageNet" in text
        assert "the size of the images" in text and "30 x 40 pixels" in text


class TestMce:
    def test_as_good_as_alexnet_is_one(self, tmp_path: Path) -> None:
        right = {"clean 0": 400}
        for name, error in ALEXNET.items():
            right |= {f"{name} {s}": round(500 * (1 - error)) for s in range(1, 6)}
        found = robustness(write_scores(tmp_path / "s.h5", right, n=500))
        assert found["mce"] == pytest.approx(1, abs=2e-3)

    def test_the_four_validation_corruptions_do_not_count(self, tmp_path: Path) -> None:
        one, other = full(ALL), full(ALL)
        other |= {f"{name} {s}": 0 for name in VALIDATION for s in range(1, 6)}
        found = [robustness(write_scores(tmp_path / f"{k}.h5", r)) for k, r in enumerate((one, other))]
        assert found[0]["mce"] == found[1]["mce"] and found[0]["robust"] > found[1]["robust"]

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (lambda r: r.pop("snow 2"), "not measured: snow$"),
            (lambda r: [r.pop(f"{n} {s}") for n in ("snow", "fog") for s in range(1, 6)], "snow and 1 more$"),
        ],
    )
    def test_is_not_available_when_one_is_missing(self, tmp_path: Path, change: Any, says: str) -> None:
        right = full(ALL)
        change(right)
        found = robustness(write_scores(tmp_path / "s.h5", right))
        assert found["mce"] is None and re.search(says, found["mce_missing"])
        assert any("mCE: not available" in str(line) for line in columns(found))

    def test_synthetic_frost_never_stands_in_for_frost(self, tmp_path: Path) -> None:
        right = {text.replace("frost", "frost-synthetic"): k for text, k in full(ALL).items()}
        found = robustness(write_scores(tmp_path / "s.h5", right))
        assert found["mce"] is None and found["mce_missing"].endswith("not measured: frost")
        assert found["corruptions"]["frost-synthetic"]["category"] == "weather"
        assert "frost-synthetic counts as weather in place of frost" in found["notes"][0]


class TestPublishedRetention:
    @pytest.mark.parametrize(("clean", "robust", "percent"), [(79.9, 58.2, 72.8), (84.7, 68.8, 81.2)])
    def test_of_published_students(self, tmp_path: Path, clean: float, robust: float, percent: float) -> None:
        right = {"clean 0": round(10 * clean), **{f"fog {s}": round(10 * robust) for s in range(1, 6)}}
        found = robustness(write_scores(tmp_path / "s.h5", right, n=1000))
        assert round(100 * found["retention"], 1) == round(100 * found["category_retention"], 1) == percent

    def test_is_undefined_where_nothing_is_right_on_clean_images(self, tmp_path: Path) -> None:
        found = robustness(write_scores(tmp_path / "s.h5", {"clean 0": 0, "fog 1": 3}))
        assert found["retention"] is None and found["robust"] == 0.15


class TestConditions:
    def options(self, **own: Any) -> RobustnessOptions:
        return RobustnessOptions(data=Path("d"), **own)

    def test_all_by_default_after_the_clean_one(self) -> None:
        found = conditions_of(ALL, self.options())
        assert found[0] == CLEAN and len(found) == 1 + 19 * 5

    def test_segformer_averages_over_three_severities_of_noise(self) -> None:
        found = conditions_of(ALL, self.options(severity_set="segformer"))
        counts = {name: sum(one.name == name for one in found) for name in ALL}
        assert counts == {name: 3 if CATEGORY[name] == "noise" else 5 for name in ALL}
        assert max(one.severity for one in found if one.name == "shot-noise") == 3

    def test_frost_of_a_group_may_be_synthetic(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        def none(textures: str = "") -> tuple[Path, ...]:
            raise MissingInputError("no photographs")

        monkeypatch.setattr("wsstool.stages.robustness.conditions.photographs", none)
        heard = Heard()
        for words in (None, ["weather"]):
            names = chosen_corruptions(self.options(corruption=words), heard)
            assert "frost-synthetic" in names and "frost" not in names
        assert len(heard.warned) == 2 and "there is no mCE" in heard.warned[0]
        for own in ({"corruption": ["weather", "frost"]}, {"frost": tmp_path}):
            with pytest.raises(MissingInputError, match="no photographs"):
                chosen_corruptions(self.options(**own), heard)
        noise = self.options(corruption=["noise"], frost=tmp_path)
        assert chosen_corruptions(noise, heard) == list(GROUPS["noise"])
