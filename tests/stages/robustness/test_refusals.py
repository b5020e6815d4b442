"""What ``robustness`` refuses, each in one sentence, before anything is computed or written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsstool.errors import BadInputError, MissingInputError, UsageError, WsstoolError
from wsstool.models.contour import build_contour
from wsstool.models.weights import load_weights, save_weights
from wsstool.stages.robustness.robustness import robustness


@pytest.mark.parametrize(
    ("own", "error", "says"),
    [
        ({"severity": [0]}, UsageError, r"^--severity 0: give a number in \[1, 5\]$"),
        ({"severity": [3, 6]}, UsageError, r"^--severity 6: give a number in \[1, 5\]$"),
        ({"severity_set": "city"}, UsageError, "--severity-set city: choose from all, segformer"),
        ({"corruption": ["foggy"]}, UsageError, r"no corruption 'foggy'; did you mean 'fog'\?"),
        ({"corruption": ["wether"]}, UsageError, r"did you mean 'weather'\?"),
        ({"frost": Path("nowhere")}, MissingInputError, "no photographs of frost in 'nowhere'"),
        ({"image_size": 0}, UsageError, "--image-size 0"),
        ({"weights": None}, UsageError, "name the network with --weights"),
        ({"output": Path("-")}, UsageError, "the scores are printed; name a file"),
        ({"shard": "2/2"}, UsageError, "--shard 2/2"),
        ({"truth": Path("masks")}, UsageError, "--truth names masks, and '.*cls.pth' is a classifier"),
        ({"subset": Path("none.txt")}, MissingInputError, "cannot read 'none.txt'"),
    ],
)
def test_options(
    data: Path, classifier: Path, tmp_path: Path, own: dict[str, Any], error: type[WsstoolError], says: str
) -> None:
    with pytest.raises(error, match=says):
        robustness(data, **{"weights": classifier, "output": tmp_path / "s.h5", "device": "cpu", **own})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"crop": True, "image_size": 32}, "--crop cuts out the square that is classified"),
        ({"subset": Path("s.txt")}, "--subset restricts the best class"),
        ({"score": "class"}, "--score chooses among logits of the image"),
    ],
)
def test_options_of_a_classifier_for_a_segmenter(
    data: Path, segmenter: Path, own: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=f"{says}, and '.*seg.pth' is a segmenter"):
        robustness(data, weights=segmenter, device="cpu", **own)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0\nx\n", "line 2: 'x' is not the number of an output, 0 to 1"),
        ("0\n\n2\n", "line 3: '2' is not the number of an output, 0 to 1"),
        ("1\n1\n", "line 2: output 1 is listed twice"),
        ("\n", "lists no output"),
        ("1\n", "'images/00.png' has the tag 'cat', which '.*' leaves out"),
    ],
)
def test_subsets(data: Path, classifier: Path, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "subset.txt").write_text(text)
    with pytest.raises(BadInputError, match=says):
        robustness(data, weights=classifier, subset=tmp_path / "subset.txt", device="cpu")


def test_a_subset_of_another_number_of_classes(data: Path, classifier: Path, tmp_path: Path) -> None:
    (tmp_path / "subset.txt").write_text("0\n")
    weights = load_weights(classifier)
    meta = {**weights.meta, "classes": ["background", "n01", "n02"]}
    save_weights(tmp_path / "other.pth", weights.state_dict, meta)
    with pytest.raises(BadInputError, match="lists 1 outputs, but the data have 2 classes"):
        robustness(data, weights=tmp_path / "other.pth", subset=tmp_path / "subset.txt", device="cpu")


def test_a_subset_of_several_tags(data: Path, tagger: Path, tmp_path: Path) -> None:
    lines = (data / "labels.csv").read_text().splitlines()
    (tmp_path / "tags.csv").write_text("\n".join([*lines[:-1], lines[-1].split(",")[0] + ",cat dog"]))
    (tmp_path / "subset.txt").write_text("0\n1\n")
    own = {"labels": tmp_path / "tags.csv", "subset": tmp_path / "subset.txt"}
    with pytest.raises(UsageError, match="--subset restricts the best class; images of these data"):
        robustness(data, weights=tagger, device="cpu", **own)


class TestNetworksAndData:
    def test_a_contour_network(self, data: Path, tmp_path: Path) -> None:
        meta = {"task": "contour", "arch": "tiny"}
        save_weights(tmp_path / "contour.pth", build_contour("tiny").state_dict(), meta)
        with pytest.raises(BadInputError, match="is a contour network; give a classifier or a segmenter"):
            robustness(data, weights=tmp_path / "contour.pth")

    @pytest.mark.parametrize("network", ["classifier", "segmenter"])
    def test_other_classes(
        self, data: Path, request: pytest.FixtureRequest, network: str, tmp_path: Path
    ) -> None:
        weights = load_weights(request.getfixturevalue(network))
        meta = {**weights.meta, "classes": ["background", "cat", "cow"]}
        save_weights(tmp_path / "x.pth", weights.state_dict, meta)
        says = {
            "classifier": "different classes, .*: background, cat, cow; and background, cat, dog",
            "segmenter": "different classes, .*: background, cat, cow; and background, cat, dog",
        }
        with pytest.raises(BadInputError, match=says[network]):
            robustness(data, weights=tmp_path / "x.pth", device="cpu")

    def test_no_tags(self, data: Path, classifier: Path, tmp_path: Path) -> None:
        (tmp_path / "bare").mkdir()
        (tmp_path / "bare" / "a.png").write_bytes((data / "images" / "00.png").read_bytes())
        with pytest.raises(BadInputError, match="has no tags to score a classifier; name them with --labels"):
            robustness(tmp_path / "bare", weights=classifier, device="cpu")

    def test_no_masks(self, data: Path, segmenter: Path, tmp_path: Path) -> None:
        (tmp_path / "bare").mkdir()
        (tmp_path / "bare" / "a.png").write_bytes((data / "images" / "00.png").read_bytes())
        with pytest.raises(MissingInputError, match=r"'a\.png'"):
            robustness(tmp_path / "bare", weights=segmenter, device="cpu")

    def test_an_empty_shard(self, data: Path, classifier: Path) -> None:
        found = robustness(
            data, weights=classifier, shard="0/500", device="cpu", corruption=["fog"], severity=[1]
        )
        assert found["images"] == 0 and found["failed"] == []


class TestScoreFiles:
    @pytest.fixture
    def scores(self, data: Path, classifier: Path, tmp_path: Path) -> Path:
        own = {"corruption": ["fog"], "severity": [1], "device": "cpu"}
        robustness(data, weights=classifier, output=tmp_path / "s.h5", **own)
        return tmp_path / "s.h5"

    def test_take_no_options_of_a_run(self, scores: Path, classifier: Path) -> None:
        with pytest.raises(
            UsageError, match=r"--weights needs a data folder; the scores of '.*' are only shown"
        ):
            robustness(scores, weights=classifier)
        with pytest.raises(UsageError, match="--severity needs a data folder"):
            robustness(scores, severity=[2])

    def test_of_another_kind(self, data: Path, tmp_path: Path) -> None:
        (tmp_path / "s.json").write_text("{}")
        with pytest.raises(BadInputError, match="is not an HDF5 file"):
            robustness(tmp_path / "s.json")

    def test_damaged(self, scores: Path) -> None:
        content = bytearray(scores.read_bytes())
        content[-200] ^= 1
        scores.write_bytes(content)
        with pytest.raises(BadInputError, match="checksum"):
            robustness(scores)

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInputError, match="there is no data folder or score file"):
            robustness(tmp_path / "s.h5", weights=tmp_path / "w.pth")
