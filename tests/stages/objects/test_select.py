"""``select``: from proposals and maps, or from boxes alone, to masks with a quality."""

import json
import os
import shlex
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer.main

from tests.messages import Heard
from tests.stages.object_sets import SIZE, objects_of, truth_of, write_maps, write_objects, write_proposals
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, MissingInputError, SomeFailedError, UsageError
from wsstool.registry import FILLERS, SELECTORS
from wsstool.stages.inputs.boxes import open_box_dataset
from wsstool.stages.objects.select import select

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "data")


@pytest.fixture(scope="module")
def files(root):
    folder = root.parent
    return write_proposals(folder / "p.h5", root), write_maps(folder / "c.h5", root)


def ious(path: Path) -> list[float]:
    found = []
    with store.open_records(path, kinds=("selection",)) as reader:
        for record in reader.records():
            rows = record.header.rows(record.index, "box")
            windows = record.header.columns["window"][rows].tolist()
            number = int(Path(record.name).stem[1:])
            for (x0, y0, x1, y1), mask, (_, truth) in zip(
                windows, record.windows, truth_of(number), strict=True
            ):
                whole = np.zeros(SIZE, bool)
                whole[y0:y1, x0:x1] = mask == 1
                found.append((whole & truth).sum() / (whole | truth).sum())
    return found


def tail(path: Path, name: str) -> list:
    return store.open_random(path).tail[name].tolist()


@pytest.mark.parametrize(
    ("method", "settings", "least"),
    [
        ("greedy", ("guide=region", "inside=0.3"), 0.85),
        ("greedy", ("guide=both", "inside=0.3"), 0.85),
        ("prior", (), 1.0),
        ("grabcut", (), 0.6),
        ("box", (), 0.7),
        ("ellipse", (), 0.7),
    ],
)
def test_masks_of_every_kind(files, root, tmp_path, method, settings, least):
    proposals, maps = files
    source = str(proposals) if method in SELECTORS.names() else None
    found = select(source, contour=str(maps), method=method, settings=settings, output=tmp_path / "s.h5")
    assert found["objects"] == 7 and not found["failed"]
    assert min(ious(tmp_path / "s.h5")) >= least
    header = store.open_random(tmp_path / "s.h5").header
    np.testing.assert_array_equal(header.columns["window"], objects_of(root, range(5)).columns["window"])
    assert header.provenance[-1]["stage"] == "select"


def test_every_method_runs_and_says_when_a_fallback_helped(files, tmp_path):
    for name in (*SELECTORS.names(), *FILLERS.names()):
        if name == "grabcut-opencv":
            continue
        source = str(files[0]) if name in SELECTORS.names() else None
        found = select(source, contour=str(files[1]), method=name, output=tmp_path / f"{name}.h5")
        assert sum(found["fallbacks"].values()) == sum(tail(tmp_path / f"{name}.h5", "fallback"))
        assert 0 < found["score"] <= 1


def test_workers_and_a_restart_change_nothing(files, tmp_path):
    options = {"contour": str(files[1]), "settings": ["guide=region"]}
    select(str(files[0]), output=tmp_path / "a.h5", workers=0, **options)
    select(str(files[0]), output=tmp_path / "b.h5", workers=3, **options)
    whole = (tmp_path / "a.h5").read_bytes()
    assert whole == (tmp_path / "b.h5").read_bytes()
    assert select(str(files[0]), output=tmp_path / "a.h5", **options)["score"] is None  # up to date


def test_a_data_folder_and_its_boxes(root, tmp_path):
    found = select(str(root), method="ellipse", output=tmp_path / "s.h5")
    assert found["images"] == 5 and found["objects"] == 7 and not found["fallbacks"]
    ids = store.open_random(tmp_path / "s.h5").header.columns["box_id"]
    assert ids.tolist() == list(range(100, 107))


def test_proposals_without_maps(files, tmp_path):
    found = select(str(files[0]), method="proposal", output=tmp_path / "s.h5", baselines=True)
    assert found["objects"] == 7
    assert set(found["baselines"]) == {"box", "ellipse", "grabcut"}
    assert found["baselines"]["box"] == pytest.approx(1)  # the fit to the box is all there is to judge by


