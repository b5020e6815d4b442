"""``pseudo-mask --refine sam``: one encoding per image, keys, resume, refusals, a tiny network."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.models.promptable.checkpoints import stand_in, write_tiny_sam
from tests.stages.pseudo_masks.test_pseudo_mask import STUFF, read, write_cams
from wsstool.cli.app import app
from wsstool.models.promptable import sam as network
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask

SIZE = (24, 36)


@pytest.fixture
def cams(tmp_path):
    """Three pictures of two colours, and rough maps of the right one."""
    rng = np.random.default_rng(0)
    maps = []
    for k in range(3):
        image = np.full((*SIZE, 3), 30, np.uint8)
        image[:, 14 + k :] = 200
        Image.fromarray(image).save(tmp_path / f"{k:03}.png")
        right = np.broadcast_to(np.arange(36) >= 18, SIZE)
        maps.append(np.stack([1 - right, right]) * 0.6 + rng.random((2, *SIZE)) * 0.3)
    return write_cams(
        tmp_path / "cam.h5",
        [one.astype(np.float32) for one in maps],
        classes=STUFF,
        ids=[[0, 2]] * 3,
        sizes=[SIZE] * 3,
        root=str(tmp_path),
    )


@pytest.fixture
def sam(tmp_path, monkeypatch):
    return stand_in(tmp_path / "sam", monkeypatch)


def run(*words) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["pseudo-mask", *map(str, words)])
    assert "Traceback" not in done.stderr
    return done.exit_code, " ".join(done.stderr.split())


def test_label_maps_follow_the_image_and_each_image_is_encoded_once(cams, sam, tmp_path):
    pseudo_mask(
        cams, output=tmp_path / "m.h5", refine="sam", sam_weights=sam[0], background="none", workers=0
    )
    for k, record in enumerate(read(tmp_path / "m.h5")[1]):
        assert (record[0, :, : 14 + k] == 0).all() and (record[0, :, 14 + k :] == 2).all()
    assert sam[1].encoded == [(*SIZE, 3)] * 3


def test_results_do_not_depend_on_workers_and_a_killed_run_goes_on(cams, sam, tmp_path):
    own = {"refine": "sam", "sam_weights": sam[0]}
    first = pseudo_mask(cams, **own, workers=0, output=tmp_path / "0.h5")
    pseudo_mask(cams, **own, workers=3, output=tmp_path / "3.h5")
    whole = (tmp_path / "0.h5").read_bytes()
    assert (tmp_path / "3.h5").read_bytes() == whole
    sam[1].encoded.clear()
    assert pseudo_mask(cams, **own, output=tmp_path / "0.h5") == first and not sam[1].encoded
    (tmp_path / "m.h5.part").write_bytes(whole[: len(whole) // 2])
    pseudo_mask(cams, **own, output=tmp_path / "m.h5")
    assert (tmp_path / "m.h5").read_bytes() == whole


def test_the_checkpoint_is_part_of_the_key_and_of_the_history(cams, sam, tmp_path, monkeypatch):
    other, _ = stand_in(tmp_path / "other", monkeypatch, content=b"1")
    keys = set()
    for folder in (sam[0], other):
        keys.add(
            pseudo_mask(cams, refine="sam", sam_weights=folder, output=tmp_path / "m.h5", force=True)["key"]
        )
    header = read(tmp_path / "m.h5")[0]
    assert len(keys) == 2 and [one["role"] for one in header.inputs] == ["input", "sam-weights"]
    assert "--refine sam" in header.provenance[-1]["command"]
    assert "--sam-weights" in header.provenance[-1]["command"]


def test_a_checkpoint_is_needed(cams, tmp_path):
    code, said = run(cams, "--refine", "sam", "-o", tmp_path / "m.h5")
    assert code == 2 and "--refine sam needs the weights of Segment Anything: give --sam-weights" in said


def test_a_checkpoint_of_something_else(cams, sam, tmp_path):
    (sam[0] / "config.json").write_text('{"model_type": "vit"}')
    code, said = run(cams, "--refine", "sam", "--sam-weights", sam[0], "-o", tmp_path / "m.h5")
    assert code == 65 and "of model type 'vit', not of Segment Anything" in said
    assert not list(tmp_path.glob("m.h5*"))


def test_without_transformers(cams, tmp_path, monkeypatch):
    monkeypatch.setattr(network, "find_spec", lambda name: None)
    code, said = run(cams, "--refine", "sam", "--sam-weights", tmp_path, "-o", tmp_path / "m.h5")
    assert code == 66 and "pip install 'wsstool[sam]'" in said


def test_weights_that_nothing_reads(cams, sam, tmp_path):
    code, said = run(cams, "--sam-weights", sam[0], "-o", tmp_path / "m.h5")
    assert code == 0 and "--sam-weights does nothing without the method sam" in said


def test_a_tiny_network(cams, tmp_path):
    pytest.importorskip("transformers")
    own = {"refine": "sam", "sam_weights": write_tiny_sam(tmp_path / "tiny"), "device": "cpu"}
    for workers in (0, 2):
        done = pseudo_mask(
            cams, **own, settings=["agreement=0"], workers=workers, output=tmp_path / f"{workers}.h5"
        )
        assert not done["failed"]
    assert (tmp_path / "0.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()
    pseudo_mask(cams, output=tmp_path / "plain.h5")
    plain, refined = (read(tmp_path / name)[1] for name in ("plain.h5", "0.h5"))
    assert any((a != b).any() for a, b in zip(plain, refined, strict=True))
