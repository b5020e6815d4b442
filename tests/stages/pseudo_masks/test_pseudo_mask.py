"""The pseudo-mask stage on small cam files: what it reads, decides, streams and refuses."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, SomeFailedError, UsageError
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.types import ClassList

OBJECTS = ClassList(("background", "cat", "dog"), 0)
STUFF = ClassList(("grass", "sky", "road"), -1)


def write_cams(path, maps, *, classes=OBJECTS, ids=None, sizes=None, layers=("",), stage="cam", root=""):
    """A cam file of maps[i] = (K, h, w), repeated (halved each time) for every layer; None fails."""
    n = len(maps)
    ids = ids or [list(classes.foreground)[: len(m)] if m is not None else [] for m in maps]
    sizes = np.array(sizes or [(8, 12)] * n)
    grids = np.array([[m.shape[1:] if m is not None else (2, 3)] * len(layers) for m in maps])
    counts = np.array([len(one) for one in ids])
    elements = counts * grids.prod(2).sum(1)
    flat = len(layers) == 1
    shapes = [
        [k, *g[0]] if flat else [len(layers), k, -1] for k, g in zip(counts, grids.tolist(), strict=True)
    ]
    header = store.new_header(
        "cam",
        stage=stage,
        params={},
        inputs=[],
        images=[f"{i:03}.png" for i in range(n)],
        sizes=sizes,
        shapes=np.array(shapes),
        elements=elements,
        classes=classes,
        image_root=root,
        columns={
            "layer_size": grids,
            "map_offset": np.concatenate([[0], np.cumsum(counts)]),
            "map_class": [c for one in ids for c in one],
        },
        attributes={"layers": list(layers)},
    )
    with store.create(header, path, max_failed=n) as writer:
        for m in maps[writer.start :]:
            if m is None:
                writer.fail("broken")
            else:
                blocks = [(m if i % 2 == 0 else m[::-1]).reshape(-1) for i in range(len(layers))]
                writer.write(np.concatenate(blocks), scale=1, score=1)
    return path


def read(path):
    with store.open_records(path, kinds=("mask",)) as reader:
        return reader.header, [record.data for record in reader.records()]


@pytest.fixture
def cams(tmp_path):
    """Three images of two objects; left is class 1, right class 2, nothing in the middle column."""
    m = np.zeros((2, 2, 3), np.float32)
    m[0, :, 0], m[1, :, 2] = 1, 0.8
    return write_cams(tmp_path / "cam.h5", [m, 0.5 * m, m[:1]])


def test_maps_with_nan_fail_alone_where_the_threshold_is_chosen_from_all(tmp_path):
    good, bad = np.full((1, 2, 3), 0.5, np.float32), np.full((1, 2, 3), np.nan, np.float32)
    path = write_cams(tmp_path / "cam.h5", [good, bad, good])
    done = pseudo_mask(path, output=tmp_path / "m.h5", background_threshold="auto", max_failed=1)
    assert done["failed"] == ["001.png"]
    with store.open_records(tmp_path / "m.h5") as reader:
        assert [record.failed for record in reader.records()] == [False, True, False]


def test_options_of_masks_of_boxes_are_refused(cams, tmp_path):
    for own in ({"overlap": "score"}, {"min_score": 0.5}):
        with pytest.raises(UsageError, match="applies to masks of boxes"):
            pseudo_mask(cams, output=tmp_path / "m.h5", **own)


def test_argmax_with_a_constant_background(cams, tmp_path):
    done = pseudo_mask(cams, output=tmp_path / "m.h5", background_threshold=0.6)
    header, masks = read(tmp_path / "m.h5")
    assert done["failed"] == [] and done["background_threshold"] == [0.6]
    assert masks[0].shape == (1, 8, 12)
    assert masks[0][0, 0].tolist() == [1] * 4 + [0] * 5 + [2] * 3
    np.testing.assert_array_equal(masks[0], masks[1])  # the scale of an image does not matter
    assert set(np.unique(masks[2])) == {0, 1}
    assert header.stage == "pseudo-mask" and header.layers == ("",) and header.classes.names == OBJECTS.names
    assert [step["stage"] for step in header.provenance] == ["cam", "pseudo-mask"]
    assert header.attributes["background_threshold"] == [0.6]
    assert not header.has_unknown_parts


@pytest.mark.parametrize(("threshold", "expected"), [(1.0, {0}), (0.0, {0, 1, 2})])
def test_threshold_limits(cams, tmp_path, threshold, expected):
    pseudo_mask(cams, output=tmp_path / "m.h5", background_threshold=threshold, normalise="class")
    found = set(np.unique(np.concatenate([mask.ravel() for mask in read(tmp_path / "m.h5")[1]])))
    assert found - expected == set() if threshold else found == expected


def test_without_background_every_pixel_belongs_to_a_tag(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5", background="none")
    _, masks = read(tmp_path / "m.h5")
    assert set(np.unique(masks[0])) == {1, 2} and set(np.unique(masks[2])) == {1}


def test_a_set_without_background_gets_none(tmp_path):
    path = write_cams(tmp_path / "c.h5", [np.eye(3, dtype=np.float32)[:, None]], classes=STUFF)
    done = pseudo_mask(path, output=tmp_path / "m.h5", background_threshold="auto")
    assert done["background_threshold"] == []
    assert set(np.unique(read(tmp_path / "m.h5")[1][0])) == {0, 1, 2}


def test_images_without_tags(tmp_path):
    nothing = np.zeros((0, 2, 3), np.float32)
    for classes, value in ((OBJECTS, 0), (STUFF, 255)):
        path = write_cams(tmp_path / f"{value}.h5", [nothing], classes=classes)
        pseudo_mask(path, output=tmp_path / f"m{value}.h5")
        assert np.unique(read(tmp_path / f"m{value}.h5")[1][0]).tolist() == [value]


def test_several_layers_give_several_label_maps(tmp_path):
    m = np.zeros((2, 2, 3), np.float32)
    m[0, :, 0], m[1, :, 2] = 1, 1
    path = write_cams(tmp_path / "c.h5", [m], layers=("a", "b"))
    pseudo_mask(path, output=tmp_path / "m.h5")
    header, (masks,) = read(tmp_path / "m.h5")
    assert header.layers == ("a", "b") and masks.shape == (2, 8, 12)
    np.testing.assert_array_equal(masks[0][:, ::-1], masks[1])
    pseudo_mask(path, output=tmp_path / "one.h5", layer=["b"])
    header, (one,) = read(tmp_path / "one.h5")
    assert header.layers == ("b",)
    np.testing.assert_array_equal(one[0], masks[1])
    with pytest.raises(UsageError, match="layers are: a, b"):
        pseudo_mask(path, output=tmp_path / "m.h5", layer=["c"])


def test_two_passes_leave_a_band_unsure(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5", background_threshold=0.8, background_threshold_low=0.1)
    row = read(tmp_path / "m.h5")[1][0][0, 0]
    assert row[0] == 1 and 255 in row and 0 in row
    high, low = tmp_path / "high.h5", tmp_path / "low.h5"
    pseudo_mask(cams, output=high, background_threshold=0.8)
    pseudo_mask(cams, output=low, background_threshold=0.1)
    a, b = read(high)[1][0][0, 0], read(low)[1][0][0, 0]
    np.testing.assert_array_equal(row == 255, (a == 0) & (b != 0))


def test_an_ignore_margin_marks_the_undecided(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5", ignore_margin=0.3)
    assert 255 in read(tmp_path / "m.h5")[1][0]


def test_weak_maps_are_ignored_only_when_asked_for(cams, tmp_path):
    plain = pseudo_mask(cams, output=tmp_path / "m.h5", background="none")
    assert 255 not in read(tmp_path / "m.h5")[1][0]
    other = pseudo_mask(cams, output=tmp_path / "w.h5", background="none", ignore_below=0.5)
    assert 255 in read(tmp_path / "w.h5")[1][0] and other["key"] != plain["key"]


def test_the_threshold_rule_takes_its_settings(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5", rule="threshold", settings=["high=0.7", "low=0.2"])
    assert set(np.unique(read(tmp_path / "m.h5")[1][0])) == {0, 1, 2, 255}


def test_auto_threshold_separates_two_heaps(tmp_path):
    rng = np.random.default_rng(0)
    maps = []
    for _ in range(6):
        m = rng.normal(0.1, 0.02, (1, 16, 16)).clip(0.01)
        m[0, 4:10, 4:10] = rng.normal(0.8, 0.05, (6, 6))
        maps.append(m)
    path = write_cams(tmp_path / "c.h5", maps, sizes=[(16, 16)] * 6)
    done = pseudo_mask(path, output=tmp_path / "m.h5", background_threshold="auto")
    (threshold,) = done["background_threshold"]
    assert 0.2 < threshold < 0.6
    truth = np.zeros((1, 16, 16), int)
    truth[0, 4:10, 4:10] = 1
    assert all((mask == truth).all() for mask in read(tmp_path / "m.h5")[1])


def test_failed_records_stay_failed_and_count(tmp_path):
    bad = np.full((1, 2, 3), 0.5, np.float32)
    bad[0, 0, 0] = np.nan
    path = write_cams(tmp_path / "c.h5", [np.ones((1, 2, 3)), None, bad], ids=[[1], [1], [2]])
    with pytest.raises(SomeFailedError, match="2 of 3"):
        pseudo_mask(path, output=tmp_path / "m.h5")
    done = pseudo_mask(path, output=tmp_path / "m.h5", max_failed=2)
    assert done["failed"] == ["001.png", "002.png"]
    _, masks = read(tmp_path / "m.h5")
    assert (masks[1] == 255).all() and (masks[2] == 255).all() and (masks[0] == 1).all()


def test_probabilities_of_predict_decide_by_themselves(tmp_path):
    p = np.array([[[0.6, 0.1]], [[0.3, 0.5]], [[0.1, 0.4]]], np.float32)
    path = write_cams(tmp_path / "p.h5", [p], ids=[[0, 1, 2]], sizes=[(1, 2)], stage="predict")
    done = pseudo_mask(path, output=tmp_path / "m.h5")
    assert read(tmp_path / "m.h5")[1][0].tolist() == [[[0, 1]]] and done["background_threshold"] == []
    pseudo_mask(path, output=tmp_path / "n.h5", background="none")
    assert read(tmp_path / "n.h5")[1][0].tolist() == [[[1, 1]]]
    header, _ = read(tmp_path / "m.h5")
    assert header.params["normalise"] == "probability"


@pytest.fixture
def pictures(tmp_path):
    """Five images of two coloured halves, with maps that are blurred and off by some pixels."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    maps = []
    for i in range(5):
        image = rng.integers(0, 20, (40, 60, 3))
        image[:, 30:] += 150
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{i:03}.png")
        ramp = np.linspace(1, 0, 6, dtype=np.float32) + 0.1 * (i - 2)
        maps.append(np.broadcast_to(np.stack([ramp, 1 - ramp])[:, None].clip(0), (2, 4, 6)))
    return write_cams(
        tmp_path / "cam.h5", maps, classes=STUFF, ids=[[0, 2]] * 5, sizes=[(40, 60)] * 5, root=str(folder)
    )