def test_maps_belong_to_boxes_by_number(files, root, tmp_path):
    content = json.loads((root / "boxes.json").read_text())
    for one in content["annotations"]:
        one["bbox"][2] -= 4
    content["annotations"][0]["id"] = 999
    (tmp_path / "other.json").write_text(json.dumps(content))
    found = select(
        None, contour=str(files[1]), boxes=tmp_path / "other.json", method="prior", output=tmp_path / "s.h5"
    )
    assert found["fallbacks"] == {"empty map": 1}
    assert min(ious(tmp_path / "s.h5")[1:]) > 0.7


def test_no_proposal_in_the_box_and_an_empty_map(files, root, tmp_path):
    empty = write_maps(tmp_path / "empty.h5", root, level=0.0)
    found = select(str(files[0]), contour=str(empty), output=tmp_path / "s.h5")
    assert found["fallbacks"] == {"empty map": 7}
    assert all(tail(tmp_path / "s.h5", "fallback")) and min(ious(tmp_path / "s.h5")) > 0.6
    coarse = write_proposals(tmp_path / "coarse.h5", root, side=100)
    found = select(str(coarse), contour=str(files[1]), settings=["guide=region"], output=tmp_path / "t.h5")
    assert found["fallbacks"] == {"no proposal in the box": 6}  # but for the object that fills the image
    assert min(ious(tmp_path / "t.h5")) == 1  # the map itself came next


def test_a_setting_that_does_nothing_is_said_to(files, tmp_path):
    heard = Heard()
    options = {"contour": str(files[1]), "output": tmp_path / "s.h5", "messages": heard}
    select(str(files[0]), settings=["guide=region", "f1=yes", "threshold=.4"], **options)
    assert heard.warned == ["--set f1 does nothing without guide=contour or both"]


def test_options_of_other_inputs_are_refused(files, tmp_path):
    for own, says in (({"split": "test"}, "--split"), ({"box_format": "xyxy"}, "--box-format")):
        with pytest.raises(UsageError, match=says):
            select(str(files[0]), contour=str(files[1]), output=tmp_path / "s.h5", **own)


def test_regions_read_as_outlines_are_warned_of(files, tmp_path):
    proposals, maps = files
    for guide in ("region", "contour"):
        heard = Heard()
        select(
            str(proposals),
            contour=str(maps),
            output=tmp_path / "s.h5",
            settings=[f"guide={guide}"],
            messages=heard,
        )
        found = [text for text in heard.warned if "look like filled regions" in text]
        assert len(found) == (guide == "contour")
    assert "--set guide=region" in found[0]


def test_without_pixels_the_fallback_is_the_ellipse(files, root, tmp_path):
    (tmp_path / "gone").mkdir()
    write_objects(tmp_path / "gone")
    maps = write_maps(tmp_path / "c.h5", tmp_path / "gone", level=0.0)
    (tmp_path / "gone").rename(tmp_path / "elsewhere")
    found = select(str(files[0]), contour=str(maps), output=tmp_path / "s.h5")
    header = store.open_random(tmp_path / "s.h5").header
    assert found["fallbacks"] == {"empty map": 7}
    typed = {word for word in shlex.split(header.provenance[-1]["command"]) if word.startswith("--")}
    assert typed <= {option for p in COMMANDS["select"].params for option in p.opts}


def test_five_hundred_boxes(root, tmp_path):
    content = json.loads((root / "boxes.json").read_text())
    rng = np.random.default_rng(0)
    content["annotations"] = [
        {
            "id": k,
            "image_id": 0,
            "category_id": 1 + k % 2,
            "bbox": [*rng.integers(0, 40, 2).tolist(), *rng.integers(2, 16, 2).tolist()],
            "iscrowd": 0,
        }
        for k in range(500)
    ]
    (tmp_path / "many.json").write_text(json.dumps(content))
    proposals = write_proposals(tmp_path / "p.h5", root)
    found = select(str(proposals), boxes=tmp_path / "many.json", method="proposal", output=tmp_path / "s.h5")
    assert found["objects"] == 500


