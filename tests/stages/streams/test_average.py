"""The average of class maps of several networks, with values worked out by hand."""

import os

import numpy as np
import pytest

from tests.store.records import CLASSES, ENVIRONMENT, example, read
from wsstool import store
from wsstool.errors import BadInputError, UsageError
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask
from wsstool.stages.streams.average import average, average_maps
from wsstool.types import ClassList

CAT = [[4.0, 0.0], [0.0, 2.0]]
DOG = [[0.0, 4.0], [0.0, 2.0]]
FLAT = [[2.0, 2.0], [2.0, 2.0]]


def write(path, maps, stage="cam", **changed):
    """A file with one image of 4 x 4 pixels; ``maps``: (K, h, w) of cat and dog, or None if it failed."""
    grid = np.array([2, 2] if maps is None else np.shape(maps)[1:])
    count = 2 if maps is None else len(maps)
    given = {
        "params": {},
        "inputs": [store.Input("data", {"fingerprint": "f"}, "data")],
        "images": ["a.png"],
        "sizes": np.array([[4, 4]]),
        "classes": CLASSES,
        "labels": np.array([[0, 1, 1]]),
        "columns": {
            "layer_size": grid[None, None],
            "map_offset": np.array([0, count]),
            "map_class": np.arange(1, count + 1),
        },
        "attributes": {"layers": ["last"]},
        "dtype": "float32",
        **changed,
    }
    header = store.new_header(
        "cam",
        stage=stage,
        shapes=np.array([[count, *grid]]),
        elements=np.array([count * grid.prod()]),
        **given,
    )
    with store.create(header, path, env=ENVIRONMENT, max_failed=1) as writer:
        if maps is None:
            writer.fail("made to fail")
        else:
            data = np.asarray(maps, np.float32)
            by = float(data.max())
            writer.write(data.ravel() / by, scale=[by], score=np.arange(count) / 4)
    return str(path)


def averaged(paths, output, **options):
    found = average(paths, output=output, **options)
    header, records, tail = read(output)
    return found, header, [one.data for one in records], tail


class TestValues:
    def test_class_maps_count_alike_whatever_their_scale(self, tmp_path):
        paths = [
            write(tmp_path / "a.h5", [CAT, DOG]),
            write(tmp_path / "b.h5", 100 * np.array([FLAT, np.zeros((2, 2))])),
        ]
        found, header, records, tail = averaged(paths, tmp_path / "c.h5")
        assert (found["images"], found["failed"], header.stage) == (1, [], "cam")
        # cat: (CAT / 4 + 1) / 2, dog: DOG / 8; the largest is 1
        expected = [[[1, 0.5], [0.5, 0.75]], [[0, 0.5], [0, 0.25]]]
        np.testing.assert_allclose(records[0].reshape(2, 2, 2), expected, atol=1e-7)
        assert tail["scale"].ravel().tolist() == [1.0]
        assert tail["score"].tolist() == [0.0, 0.25]

    def test_weights_are_relative(self, tmp_path):
        paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", [DOG, CAT])]
        _, _, records, tail = averaged(paths, tmp_path / "c.h5", weight=[6, 2])
        cat = np.array([[0.75, 0.25], [0, 0.5]])
        np.testing.assert_allclose(records[0].reshape(2, 2, 2)[0], cat / 0.75, atol=1e-7)
        assert tail["scale"].ravel().tolist() == [0.75]

    def test_probabilities_stay_probabilities(self, tmp_path):
        one = np.array([CAT, DOG]) / 4 + 0.25  # sums other than 1 are restored by dividing
        other = np.array([FLAT, FLAT]) / 4
        paths = [write(tmp_path / "a.h5", one, "predict"), write(tmp_path / "b.h5", other, "predict")]
        _, header, records, tail = averaged(paths, tmp_path / "c.h5")
        assert header.normalisation == "probability"
        expected = (one / one.sum(0) + 0.5) / 2
        np.testing.assert_allclose(records[0].reshape(2, 2, 2) * tail["scale"].item(), expected, atol=1e-6)

    def test_another_grid_is_resized_to_that_of_the_first(self):
        coarse, fine = np.array([[[0.0, 1.0]]]), np.ones((1, 1, 4))
        assert average_maps([fine, coarse], [0.5, 0.5]).ravel().tolist() == [0.5, 0.625, 0.875, 1.0]
        assert average_maps([coarse, fine], [0.5, 0.5]).shape == (1, 1, 2)

    def test_layers_are_averaged_one_by_one(self, tmp_path):
        whole = example("cam-3-layers", 6)
        whole.write(tmp_path / "a.h5")
        average([str(tmp_path / "a.h5")] * 2, output=tmp_path / "c.h5")
        header, after, _ = read(tmp_path / "c.h5")
        assert header.layers == ("a", "b", "c")
        for old, new in zip(read(tmp_path / "a.h5")[1], after, strict=True):
            for part, made in zip(old.maps, new.maps, strict=True):
                np.testing.assert_allclose(made * part.max(initial=0), part, rtol=1e-3, atol=1e-3)

    def test_masks_are_made_of_it(self, tmp_path):
        paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", [CAT, DOG])]
        average(paths, output=tmp_path / "c.h5", weight=[1, 3])
        for name in ("a", "c"):
            pseudo_mask(
                source=str(tmp_path / f"{name}.h5"), background="none", output=tmp_path / f"{name}.m.h5"
            )
        (one,), (other,) = (read(tmp_path / f"{name}.m.h5")[1] for name in "ac")
        assert np.array_equal(one.data, other.data)


