"""Pages that show commands are executed; pages that are generated are fresh; links lead somewhere."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_in_blocks_exist(page):
    from wsstool.cli.app import COMMANDS

    for block in re.findall(r"```(?:bash|make|text)\n(.*?)```", page.read_text(), re.S):
        for name in re.findall(r"(?:^|\$ |\| *|; )wsstool ([a-z][a-z-]+)", block, re.M):
            assert name in COMMANDS, name


@pytest.fixture
def read_along(tmp_path):
    """Runs all bash blocks of a page in one shell, in an empty folder."""
    program = tmp_path / "bin" / "wsstool"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wsstool "$@"\n')
    program.chmod(0o755)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSSTOOL_")}
    environment |= {"PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def read_along(page: str) -> subprocess.CompletedProcess:
        blocks = re.findall(r"```bash\n(.*?)```", (ROOT / page).read_text(), re.S)
        script = "set -euo pipefail\n" + "\n".join(blocks)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    return read_along


@pytest.mark.slow
def test_the_tutorial_runs(read_along, tmp_path):
    done = read_along("docs/tutorial/tags.md")
    assert "refine crf -> pamr" in done.stderr
    assert (tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_cvat_page_runs(read_along, tmp_path):
    done = read_along("docs/howto/cvat.md")
    assert "left out" not in re.sub(r"left out \d+ masks with a score below 0\.5", "", done.stderr)
    assert (tmp_path / "for-cvat.xml").read_text().count("<mask ") > 40
    good = (tmp_path / "good.xml").read_text()
    assert 0 < good.count("<box ") == good.count("<mask ")


@pytest.mark.slow
def test_the_page_about_backbones_runs(read_along):
    pytest.importorskip("timm")
    done = read_along("docs/howto/backbones.md")
    assert done.stderr.count("interpolates its 10 x 10 positions") == 3, "once per command"


@pytest.mark.slow
def test_the_page_about_sentences_runs(read_along, tmp_path):
    done = read_along("docs/howto/sentences.md")
    assert "left out" not in done.stderr
    assert (tmp_path / "refcoco" / "refs(wsstool).json").exists()
    again, first = (tmp_path / name for name in ("again.jsonl", "data/referring.jsonl"))
    assert len(again.read_text().splitlines()) == len(first.read_text().splitlines())
    (row,) = json.loads((tmp_path / "scores.json").read_text())["rows"]
    assert row["overall_iou"] > 2 * row["baselines"]["largest object"]["overall_iou"]
    shown = (tmp_path / "overlays/sentences.jsonl").read_text().splitlines()
    assert len(shown) == row["sentences"] == len(list((tmp_path / "overlays").glob("*.png")))
    assert list((tmp_path / "strips").glob("boxes-worst-000-*.png"))


@pytest.mark.slow
def test_the_tissue_page_runs(read_along, tmp_path):
    done = read_along("docs/howto/tissue-patches.md")
    assert "no layer" not in done.stderr and "training fcn-tiny, multilayer" in done.stderr
    assert (tmp_path / "gated.h5").exists()
    assert len(list((tmp_path / "train_PM").glob("PM_*/*.png"))) > 3


@pytest.mark.slow
def test_the_page_about_slides_runs(read_along, tmp_path):
    done = read_along("docs/howto/slides.md")
    assert "36 tiles of 1 slide in 'tiles', 28 of glass left out" in done.stderr
    features = json.loads((tmp_path / "outlines/slide.geojson").read_text())["features"]
    points = np.array([point for one in features for ring in _rings(one["geometry"]) for point in ring])
    assert features and points.min() >= 128 and points.max() <= 128 * 7
    labels = tifffile.imread(tmp_path / "maps/slide.tif")
    assert labels.shape == (1024, 1024) and (labels != 255).sum() == 36 * 128**2


def _rings(geometry):
    shapes = geometry["coordinates"]
    return shapes if geometry["type"] == "Polygon" else [ring for part in shapes for ring in part]


@pytest.mark.slow
def test_the_segmenter_page_runs(read_along, tmp_path):
    read_along("docs/howto/segmenter-from-pseudo-masks.md")
    assert (tmp_path / "seg.fcn8s-tiny.pth").exists() and (tmp_path / "prediction.h5").exists()


@pytest.mark.slow
def test_the_page_about_refiners_runs(read_along, tmp_path):
    read_along("docs/howto/sharper-masks.md")
    assert (tmp_path / "sure.h5").exists() and (tmp_path / "refiners.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_page_about_robustness_runs(read_along, tmp_path):
    done = read_along("docs/howto/robustness.md")
    found = [json.loads("{" + part) for part in re.split(r"^\{", done.stdout, flags=re.M)[1:]]
    assert [len(one["corruptions"]) for one in found] == [19, 5, 4, 4, 4]
    one, other, joined = (part["images"] for part in found[2:])
    assert one + other == joined == 30 and found[4]["notes"] == []
    assert found[0]["metric"] == "miou" and (tmp_path / "robustness.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_page_about_onnx_runs(read_along, tmp_path, monkeypatch):
    """Its lines of Python give the masks of ``predict``."""
    import numpy as np
    from PIL import Image

    from wsstool.stages.exchange.export import export

    done = read_along("docs/howto/onnx.md")
    assert "largest difference from torch" in done.stderr and (tmp_path / "seg.pt2").exists()
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name, reason=f"{name} of the extra onnx is not installed")
    monkeypatch.chdir(tmp_path)
    export("seg.pth", output=tmp_path / "seg.onnx")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/howto/onnx.md").read_text(), re.S)
    assert len([line for line in block.splitlines() if line.strip()]) <= 16
    masks = sorted(tmp_path.glob("masks/**/*.png"))[:5]
    assert len(masks) == 5
    for mask in masks:
        (photo,) = tmp_path.glob(f"data/**/images/**/{mask.stem}.*")
        Image.open(photo).save("photo.png")
        exec(block, {})
        assert np.array_equal(np.asarray(Image.open("mask.png")), np.asarray(Image.open(mask)))


@pytest.mark.slow
def test_the_python_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/reference/python.md").read_text(), re.S)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert (tmp_path / "overlay.png").stat().st_size > 1000
    assert names["mask"].shape == names["image"].shape[:2] and names["mask"].dtype == "uint8"
    assert names["sharper"].shape == (2, *names["mask"].shape) and len(names["keep"])


def test_python_blocks_of_the_readme_call_what_there_is():
    import inspect

    import wsstool as ws

    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    stages = {
        c.func.attr: {k.arg for k in c.keywords} for c in calls if ast.unparse(c.func).startswith("ws.")
    }
    assert {"train_cls", "cam", "pseudo_mask", "open"} <= set(stages)
    for name, keywords in stages.items():
        assert keywords <= set(inspect.signature(getattr(ws, name)).parameters), name


def code_cells(path):
    cells = json.loads(path.read_text())["cells"]
    return [one for one in cells if one["cell_type"] == "code"]


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*.ipynb")), ids=lambda p: p.name)
class TestNotebooks:
    def test_is_executed_small_and_of_no_machine(self, path):
        assert [one["execution_count"] for one in code_cells(path)] == list(
            range(1, len(code_cells(path)) + 1)
        )
        assert "image/png" in path.read_text()
        assert path.stat().st_size < 200_000
        outputs = [str(one["outputs"]) for one in code_cells(path)]
        assert not [text for text in outputs if re.search(r"/(tmp|home|root|Users)/", text)]

    @pytest.mark.slow
    def test_runs(self, path, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        names = {}
        for cell in code_cells(path):
            exec("".join(cell["source"]), names)
        assert names["row"]["miou"] > 2 * names["row"]["blind"]["miou"]
        assert names["mask"].shape == names["record"].size