def test_failed_images_stay_failed(files, root, tmp_path):
    maps = write_maps(tmp_path / "c.h5", root, failed=(1,))
    with pytest.raises(SomeFailedError, match="p1"):
        select(None, contour=str(maps), method="prior", output=tmp_path / "s.h5")
    records = store.open_random(tmp_path / "s.h5")
    assert records[1].failed and not records[0].failed


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"source": "c", "method": "greedy"}, UsageError, "proposals"),
        ({"source": "p", "method": "greedy"}, UsageError, "--contour"),
        ({"source": "p", "method": "greedy", "contour": "c", "settings": ["x=1"]}, UsageError, "no option"),
        ({"source": "p", "contour": "p"}, BadInputError, "is a proposal file"),
        ({"source": "p", "contour": "c", "settings": ["guide=x"]}, UsageError, "guide=x"),
        ({"source": "data", "contour": "c"}, UsageError, "is a folder"),
        ({"source": "p", "contour": "c", "split": "train"}, UsageError, "--split"),
        ({"source": "p", "contour": "c", "fallback": "x"}, UsageError, "--fallback"),
        ({"source": "p", "method": "proposal", "fallback": "prior"}, UsageError, "maps"),
        ({"source": "-", "contour": "-"}, UsageError, "standard input"),
        ({"source": "nothing.h5", "contour": "c"}, MissingInputError, "nothing.h5"),
        ({"contour": "c", "method": "grabcut", "images": Path("nowhere")}, MissingInputError, "nowhere"),
    ],
    ids=str,
)
def test_what_does_not_fit(files, root, tmp_path, arguments, error, says):
    known = {"p": str(files[0]), "c": str(files[1]), "data": str(root)}
    given = {
        key: known.get(value, value) if isinstance(value, str) else value for key, value in arguments.items()
    }
    if arguments.get("split"):
        given["boxes"] = root / "boxes.json"
    with pytest.raises(error, match=says):
        select(output=tmp_path / "s.h5", **given)


def test_proposals_of_other_images(files, root, tmp_path):
    few = write_proposals(tmp_path / "few.h5", root, indices=(0, 2, 3, 4))
    with pytest.raises(BadInputError, match=r"images/p1\.png"):
        select(str(few), contour=str(files[1]), output=tmp_path / "s.h5")
    maps = write_maps(tmp_path / "c.h5", root, indices=(1, 3))  # proposals may be of more images
    assert select(str(files[0]), contour=str(maps), output=tmp_path / "t.h5")["objects"] == 2


def test_in_a_pipe(files, root, tmp_path):
    program = [sys.executable, "-m", "wsstool", "select"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    with open(files[1], "rb") as maps:
        done = subprocess.run(
            [*program, str(files[0]), "--contour", "-", "--set", "guide=region", "-q"],
            stdin=maps, capture_output=True, env=environment, check=True,
        )  # fmt: skip
    select(str(files[0]), contour=str(files[1]), settings=["guide=region"], output=tmp_path / "s.h5")
    (tmp_path / "t.h5").write_bytes(done.stdout)
    assert ious(tmp_path / "t.h5") == ious(tmp_path / "s.h5")


def test_no_box_that_can_be_used_is_an_error_but_not_in_a_shard(root, tmp_path):
    content = json.loads((root / "boxes.json").read_text())
    for one in content["annotations"]:
        one.update(iscrowd=1, segmentation=None)
    spoiled = tmp_path / "crowds.json"
    spoiled.write_text(json.dumps(content))
    with pytest.raises(BadInputError, match=r"no usable box \(crowd region: 7\)"):
        select(str(root), boxes=spoiled, method="ellipse", output=tmp_path / "s.h5")
    proposals = write_proposals(tmp_path / "p.h5", root)
    with pytest.raises(BadInputError, match="has no usable box"):
        select(str(proposals), boxes=spoiled, settings=["guide=box"], output=tmp_path / "s.h5")
    assert not list(tmp_path.glob("s.h5*"))
    said = Heard()
    part = open_box_dataset(root, boxes=spoiled, shard="0/1", messages=said)
    assert not part.objects() and any("no usable box" in text for text in said.warned)
    spoiled.write_text(json.dumps({**content, "annotations": []}))
    assert not select(str(root), boxes=spoiled, method="ellipse", output=tmp_path / "s.h5")["objects"]


def test_proposals_of_other_images_of_equal_names_and_sizes(files, tmp_path):
    proposals, maps = files
    for fingerprint, legal in (("1" * 32, False), ("stat:" + "1" * 32, True)):
        with store.open_records(proposals) as reader:
            assert [one["role"] for one in reader.header.inputs] == ["data"]
            header = replace(reader.header, inputs=[{"role": "data", "fingerprint": fingerprint}])
            with store.create(header, tmp_path / "p.h5", force=True, max_failed=9) as writer:
                for record in reader.records():
                    writer.write(record.data)
        says = "of equal names, but of different content"
        with nullcontext() if legal else pytest.raises(BadInputError, match=says):
            select(str(tmp_path / "p.h5"), contour=str(maps), output=tmp_path / "s.h5")