def test_a_failed_image_is_failed(tmp_path):
    paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", None)]
    found, _, _, tail = averaged(paths, tmp_path / "c.h5")
    assert found["failed"] == ["a.png"] and tail["status"].tolist() == [2]


def test_the_same_command_is_up_to_date(tmp_path):
    paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", [DOG, CAT])]
    average(paths, output=tmp_path / "c.h5")
    before = os.stat(tmp_path / "c.h5").st_ino
    average(paths, output=tmp_path / "c.h5")
    assert os.stat(tmp_path / "c.h5").st_ino == before


class TestBadInput:
    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            ({"classes": ClassList(("background", "dog", "cat"), 0)}, "different class lists"),
            ({"images": ["b.png"]}, "made from different images"),
            ({"inputs": [store.Input("data", {"fingerprint": "g"}, "data")]}, "made from different images"),
            ({"sizes": np.array([[4, 5]])}, "different sizes"),
            ({"stage": "predict"}, "class maps and probabilities are not averaged"),
        ],
    )
    def test_files_that_differ(self, changed, sentence, tmp_path):
        paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", [CAT, DOG], **changed)]
        with pytest.raises(BadInputError, match=sentence):
            average(paths, output=tmp_path / "c.h5")
        assert not (tmp_path / "c.h5").exists()

    def test_maps_of_other_classes(self, tmp_path):
        paths = [write(tmp_path / "a.h5", [CAT, DOG]), write(tmp_path / "b.h5", [CAT])]
        with pytest.raises(BadInputError, match="the same --targets"):
            average(paths, output=tmp_path / "c.h5")

    def test_weights_and_files(self, tmp_path):
        path = write(tmp_path / "a.h5", [CAT, DOG])
        with pytest.raises(UsageError, match="at least two"):
            average([path])
        with pytest.raises(UsageError, match="given 1 times, for 2 files"):
            average([path, path], weight=[1])
        for bad in (0, -1, float("nan"), float("inf")):
            with pytest.raises(UsageError, match="above 0"):
                average([path, path], weight=[1, bad])
        with pytest.raises(UsageError, match=r"a\.h5"):
            average([path, path], output=tmp_path / "a.h5")