@pytest.mark.parametrize("refine", ["crf", "random-walk", "pamr"])
def test_refiners_run_in_threads_to_equal_bytes(pictures, tmp_path, refine):
    for workers in (0, 1, 3):
        pseudo_mask(pictures, output=tmp_path / f"{workers}.h5", refine=refine, workers=workers)
    first = (tmp_path / "0.h5").read_bytes()
    assert first == (tmp_path / "1.h5").read_bytes() == (tmp_path / "3.h5").read_bytes()


def test_the_crf_finds_the_edge(pictures, tmp_path):
    pseudo_mask(pictures, output=tmp_path / "m.h5", refine="crf", settings=["bilateral-rgb=10"])
    header, masks = read(tmp_path / "m.h5")
    assert header.params["set"] == ["bilateral_rgb=10.0"]
    truth = np.where(np.arange(60) < 30, 0, 2)
    assert all((mask == truth).mean() > 0.99 for mask in masks)


def test_images_are_found_where_the_option_or_the_environment_says(pictures, tmp_path, monkeypatch):
    moved = tmp_path / "elsewhere"
    (tmp_path / "images").rename(moved)
    with pytest.raises(MissingInputError, match="--images"):
        pseudo_mask(pictures, output=tmp_path / "m.h5", refine="crf")
    pseudo_mask(pictures, output=tmp_path / "a.h5", refine="crf", images=moved)
    monkeypatch.setenv("WSSTOOL_IMAGES", str(moved))
    pseudo_mask(pictures, output=tmp_path / "b.h5", refine="crf")
    (moved / "003.png").unlink()
    with pytest.raises(MissingInputError, match=r"003\.png"):
        pseudo_mask(pictures, output=tmp_path / "m.h5", refine="crf")
    pseudo_mask(pictures, output=tmp_path / "plain.h5")  # without a refiner no image is needed


