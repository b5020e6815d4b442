"""The scores of ``robustness`` are those of a loop by hand: corrupt, predict, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.messages import Heard
from tests.stages.chain import write_data
from tests.stages.robustness.copies import corrupted_copy
from tests.store.records import read
from wsstool.corruptions import corrupt
from wsstool.data.dataset import open_dataset
from wsstool.models.classifier import build_classifier, normalise
from wsstool.models.fan.class_head import combined_logits
from wsstool.models.fan_classifier import FanClassifier
from wsstool.models.weights import build_from_weights, load_weights, save_weights
from wsstool.stages.predict.predict import predict
from wsstool.stages.pseudo_masks.cam import cam
from wsstool.stages.robustness.robustness import robustness
from wsstool.stages.scoring.evaluate import evaluate

CPU: dict[str, Any] = {"device": "cpu", "workers": 2}
ONE = {"batch_size": 1}


def at(found: dict[str, Any], name: str, severity: int) -> float:
    return found["corruptions"][name]["severities"][str(severity)]


def logits_by_hand(weights: Path, images: list[np.ndarray]) -> np.ndarray:
    model, meta = build_from_weights(weights)
    with torch.no_grad():
        rows = [
            model(normalise(torch.from_numpy(one.copy()).movedim(-1, 0)[None], meta["mean"], meta["std"]))
            for one in images
        ]
    return torch.cat(rows).numpy()


def images_of(data: Path) -> dict[str, np.ndarray]:
    return {
        f"images/{path.name}": np.asarray(Image.open(path)) for path in sorted((data / "images").iterdir())
    }


def tags_of(data: Path) -> np.ndarray:
    """(N,) the only foreground class of each image, counted without the background."""
    labels = open_dataset(data).labels
    assert labels is not None
    return labels[:, 1:].argmax(1)


class TestSegmenters:
    @pytest.mark.parametrize(
        ("name", "severity"), [("defocus-blur", 5), ("gaussian-noise", 4), ("elastic-transform", 5)]
    )
    def test_miou_is_that_of_predict_and_eval(
        self, data: Path, segmenter: Path, tmp_path: Path, name: str, severity: int
    ) -> None:
        found = robustness(data, weights=segmenter, corruption=[name], severity=[severity], **ONE, **CPU)
        copy = corrupted_copy(data, tmp_path / "copy", name, severity)
        rows = []
        for folder in (data, copy):
            predict(folder, weights=segmenter, output=tmp_path / f"{folder.name}.h5", **ONE, **CPU)
            rows += evaluate(tmp_path / f"{folder.name}.h5", truth=folder, bootstrap=0)["rows"]
        assert [found["clean"], at(found, name, severity)] == [row["miou"] for row in rows]
        accuracy = found["metrics"]["pixel_accuracy"]
        assert [accuracy["clean"], at(accuracy, name, severity)] == [row["pixel_accuracy"] for row in rows]
        assert found["metric"] == "miou" and found["images"] == 16
        assert rows[0]["miou"] > 0.5, "the segmenter has learned nothing, and this test shows nothing"
        assert rows[1]["miou"] != rows[0]["miou"]

    def test_the_ground_truth_moves_with_the_objects(
        self, data: Path, segmenter: Path, tmp_path: Path
    ) -> None:
        """Against the mask of the clean image, the same prediction has another score."""
        own = {"weights": segmenter, "corruption": ["elastic-transform"], "severity": [5], **ONE, **CPU}
        found = robustness(data, **own)
        copy = corrupted_copy(data, tmp_path / "copy", "elastic-transform", 5)
        predict(copy, weights=segmenter, output=tmp_path / "p.h5", **ONE, **CPU)
        still = evaluate(tmp_path / "p.h5", truth=data, bootstrap=0)["rows"][0]["miou"]
        assert at(found, "elastic-transform", 5) != still

    def test_another_image_size_is_scored_at_the_size_of_the_masks(
        self, data: Path, segmenter: Path, tmp_path: Path
    ) -> None:
        own = {"weights": segmenter, "corruption": ["gaussian-blur"], "severity": [2], "image_size": 24}
        own |= {**ONE, **CPU}
        found = robustness(data, output=tmp_path / "s.h5", **own)
        assert found["applied"] == {
            **{"at": "native", "image_size": 24, "crop": False},
            **{"rows": [33, 40], "columns": [36, 50]},
        }
        _, records, _ = read(tmp_path / "s.h5")
        pixels = [image.shape[0] * image.shape[1] for image in images_of(data).values()]
        assert [int(one.data[0, :, 2].sum()) for one in records] == pixels
        at_input = robustness(data, corrupt_at="input", **own)
        assert at_input["applied"]["rows"] == [24, 26] and at_input["applied"]["columns"] == [24, 36]
        assert at_input["clean"] == found["clean"] and at_input["robust"] != found["robust"]


class TestClassifiers:
    def test_accuracy_is_the_share_of_right_arg_max(self, data: Path, classifier: Path) -> None:
        found = robustness(data, weights=classifier, corruption=["contrast"], severity=[2, 5], seed=3, **CPU)
        tags, images = tags_of(data), images_of(data)
        scores = {0: found["clean"], 2: at(found, "contrast", 2), 5: at(found, "contrast", 5)}
        for severity, score in scores.items():
            seen = [
                corrupt(one, "contrast", severity, image_name=name, seed=3) if severity else one
                for name, one in images.items()
            ]
            assert score == np.mean(logits_by_hand(classifier, seen).argmax(1) == tags)
        assert found["metric"] == "accuracy" and found["clean"] > 0.7
        assert found["retention"] == pytest.approx(found["robust"] / found["clean"])
        assert len(set(scores.values())) > 1

    def test_several_tags_are_scored_as_by_cam_and_eval(self, tagger: Path, tmp_path: Path) -> None:
        data = write_data(tmp_path / "several")
        weights = load_weights(tagger)
        meta = {**weights.meta, "classes": ["background", "circle", "square"]}
        save_weights(tmp_path / "tags.pth", weights.state_dict, meta)
        own = {"weights": tmp_path / "tags.pth", **CPU, **ONE}
        found = robustness(data, corruption=["saturate"], severity=[5], **own)
        fog = {"corruption": "saturate", "severity": 5}
        for more, score in (({}, found["clean"]), (fog, at(found, "saturate", 5))):
            cam(data, output=tmp_path / "c.h5", targets="all", force=True, **more, **own)
            tags = evaluate(tmp_path / "c.h5", bootstrap=0)["rows"][0]["tags"]
            exact = found["metrics"]["exact_match"]
            assert score == tags["map"]
            assert (at(exact, "saturate", 5) if more else exact["clean"]) == tags["exact_match"]
        assert found["metric"] == "map" and found["mce"] is None and "one tag each" in found["mce_missing"]

    def test_images_without_a_tag_are_left_out_of_the_accuracy(
        self, data: Path, classifier: Path, tagger: Path, tmp_path: Path
    ) -> None:
        """They count for a network with a score for each class, which can say that there is nothing."""
        rows = (data / "labels.csv").read_text().splitlines()
        (tmp_path / "some.csv").write_text(
            "\n".join([*rows[:-2], *(row.split(",")[0] + "," for row in rows[-2:])])
        )
        heard, own = Heard(), {"labels": tmp_path / "some.csv", "corruption": ["fog"], "severity": [1], **CPU}
        found = robustness(data, weights=classifier, messages=heard, **own)
        assert found["metric"] == "accuracy" and found["images"] == 14
        assert "left out: 2 images without a tag" in heard.warned
        found = robustness(data, weights=tagger, **own)
        assert found["metric"] == "map" and found["images"] == 16


class TestTokenHeads:
    @pytest.fixture
    def weights(self, data: Path, classifier: Path, tmp_path: Path) -> Path:
        torch.manual_seed(0)
        model = build_classifier("fan-micro", 2, token_head=True)
        with torch.no_grad():
            model.head.aux_head.weight.normal_(0, 10)
        meta = {**load_weights(classifier).meta, "arch": "fan-micro", "output_stride": 16, "token_head": True}
        save_weights(tmp_path / "fan.pth", model.state_dict(), meta)
        return tmp_path / "fan.pth"

    def test_both_rules(self, data: Path, weights: Path, tmp_path: Path) -> None:
        model, meta = build_from_weights(weights)
        assert isinstance(model, FanClassifier)
        best: dict[str, list[int]] = {"class": [], "combined": []}
        for image in images_of(data).values():
            x = normalise(torch.from_numpy(image.copy()).movedim(-1, 0)[None], meta["mean"], meta["std"])
            with torch.no_grad():
                logits, maps = model.with_token_maps(x)
            best["class"].append(int(logits.argmax(1)) + 1)
            tokens = maps.flatten(2).transpose(1, 2)
            best["combined"].append(int(combined_logits(logits, tokens).argmax(1)) + 1)
        assert best["class"] != best["combined"]
        for rule, expected in best.items():
            own = {"weights": weights, "score": rule, "corruption": ["fog"], "severity": [1], **CPU, **ONE}
            robustness(data, output=tmp_path / f"{rule}.h5", **own)
            header, records, _ = read(tmp_path / f"{rule}.h5")
            assert [int(one.data[0, 0, 0]) for one in records] == expected
            assert header.params["score"] == rule

    def test_the_combined_rule_is_the_default(self, data: Path, weights: Path, tmp_path: Path) -> None:
        robustness(data, weights=weights, corruption=["fog"], severity=[1], output=tmp_path / "s.h5", **CPU)
        assert read(tmp_path / "s.h5")[0].params["score"] == "combined"

    @pytest.mark.parametrize("rule", ["class", "combined"])
    def test_a_network_without_tokens_warns(self, data: Path, classifier: Path, rule: str) -> None:
        heard = Heard()
        own: dict[str, Any] = {"corruption": ["fog"], "severity": [1], **CPU}
        robustness(data, weights=classifier, score=rule, messages=heard, **own)
        assert any(f"--score {rule} does nothing" in text for text in heard.warned)

    def test_scores_that_are_not_kept_are_those_of_the_data(self, data: Path, classifier: Path) -> None:
        found = robustness(data, weights=classifier, corruption=["fog"], severity=[1], **CPU)
        assert found["source"] == str(data)


class TestSubsets:
    @pytest.fixture
    def weights(self, classifier: Path, tmp_path: Path) -> Path:
        """Four outputs without names of their own, of which 3 and 1 are those of the classifier."""
        weights = load_weights(classifier)
        state = dict(weights.state_dict)
        for name in ("head.weight", "head.bias"):
            old = state[name]
            wide = torch.full((4, *old.shape[1:]), 0.0)
            wide[3], wide[1] = old[0], old[1]
            if name == "head.bias":
                wide[0] = wide[2] = 1000.0  # wins if it may
            state[name] = wide
        meta = {**weights.meta, "classes": ["a", "b", "c", "d"], "class_ids": [0, 1, 2, 3], "background": -1}
        save_weights(tmp_path / "wide.pth", state, meta)
        return tmp_path / "wide.pth"

    def test_lines_belong_to_the_classes_of_the_data_in_their_order(
        self, data: Path, classifier: Path, weights: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "lines.txt").write_text("3\n1\n")
        own = {"corruption": ["fog"], "severity": [3], **CPU}
        expected = robustness(data, weights=classifier, **own)
        found = robustness(data, weights=weights, subset=tmp_path / "lines.txt", **own)
        assert found["clean"] == expected["clean"] and found["robust"] == expected["robust"]
        (tmp_path / "turned.txt").write_text("1\n\n3\n")
        turned = robustness(data, weights=weights, subset=tmp_path / "turned.txt", **own)
        assert turned["clean"] == pytest.approx(1 - expected["clean"])

    def test_names_decide_where_there_are_names(self, data: Path, weights: Path, tmp_path: Path) -> None:
        named = load_weights(weights)
        meta = {**named.meta, "classes": ["x", "dog", "y", "cat"]}
        save_weights(tmp_path / "named.pth", named.state_dict, meta)
        (tmp_path / "lines.txt").write_text("1\n3\n")
        (tmp_path / "turned.txt").write_text("3\n1\n")
        own = {"weights": tmp_path / "named.pth", "corruption": ["fog"], "severity": [3], **CPU}
        one, other = (robustness(data, subset=tmp_path / f"{n}.txt", **own) for n in ("lines", "turned"))
        assert one["clean"] == other["clean"] > 0.7
