"""Bad input of every refiner, as the commands meet it: one sentence, the exit code of the manual."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.messages import Heard
from tests.models.promptable.checkpoints import stand_in
from tests.stages.pseudo_masks.test_pseudo_mask import STUFF, read, write_cams
from wsstool.cli.app import app
from wsstool.errors import ExitCode, UsageError
from wsstool.models.backbones import build_backbone
from wsstool.registry import REFINERS
from wsstool.stages.objects.propose import propose
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.refiners import find_refiner

WRONG = {
    "crf": (
        "bilateral_xy=0",
        "bilateral_rgb=-1",
        "gaussian_xy=nan",
        "steps=-1",
        "preset=x",
        "device=abacus",
        "logit_scale=0",
    ),
    "random-walk": ("beta=-1", "strength=0", "longest_side=0"),
    "pamr": ("steps=-1", "dilations=0", "sharpness=nan"),
    "affinity": ("sharpening=-1", "walk_steps=-1", "grid_side=0"),
    "regions": ("vote=loud", "inside=2", "covering=-1"),
    "sam": ("agreement=2", "min_area=0", "similarity=nan", "strength=0", "span=-1"),
}


@pytest.fixture
def one(tmp_path):
    """Writes a picture of (H, W) and a cam file of its maps."""

    def one(maps, size=(20, 30), ids=(0, 2)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / "000.png")
        maps = np.asarray(maps, np.float32)
        return write_cams(
            tmp_path / "cam.h5",
            [maps],
            classes=STUFF,
            ids=[list(ids)[: len(maps)]],
            sizes=[size],
            root=str(tmp_path),
        )

    return one


def guides(refine, folder, monkeypatch):
    """The options that name what a refiner reads beside the images in a folder."""
    if refine == "regions":
        propose(folder, output=folder / "p.h5", workers=0)
        return {"regions": folder / "p.h5"}
    if refine == "affinity":
        torch.manual_seed(0)
        torch.save(build_backbone("tiny").state_dict(), folder / "b.pth")
        return {"init": folder / "b.pth", "arch": "tiny"}
    if refine == "sam":
        return {"sam_weights": stand_in(folder / "sam", monkeypatch)[0]}
    return {}


def command(*words):
    return CliRunner().invoke(app, ["pseudo-mask", *map(str, words)])


@pytest.mark.parametrize(("refine", "pair"), [(r, pair) for r, pairs in WRONG.items() for pair in pairs])
def test_a_wrong_value_is_found_before_the_first_image(one, tmp_path, refine, pair, monkeypatch):
    path = one(np.ones((1, 2, 3)))  # one label: the refiner itself would have nothing to do
    with pytest.raises(UsageError):
        pseudo_mask(
            path,
            output=tmp_path / "m.h5",
            refine=refine,
            settings=[pair],
            **guides(refine, tmp_path, monkeypatch),
        )
    assert not list(tmp_path.glob("m.h5*"))


def test_every_refiner_has_wrong_values_to_try():
    assert set(WRONG) == set(REFINERS.names())


@pytest.mark.parametrize("refine", REFINERS.names())
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 40)])
def test_pictures_smaller_than_any_receptive_field(one, tmp_path, refine, size, monkeypatch):
    path = one(np.random.default_rng(1).random((2, 2, 3)), size)
    pseudo_mask(path, output=tmp_path / "m.h5", refine=refine, **guides(refine, tmp_path, monkeypatch))
    labels = read(tmp_path / "m.h5")[1][0]
    assert labels.shape == (1, *size) and set(np.unique(labels)) <= {0, 2}


@pytest.mark.parametrize("refine", REFINERS.names())
def test_one_label_is_everywhere(one, tmp_path, refine, monkeypatch):
    path = one(np.eye(3)[None], ids=[2])
    pseudo_mask(path, output=tmp_path / "m.h5", refine=refine, **guides(refine, tmp_path, monkeypatch))
    assert (read(tmp_path / "m.h5")[1][0] == 2).all()


def test_values_behind_a_preset_change_it(one, tmp_path):
    path = one(np.random.default_rng(0).random((2, 20, 30)))
    made = {}
    for name, pairs in {
        "irn": ["preset=irn"],
        "spelled": ["preset=deeplab", "bilateral_xy=50", "bilateral_rgb=5"],
        "overruled": ["bilateral_rgb=90", "preset=irn"],
        "other": ["preset=irn", "bilateral_rgb=200", "bilateral_xy=1"],
    }.items():
        pseudo_mask(path, output=tmp_path / f"{name}.h5", refine="crf", background="none", settings=pairs)
        made[name] = read(tmp_path / f"{name}.h5")[1][0]
    assert (made["spelled"] == made["irn"]).all() and (made["overruled"] == made["irn"]).all()
    assert (made["other"] != made["irn"]).any()


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (["label_probability=0.6"], "--set label_probability does nothing without unary=labels"),
        (["unary=labels", "logit_scale=2"], "--set logit_scale does nothing without unary=logits"),
        (["unary=labels", "label_probability=0.6"], None),
        (["logit_scale=2"], None),
    ],
)
def test_settings_that_do_nothing_are_said_to(one, tmp_path, pairs, said):
    heard = Heard()
    pseudo_mask(
        one(np.ones((2, 4, 5))), output=tmp_path / "m.h5", refine="crf", settings=pairs, messages=heard
    )
    assert heard.warned == ([said] if said else [])


def test_a_sigma_of_zero_is_one_sentence_and_exit_code_2(one, tmp_path):
    done = command(
        one(np.ones((2, 2, 3))), "--refine", "crf", "--set", "bilateral_rgb=0", "-o", tmp_path / "m.h5"
    )
    assert done.exit_code == ExitCode.USAGE
    assert "bilateral_rgb above 0" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("bad", ["nan", "size"])
def test_bad_maps_fail_alone_and_the_exit_code_is_3(one, tmp_path, bad):
    maps = np.full((2, 2, 3), 0.5)
    if bad == "nan":
        maps[1, 0, 0] = np.nan
    path = one(maps)
    if bad == "size":
        Image.new("RGB", (31, 20)).save(tmp_path / "000.png")
    done = command(path, "--refine", "crf", "-o", tmp_path / "m.h5")
    assert done.exit_code == ExitCode.SOME_FAILED
    assert {"nan": "NaN", "size": "31"}[bad] in done.stderr and "Traceback" not in done.stderr


def test_a_refiner_with_its_options_refines():
    scores, image = np.eye(2, dtype=np.float32)[:, None], np.zeros((1, 2, 3), np.uint8)
    refiner, own = find_refiner("crf", ["steps=0", "logit-scale=1"])
    assert own == {"steps": 0, "logit_scale": 1.0}
    refined = refiner(scores, image)
    np.testing.assert_allclose(refined[:, 0, 0], [np.e / (1 + np.e), 1 / (1 + np.e)], atol=1e-6)
