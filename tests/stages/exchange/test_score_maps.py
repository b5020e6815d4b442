"""Softmax maps of other programs become cam files that the chain goes on with."""

import numpy as np
import pytest
from PIL import Image

from tests.messages import Heard
from tests.stages.chain import CLASSES, SIZE, write_data
from wsstool import store
from wsstool.errors import BadInputError, MissingInputError, UsageError
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.stages.pseudo_masks.pseudo_mask import pseudo_mask


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def softmax(seed=0, n=3, size=SIZE):
    values = np.exp(2 * np.random.default_rng(seed).normal(size=(n, *size)))
    return (values / values.sum(0)).astype(np.float32)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def maps_of(path):
    with store.open_records(path) as reader:
        header = reader.header
        found = [(r.name, r.class_ids.tolist(), r.maps[0].copy()) for r in reader.records()]
        return found, header, dict(reader.tail)


def test_arrays_are_kept_as_they_are(tmp_path, data):
    whole, heard = softmax(1), Heard()
    save(tmp_path / "maps/p0.npy", whole)
    save(tmp_path / "maps/images/p1.npy", np.moveaxis(softmax(2), 0, -1))  # classes last
    save(tmp_path / "maps/p2.npy", softmax(3)[1:].astype(np.float16))  # without background
    save(tmp_path / "maps/p3.npy", softmax(4, size=(6, 8)))  # another grid
    save(tmp_path / "maps/other.npy", whole)
    found = import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data, messages=heard)
    assert (found["images"], found["maps"]) == (4, 11)
    records, header, tail = maps_of(tmp_path / "c.h5")
    assert [r[0] for r in records] == [f"images/p{i}.png" for i in range(4)]
    assert [r[1] for r in records] == [[0, 1, 2], [0, 1, 2], [1, 2], [0, 1, 2]]
    kept = (whole, softmax(2), softmax(3)[1:].astype(np.float16), softmax(4, size=(6, 8)))
    for record, want in zip(records, kept, strict=True):
        assert np.array_equal(record[2], want.astype(np.float32))
    assert (tail["scale"] == 1).all() and tail["score"][:3] == pytest.approx(whole.max((1, 2)))
    assert header.classes.names == CLASSES.names and header.normalisation == "none"
    assert heard.warned == [
        "left out 1 score maps without an image, such as 'other'",
        "left out 2 images without score maps",
    ]
    pseudo_mask(tmp_path / "c.h5", output=tmp_path / "m.h5")
    with store.open_records(tmp_path / "m.h5") as reader:
        first = next(iter(reader.records())).data[0].copy()
    assert np.array_equal(first, whole.argmax(0))


def test_pictures_are_named_after_classes(tmp_path, data):
    maps = softmax(5)
    for name, one in zip(("background", "1", "square"), maps, strict=True):
        path = tmp_path / f"maps/images/p0/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((one * 255).round().astype(np.uint8)).save(path)
    path = tmp_path / "maps/images/p1/circle.png"
    path.parent.mkdir(parents=True)
    Image.fromarray((maps[1] * 65535).round().astype(np.uint16)).save(path)
    import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data)
    records, *_ = maps_of(tmp_path / "c.h5")
    assert records[0][1] == [0, 1, 2] and np.abs(records[0][2] - maps).max() <= 0.5 / 255 + 1e-6
    assert records[1][1] == [1] and np.abs(records[1][2] - maps[1]).max() <= 0.5 / 65535 + 1e-6


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.log(softmax()), "holds values from -.* expected probabilities"),
        (softmax() * 3, "to .*; expected probabilities"),
        (np.where(softmax() > 0.9, np.nan, softmax()), "holds values from nan"),
        (softmax(n=5), "has the shape 5 x 24 x 32; expected 2 or 3 classes"),
        (softmax()[0], "has the shape 24 x 32"),
        (np.swapaxes(softmax(), 1, 2), "the maps are turned"),
        (softmax().argmax(0), "does not hold floating-point numbers"),
        (np.array([{}], object), "cannot be read as an array"),
    ],
)
def test_what_is_no_softmax_is_refused(tmp_path, data, array, message):
    save(tmp_path / "maps/p0.npy", array)
    with pytest.raises(BadInputError, match=message):
        import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data)
    assert not (tmp_path / "c.h5").exists()


def test_folders_that_do_not_fit(tmp_path, data):
    out = tmp_path / "c.h5"
    (tmp_path / "maps").mkdir()
    with pytest.raises(MissingInputError, match="contains no score maps"):
        import_masks(tmp_path / "maps", output=out, images=data)
    save(tmp_path / "maps/x.npy", softmax())
    with pytest.raises(BadInputError, match="none of the 1 score maps"):
        import_masks(tmp_path / "maps", output=out, images=data)
    with pytest.raises(UsageError, match="--images"):
        import_masks(tmp_path / "maps", output=out)
    save(tmp_path / "maps/p0.npy", softmax())
    save(tmp_path / "maps/images/p0.npy", softmax())
    with pytest.raises(BadInputError, match="two entries"):
        import_masks(tmp_path / "maps", output=out, images=data)
    path = tmp_path / "named/p0/dog.png"
    path.parent.mkdir(parents=True)
    Image.new("L", SIZE[::-1]).save(path)
    with pytest.raises(BadInputError, match="not named after a class"):
        import_masks(tmp_path / "named", output=out, images=data)


def test_an_import_of_maps_is_up_to_date_until_they_change(tmp_path, data):
    save(tmp_path / "maps/p0.npy", softmax())
    import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data)
    heard = Heard()
    import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data, messages=heard)
    assert "is up to date" in heard.said[-1]
    save(tmp_path / "maps/p0.npy", softmax(1))
    import_masks(tmp_path / "maps", output=tmp_path / "c.h5", images=data)
    assert np.array_equal(maps_of(tmp_path / "c.h5")[0][0][2], softmax(1))
