"""Stages from Python: plain values in, a result that prints well out, no standard input or output."""

import inspect
import logging
from pathlib import Path

import numpy as np
import pytest

import wsstool as ws
from tests.stages.chain import write_cams, write_data
from wsstool.api.results import Result
from wsstool.api.stages import STAGES, as_function


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("api")
    write_data(root / "data")
    write_cams(root / "cams.h5", root / "data")
    return root


def test_plain_strings_will_do(folder, tmp_path):
    masks = str(tmp_path / "masks.h5")
    found = ws.pseudo_mask(str(folder / "cams.h5"), output=masks, layer="features", refine="crf")
    assert found["images"] == 6 and found["output"] == masks
    scores = ws.evaluate(masks, truth=str(folder / "data"), bootstrap=0)
    assert scores["rows"][0]["miou"] > 0.9
    assert "output" not in scores


def test_settings_may_be_a_dictionary(folder, tmp_path):
    texts = tmp_path / "texts.h5"
    ws.pseudo_mask(folder / "cams.h5", output=texts, refine="crf", settings=["logit_scale=4", "steps=3"])
    again = ws.pseudo_mask(
        folder / "cams.h5",
        output=tmp_path / "names.h5",
        refine="crf",
        settings={"logit_scale": 4, "steps": 3},
    )
    assert again["key"] == ws.info(texts)["key"]
    assert (tmp_path / "names.h5").read_bytes() == texts.read_bytes()


@pytest.mark.parametrize("name", ["cam", "pseudo_mask", "propose", "select", "contour", "merge", "nms_files"])
def test_an_output_file_is_required(name):
    with pytest.raises(TypeError, match=rf"{name}\(\) needs output='FILE'"):
        getattr(ws, name)("x.h5")
    with pytest.raises(TypeError, match="needs output"):
        getattr(ws, name)("x.h5", output="-")
    output = inspect.signature(getattr(ws, name)).parameters["output"]
    assert output.default is inspect.Parameter.empty


@pytest.mark.parametrize("name", ["pseudo_mask", "evaluate", "info"])
def test_standard_input_is_not_read(name):
    with pytest.raises(TypeError, match="needs source"):
        getattr(ws, name)(output="x.h5") if name == "pseudo_mask" else getattr(ws, name)()


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_has_its_name_and_no_messages(name):
    function = getattr(ws, name)
    assert function.__name__ == name
    assert "messages" not in inspect.signature(function).parameters


def test_warnings_and_messages_reach_python(caplog):
    def stage(data: Path, *, messages):
        messages.say("said")
        messages.warn("careful")
        with messages.track(2, "images") as advance:
            advance(2)
        return {"data": data}

    with caplog.at_level(logging.INFO, "wsstool"), pytest.warns(UserWarning, match="careful"):
        found = as_function("stage", stage)("x")
    assert found == {"data": Path("x")}
    assert [one.message for one in caplog.records] == ["said"]


def test_values_become_what_a_stage_takes():
    def stage(
        data: Path,
        *,
        log: list[Path] | None = None,
        layer: list[str] | None = None,
        scale: list[float] | None = None,
        source_or_path: str | Path = "",
        messages=None,
    ):
        return {"data": data, "log": log, "layer": layer, "scale": scale, "source": source_or_path}

    found = as_function("stage", stage)("d", log="a", layer=Path("b"), scale=0.5, source_or_path="c")
    assert found == {"data": Path("d"), "log": [Path("a")], "layer": ["b"], "scale": [0.5], "source": "c"}
    assert as_function("stage", stage)("d", scale=(1, 2))["scale"] == [1, 2]
    assert as_function("stage", stage)("d", scale=np.array([1, 2]))["scale"] == [1, 2]


class TestResult:
    def test_prints_as_a_table(self):
        found = Result(images=3, loss=0.12345, lr=1e-5, rows=[{"layer": "a", "miou": 0.5}])
        assert repr(found).splitlines() == [
            "images  3",
            "loss    0.123",
            "lr      1e-05",
            "rows    1 row: miou 0.500",
        ]
        assert repr(Result()) == "done"

    def test_long_values_are_cut(self):
        assert len(repr(Result(a="x" * 500))) < 110

    def test_html_is_escaped(self):
        html = Result({"<i>": "<b>&", "rows": [{"<u>": "<script>", "miou": 0.25}]})._repr_html_()
        assert "<i>" not in html and "<script>" not in html and "<u>" not in html
        assert "&lt;b&gt;&amp;" in html and "0.250" in html

    def test_is_a_dictionary(self):
        assert Result(a=1) == {"a": 1}