def test_a_relative_folder_counts_from_the_file_too(pictures, tmp_path):
    header_says = write_cams(
        tmp_path / "r.h5", [np.ones((2, 4, 6))], classes=STUFF, ids=[[0, 2]], sizes=[(40, 60)], root="images"
    )
    assert pseudo_mask(header_says, output=tmp_path / "m.h5", refine="pamr")["failed"] == []


def test_an_image_of_another_size_fails_alone(pictures, tmp_path):
    Image.new("RGB", (61, 40)).save(tmp_path / "images" / "002.png")
    done = pseudo_mask(pictures, output=tmp_path / "m.h5", refine="crf", max_failed=1)
    assert done["failed"] == ["002.png"]


def test_running_again_changes_nothing_and_a_killed_run_goes_on(cams, tmp_path):
    output = tmp_path / "m.h5"
    first = pseudo_mask(cams, output=output)
    whole = output.read_bytes()
    assert pseudo_mask(cams, output=output) == first
    output.unlink()
    (tmp_path / "m.h5.part").write_bytes(whole[: len(whole) // 2])
    pseudo_mask(cams, output=output)
    assert output.read_bytes() == whole


@pytest.mark.parametrize(
    "wrong",
    [
        {"background_threshold": "much"},
        {"background_threshold": 1.5},
        {"background_threshold_low": 0.9},
        {"background_power": -1.0},
        {"background_power": 4.0, "background_threshold_low": 0.1},
        {"background": "some"},
        {"normalise": "max"},
        {"ignore_margin": 2.0},
        {"rule": "best"},
        {"refine": "grow"},
        {"settings": ["high=1"]},
        {"refine": "crf", "settings": ["steps=many"]},
    ],
)
def test_wrong_options_are_usage_errors(cams, tmp_path, wrong):
    with pytest.raises(UsageError):
        pseudo_mask(cams, output=tmp_path / "m.h5", **wrong)
    assert not (tmp_path / "m.h5").exists()


def test_another_kind_of_file_is_refused(cams, tmp_path):
    pseudo_mask(cams, output=tmp_path / "m.h5")
    with pytest.raises(BadInputError, match="pseudo-mask reads cam"):
        pseudo_mask(tmp_path / "m.h5", output=tmp_path / "n.h5")


@pytest.mark.parametrize("threshold", ["0.3", "auto"])
def test_a_pipe_gives_the_bytes_of_a_file(cams, tmp_path, threshold):
    pseudo_mask(cams, output=tmp_path / "m.h5", background_threshold=threshold)
    code = "from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask; import sys; "
    code += "pseudo_mask(background_threshold=sys.argv[1])"
    with open(cams, "rb") as source:
        done = subprocess.run(
            [sys.executable, "-c", code, threshold],
            stdin=source,
            capture_output=True,
            cwd=Path(__file__).parents[3],
            check=True,
        )
    header, masks = read(tmp_path / "m.h5")
    (tmp_path / "piped.h5").write_bytes(done.stdout)
    piped, piped_masks = read(tmp_path / "piped.h5")
    assert piped.key == header.key
    np.testing.assert_array_equal(np.stack(masks), np.stack(piped_masks))
