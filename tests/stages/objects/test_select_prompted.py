"""``select`` with a promptable segmenter: prompts, scores, keys, resume, refusals."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.masks.guides import Colours
from tests.messages import Heard
from tests.models.promptable.checkpoints import stand_in, write_tiny_sam
from tests.stages.object_sets import write_maps, write_objects
from tests.stages.objects.test_select import ious, tail
from wsstool import store
from wsstool.cli.app import app
from wsstool.errors import BadInputError, SomeFailedError, UsageError
from wsstool.models.promptable import sam as network
from wsstool.stages.objects.select import select


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_objects(tmp_path_factory.mktemp("objects") / "data")


@pytest.fixture(scope="module")
def maps(root):
    return write_maps(root.parent / "c.h5", root)


@pytest.fixture
def sam(tmp_path, monkeypatch):
    return stand_in(tmp_path / "sam", monkeypatch)


def run(*words) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert "Traceback" not in done.stderr
    return done.exit_code, " ".join(done.stderr.split())


class TestPrompts:
    def test_boxes_alone(self, root, sam, tmp_path):
        folder, colours = sam
        found = select(str(root), method="sam", sam_weights=folder, workers=0, output=tmp_path / "s.h5")
        assert found["objects"] == 7 and not found["failed"] and not found["fallbacks"]
        overlaps = ious(tmp_path / "s.h5")
        assert overlaps[0] > 0.9 and min(overlaps) > 0.5  # the colour of the blocks lies between two ranges
        assert tail(tmp_path / "s.h5", "score") == [0.75] * 7
        assert len(colours.encoded) == 4  # of five images one has no box
        assert all(not len(one.points) and one.mask is None for one in colours.prompts)

    def test_maps_add_points_and_masks(self, maps, sam, tmp_path):
        folder, colours = sam
        own = {"contour": str(maps), "method": "sam", "sam_weights": folder, "workers": 0}
        select(**own, settings=["guide=region"], output=tmp_path / "s.h5")
        overlaps = ious(tmp_path / "s.h5")
        assert overlaps[0] > 0.9 and min(overlaps) > 0.5  # the colour of the blocks lies between two ranges
        for one in colours.prompts:
            assert one.on_object[0] and one.mask.max() == 30
            x, y = one.points[0].astype(int)
            assert one.mask[y, x] == 30
        colours.prompts.clear()
        select(**own, settings=["guide=region", "gaussian=false"], output=tmp_path / "p.h5")
        assert all(len(one.points) and one.mask is None for one in colours.prompts)

    def test_maps_without_a_guide_are_said_to_do_nothing(self, maps, sam, tmp_path):
        heard = Heard()
        select(
            contour=str(maps),
            method="sam",
            sam_weights=sam[0],
            baselines=True,
            output=tmp_path / "s.h5",
            messages=heard,
        )
        assert any("--set guide=region adds what the maps show" in text for text in heard.said)
        assert any("do not compare them" in text for text in heard.warned)

    def test_a_threshold_chosen_from_the_boxes(self, maps, sam, tmp_path):
        own = {"contour": str(maps), "method": "sam", "sam_weights": sam[0], "threshold": "auto"}
        with pytest.raises(UsageError, match="for the methods greedy and sam add --set guide=region"):
            select(**own, output=tmp_path / "s.h5")
        select(**own, settings=["guide=region"], output=tmp_path / "s.h5")
        assert 0 < store.open_random(tmp_path / "s.h5").header.attributes["threshold"] <= 1

    def test_an_empty_map_is_left_to_the_fallback(self, root, sam, tmp_path):
        maps = write_maps(tmp_path / "c.h5", root, level=0)
        found = select(
            contour=str(maps),
            method="sam",
            sam_weights=sam[0],
            settings=["guide=region"],
            output=tmp_path / "s.h5",
        )
        assert found["fallbacks"] == {"empty map": 7} and not sam[1].encoded


class TestResults:
    def test_do_not_depend_on_workers_and_a_killed_run_goes_on(self, root, sam, tmp_path):
        own = {"method": "sam", "sam_weights": sam[0]}
        select(str(root), **own, workers=0, output=tmp_path / "0.h5")
        select(str(root), **own, workers=3, output=tmp_path / "3.h5")
        whole = (tmp_path / "0.h5").read_bytes()
        assert (tmp_path / "3.h5").read_bytes() == whole
        (tmp_path / "s.h5.part").write_bytes(whole[: len(whole) - 3000])
        sam[1].encoded.clear()
        select(str(root), **own, output=tmp_path / "s.h5")
        assert (tmp_path / "s.h5").read_bytes() == whole
        sam[1].encoded.clear()
        select(str(root), **own, output=tmp_path / "s.h5")
        assert sam[1].encoded == []

    def test_the_checkpoint_is_part_of_the_key_its_place_is_not(self, root, sam, tmp_path, monkeypatch):
        copy, _ = stand_in(tmp_path / "copy", monkeypatch)
        other, _ = stand_in(tmp_path / "other", monkeypatch, content=b"1")
        keys = [
            select(str(root), method="sam", sam_weights=one, output=tmp_path / f"{one.name}.h5")["key"]
            for one in (sam[0], copy, other)
        ]
        assert keys[0] == keys[1] != keys[2]
        step = store.open_random(tmp_path / "sam.h5").header.provenance[-1]
        assert "--sam-weights" in step["command"] and "--method sam" in step["command"]

    def test_an_image_that_fails_fails_alone(self, root, sam, tmp_path, monkeypatch):
        masks = Colours.masks

        def failing(self, state, prompts):
            if len(self.encoded) == 2:
                raise BadInputError("not finite numbers")
            return masks(self, state, prompts)

        monkeypatch.setattr(Colours, "masks", failing)
        own = {"method": "sam", "sam_weights": sam[0], "workers": 0}
        with pytest.raises(SomeFailedError):
            select(str(root), **own, output=tmp_path / "s.h5")
        sam[1].encoded.clear()
        done = select(str(root), **own, max_failed=1, output=tmp_path / "t.h5")
        assert done["failed"] == ["images/p1.png"]

    def test_a_tiny_network(self, root, maps, tmp_path):
        pytest.importorskip("transformers")
        own = {"method": "sam", "sam_weights": write_tiny_sam(tmp_path / "tiny"), "device": "cpu"}
        for name, more in {"b": {"source": str(root)}, "m": {"contour": str(maps)}}.items():
            settings = ["guide=region", "elastic=true"] if name == "m" else []
            for workers in (0, 2):
                output = tmp_path / f"{name}{workers}.h5"
                found = select(**more, **own, settings=settings, workers=workers, output=output)
                assert found["objects"] == 7 and 0 < found["score"] <= 1
            assert (tmp_path / f"{name}0.h5").read_bytes() == (tmp_path / f"{name}2.h5").read_bytes()


class TestRefusals:
    def test_a_checkpoint_is_needed(self, root, tmp_path):
        code, said = run("select", root, "--method", "sam", "-o", tmp_path / "s.h5")
        assert code == 2 and "--method sam needs --sam-weights FOLDER" in said

    def test_a_folder_that_is_not_there(self, root, tmp_path):
        code, said = run(
            "select", root, "--method", "sam", "--sam-weights", tmp_path / "no", "-o", tmp_path / "s.h5"
        )
        assert code == 66 and "--sam-weights: there is no file or folder" in said

    def test_a_folder_of_something_else(self, root, tmp_path, monkeypatch):
        folder, _ = stand_in(tmp_path / "c", monkeypatch)
        (folder / "config.json").write_text('{"model_type": "clip"}')
        code, said = run("select", root, "--method", "sam", "--sam-weights", folder, "-o", tmp_path / "s.h5")
        assert code == 65 and "of model type 'clip', not of Segment Anything" in said
        assert not list(tmp_path.glob("s.h5*"))

    def test_without_transformers(self, root, tmp_path, monkeypatch):
        monkeypatch.setattr(network, "find_spec", lambda name: None)
        code, said = run(
            "select", root, "--method", "sam", "--sam-weights", tmp_path, "-o", tmp_path / "s.h5"
        )
        assert code == 66 and "pip install 'wsstool[sam]'" in said

    @pytest.mark.parametrize("pair", ["guide=map", "threshold=0", "span=0", "similarity=2"])
    def test_values_out_of_range(self, root, sam, tmp_path, pair):
        with pytest.raises(UsageError, match="sam"):
            select(
                str(root),
                method="sam",
                sam_weights=sam[0],
                settings=[*(["guide=region"] if "guide" not in pair else []), pair],
                output=tmp_path / "s.h5",
            )

    def test_options_that_do_nothing(self, root, sam, tmp_path):
        heard = Heard()
        select(
            str(root),
            method="sam",
            sam_weights=sam[0],
            settings=["strength=5"],
            output=tmp_path / "s.h5",
            messages=heard,
        )
        assert heard.warned == ["--set strength does nothing without guide=region"]
        code, said = run("select", root, "--method", "box", "--sam-weights", sam[0], "-o", tmp_path / "b.h5")
        assert code == 0 and "--sam-weights does nothing without the method sam" in said


def test_masks_end_at_their_box(root, sam, tmp_path):
    select(str(root), method="sam", sam_weights=sam[0], output=tmp_path / "s.h5")
    record = store.open_random(tmp_path / "s.h5")[0]
    for (x0, y0, x1, y1), window, mask in zip(
        record.header.columns["box"][:2].tolist(),
        record.header.columns["window"][:2].tolist(),
        record.windows,
        strict=True,
    ):
        whole = np.zeros(record.size, bool)
        whole[window[1] : window[3], window[0] : window[2]] = mask == 1
        whole[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = False
        assert not whole.any()
