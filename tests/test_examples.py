"""The examples do what they say, on a small drawn set."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from wsstool import store

ROOT = Path(__file__).parents[1]
QUICK = """
[train-cls]
arch = "tiny"
image-size = 64
epochs = 2
batch-size = 8
[cotrain]
arch = "fcn-tiny"
crop-size = 64
epochs = 2
batch-size = 8
"""
TISSUE = """
[pseudo-mask]
rule = "multilayer"
background = "white"
[export]
prefix = "PM_"
flat = true
"""


@pytest.fixture
def run(tmp_path):
    program = tmp_path / "bin" / "wsstool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsstool "$@"\n')
    program.chmod(0o755)
    (tmp_path / "quick.toml").write_text(QUICK)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WSSTOOL_", "MAKE"))}
    environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def run(line: str, code: int = 0) -> subprocess.CompletedProcess:
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return done

    run("wsstool sample -o data --count 30 --size 64")
    return run


@pytest.mark.slow
def test_makefile(run, tmp_path):
    make = f"make -f {ROOT}/examples/Makefile.tags -j 2 RECIPE=quick.toml"
    run(make)
    assert json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert (tmp_path / "report.html").exists()
    assert "Nothing to be done" in run(make).stdout
    before = (tmp_path / "seg.pth").read_bytes()
    run("rm masks.h5 && " + make)  # made again from its shards; the training behind it is up to date
    assert (tmp_path / "seg.pth").read_bytes() == before


@pytest.mark.slow
def test_makefile_with_a_shipped_recipe(run, tmp_path):
    """The recipe chooses its background threshold: one per data set, whatever the number of shards."""
    make = f"make -f {ROOT}/examples/Makefile.tags RECIPE=demo"
    run(f"{make} SHARDS=4")
    masks = (tmp_path / "masks.h5").read_bytes()
    assert "Nothing to be done" in run(f"{make} SHARDS=4").stdout
    run(f"rm masks*.h5 && {make} SHARDS=1 masks.h5")
    one, four = (_masks(path, tmp_path) for path in (tmp_path / "masks.h5", masks))
    assert one == four


def _masks(file, folder):
    """The label maps of a file, given as its path or its bytes."""
    if isinstance(file, bytes):
        (folder / "of-bytes.h5").write_bytes(file)
        file = folder / "of-bytes.h5"
    with store.open_records(file) as reader:
        return [record.data.tobytes() for record in reader.records()]


@pytest.mark.slow
def test_boxes_makefile_with_its_own_defaults(run, tmp_path):
    """That of tags needs start weights for its recipe, which no test downloads; ``demo`` runs above."""
    run(f"make -f {ROOT}/examples/Makefile.boxes")
    assert json.loads((tmp_path / "scores.json").read_text())["rows"]


@pytest.mark.slow
def test_referring_makefile_with_its_own_defaults(run, tmp_path):
    run("wsstool sample --kind referring -o named --count 30 --size 64")
    run(f"make -f {ROOT}/examples/Makefile.referring DATA=named")
    assert json.loads((tmp_path / "scores.json").read_text())["rows"]


@pytest.mark.slow
def test_demo(run, tmp_path):
    run("mkdir demo && mv data demo/data")
    run(f"{ROOT}/examples/demo.sh $PWD/demo")
    assert (tmp_path / "demo/report.html").exists()


@pytest.mark.slow
def test_tissue_makefile(run, tmp_path):
    run("wsstool sample -o tissue --kind tissue --count 30 --size 64")
    (tmp_path / "tissue.toml").write_text(QUICK + TISSUE)
    layers = [f"backbone.features.{k}" for k in (3, 4, 5)]
    make = f"make -f {ROOT}/examples/Makefile.tissue DATA=tissue RECIPE=tissue.toml NETWORK=fcn-tiny "
    make += f"LAYERS='{' '.join(layers)}'"
    run(make)
    (row,) = json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert len(row["classes"]["iou"]) == 4
    folders = [path for path in (tmp_path / "train_PM").iterdir() if path.is_dir()]
    assert {folder.name for folder in folders} == {f"PM_{layer}" for layer in layers}
    assert all(len(list(folder.glob("*.png"))) == 19 for folder in folders)
    assert json.loads(run("wsstool info masks.h5 --json").stdout)["layers"] == layers
    assert "Nothing to be done" in run(make).stdout


BOXES = """
[train-contour]
arch = "tiny"
crop-size = 64
epochs = 4
[cotrain]
arch = "fcn-tiny"
crop-size = 64
epochs = 2
batch-size = 8
"""


@pytest.mark.slow
def test_boxes_makefile(run, tmp_path):
    (tmp_path / "boxes.toml").write_text(BOXES)
    make = f"make -f {ROOT}/examples/Makefile.boxes -j 2 RECIPE=boxes.toml SCORE=0"
    run(make)
    for name in ("selection.json", "objects.json"):
        (row,) = json.loads((tmp_path / name).read_text())["rows"]
        assert row["scored"] and row["instance_miou"] > 0.2 and row["box_fit"] > 0.2
    assert json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert "score" in (tmp_path / "masks.html").read_text()
    assert "Nothing to be done" in run(make).stdout


REFERRING = """
[train-contour]
arch = "bcam-tiny"
crop-size = 64
views = 200
batch-size = 8
[cotrain]
arch = "bcam-tiny"
crop-size = 64
epochs = 1
batch-size = 8
"""


@pytest.mark.slow
def test_referring_makefile(run, tmp_path):
    (tmp_path / "referring.toml").write_text(REFERRING)
    run("wsstool sample --kind referring -o named --count 30 --size 64")
    make = f"make -f {ROOT}/examples/Makefile.referring -j 2 DATA=named RECIPE=referring.toml"
    run(make)
    (row,) = json.loads((tmp_path / "selection.json").read_text())["rows"]
    assert row["mean_iou"] > 0.3
    (row,) = json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert row["sentences"] and "shuffled sentences" in row["baselines"]
    assert "red" in (tmp_path / "prediction.html").read_text()
    assert "Nothing to be done" in run(make).stdout


@pytest.mark.slow
def test_ci_script(run, tmp_path):
    script = f"{ROOT}/examples/ci-reproduce.sh data $PWD/quick.toml"
    run(f"{script} 0.0")
    assert json.loads((tmp_path / "reproduce/scores.json").read_text())["rows"]
    assert (tmp_path / "reproduce/again.sh").read_text().startswith("#!/usr/bin/env bash")
    again = run(f"{script} 0.99", code=4)  # everything is up to date, only the score is too low
    assert again.stderr.count("up to date") >= 3
