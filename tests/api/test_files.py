"""Record files by image name, of every kind."""

from pathlib import Path

import numpy as np
import pytest

import wsstool as ws
from tests.stages.chain import CLASSES, predicted, write_cams, write_data, write_masks
from tests.stages.sentence_sets import truths, write_entries, write_sentences
from tests.store.records import example
from wsstool import store
from wsstool.data.images import read_image

GOLDEN = Path(__file__).parents[1] / "store" / "golden"


@pytest.fixture
def root(tmp_path) -> Path:
    return write_data(tmp_path / "data")


def test_a_mask_file_by_name(root, tmp_path):
    path = write_masks(tmp_path / "masks.h5", root, fail=[2])
    masks = ws.open(path)
    assert len(masks) == 6 and next(iter(masks)) == "images/p0.png" and "images/p9.png" not in masks
    assert masks.classes == CLASSES.names and masks.background == 0 and masks.kind == "mask"
    record = masks["images/p1.png"]
    assert record.data.dtype == np.uint8 and (record.data == predicted(1)).all()
    assert record.tags == ("square",) and record.size == (24, 32)
    assert (record.image == read_image(root / "images/p1.png")).all()
    assert not record.failed and masks["images/p2.png"].failed
    assert "6 images" in repr(masks) and "circle" in repr(masks)
    assert repr(record) == "<mask of 'images/p1.png', 24 x 32: background, square>"


def test_the_file_name_alone_if_it_is_unique(root, tmp_path):
    masks = ws.open(write_masks(tmp_path / "masks.h5", root))
    assert masks["p3.png"].name == "images/p3.png"
    with pytest.raises(KeyError, match=r"^no image is called 'p9.png' in '.*masks.h5'$"):
        masks["p9.png"]
    assert masks.get("p9.png") is None


def test_an_overlay_shows_classes_in_their_colours(root, tmp_path):
    record = ws.open(write_masks(tmp_path / "masks.h5", root))["p0.png"]
    drawn = np.asarray(record.overlay(opacity=1.0))
    assert drawn.shape == (24, 32, 3)
    assert (drawn[12, 8] == CLASSES.palette[1]).all()
    assert (drawn[3, 1] == record.image[3, 1]).all()  # background stays as it is


def test_several_layers(root, tmp_path):
    record = ws.open(write_masks(tmp_path / "m.h5", root, layers=("a", "b")))["p0.png"]
    assert record.data.shape == (2, 24, 32) and record.layers == ("a", "b")
    assert (np.asarray(record.overlay(1)) != np.asarray(record.overlay(0))).any()


def test_class_maps_in_raw_scale(root, tmp_path):
    record = ws.open(write_cams(tmp_path / "c.h5", root))["p0.png"]
    assert record.data.max() == pytest.approx(4.0) and record.data.dtype == np.float32
    assert record.class_ids.tolist() == [1, 2] and record.scores.tolist() == pytest.approx([0.9, 0.9])
    assert repr(record.maps) == "<24 x 32 maps of circle, square>"
    assert (np.asarray(record.maps) == record.data).all()
    with pytest.raises(ValueError, match="no layer 'x'; there are: features"):
        record.layer("x")


def test_layers_of_class_maps_have_their_own_scale():
    name = "v1-cam-3-layers.h5"
    with store.open_records(GOLDEN / name) as reader:
        records, layers = list(reader.records()), reader.header.layers
        tail = reader.tail
    opened = ws.open(GOLDEN / name)
    record = next(one for one in records if not one.failed and len(one.class_ids))
    for k, layer in enumerate(layers):
        scale = tail["scale"].reshape(-1, len(layers))[record.index, k]
        assert np.allclose(opened[record.name].layer(layer).data, record.maps[k] * np.float32(scale))


@pytest.mark.parametrize("kind", ["selection", "contour"])
def test_windows_stand_in_their_place(kind):
    opened = ws.open(GOLDEN / f"v1-{kind}.h5")
    with store.open_records(GOLDEN / f"v1-{kind}.h5") as reader:
        records = [one for one in reader.records() if not one.failed]
        header, tail = reader.header, reader.tail
    assert sum(len(opened[one.name].boxes) for one in records) > 1
    for record in records:
        found, rows = opened[record.name], header.rows(record.index, "box")
        assert found.data.shape == (len(found.boxes), *record.size)
        assert (found.boxes == header.columns["box"][rows]).all()
        assert np.array_equal(found.scores, tail["score"][rows], equal_nan=True)
        assert found.class_ids.tolist() == header.columns["box_class"][rows].tolist()
        for one, window, (x0, y0, x1, y1) in zip(
            found.data, record.windows, header.columns["window"][rows], strict=True
        ):
            assert np.array_equal(one[y0:y1, x0:x1], window, equal_nan=kind == "contour")
            assert np.nansum(one) == pytest.approx(np.nansum(window.astype(one.dtype)), rel=1e-2)


@pytest.mark.parametrize("kind", ["selection", "contour", "mask"])
def test_sentences_stand_with_their_masks(kind, tmp_path):
    root = write_sentences(tmp_path / "data")
    record = ws.open(write_entries(tmp_path / "s.h5", root, kind))["p0.png"]
    assert record.sentences[1] == "the round thing on the left" and len(record.sentences) == 4
    assert np.array_equal(record.data, np.stack(truths()[:4]))
    assert record.ids.tolist() == [50, 50, 51, 52] and np.isnan(record.boxes).any(1).tolist() == [0, 0, 0, 1]
    assert repr(record) == f"<{kind} of 'images/p0.png', 40 x 56: 4 sentences>"
    assert hasattr(record, "scores") is (kind != "mask")
    assert ws.open(GOLDEN / "v1-selection.h5")["b/000000-ü.jpg"].sentences == ()


def test_proposals_are_masks_in_boxes(root, tmp_path):
    ws.propose(root, output=tmp_path / "p.h5", workers=0)
    counts = 0
    for record in ws.open(tmp_path / "p.h5").values():
        counts += len(record.data)
        assert repr(record).endswith(f"{len(record.data)} proposals>")
        for mask, (x0, y0, x1, y1) in zip(record.data, record.boxes.astype(int), strict=True):
            rows, columns = np.nonzero(mask)
            assert (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1) == (y0, x0, y1, x1)
    assert counts > 6


def test_boxes_by_column(tmp_path):
    header = store.new_header(
        "box",
        stage="nms",
        params={},
        inputs=[],
        images=["a.png"],
        sizes=np.array([[10, 20]]),
        shapes=np.array([[2, 6, 1]]),
        classes=CLASSES,
        attributes={"columns": ["x0", "y0", "x1", "y1", "score", "class"]},
    )
    with store.create(header, tmp_path / "b.h5") as writer:
        writer.write(np.array([[1, 2, 3, 4, 0.5, 2], [0, 0, 9, 9, 0.25, 1]], np.float32)[..., None])
    record = ws.open(tmp_path / "b.h5")["a.png"]
    assert record.boxes.tolist() == [[1, 2, 3, 4], [0, 0, 9, 9]]
    assert record.scores.tolist() == [0.5, 0.25] and record.class_ids.tolist() == [2, 1]
    assert record.columns[4] == "score" and record.data.reshape(2, 6)[0, 4] == 0.5


def test_a_context_manager_closes_the_file(root, tmp_path):
    with ws.open(write_masks(tmp_path / "masks.h5", root)) as masks:
        record = masks["p0.png"]
    assert "(closed)" in repr(masks)
    with pytest.raises(ValueError, match="is closed"):
        masks["p0.png"]
    assert (record.data == predicted(0)).all()


def test_images_may_lie_elsewhere(root, tmp_path):
    path = write_masks(tmp_path / "masks.h5", root)
    root.rename(tmp_path / "moved")
    with pytest.raises(ws.WsstoolError, match="images are not in"):
        ws.open(path)["p0.png"].image  # noqa: B018
    assert ws.open(path, images=tmp_path / "moved")["p0.png"].image.shape == (24, 32, 3)


def test_a_damaged_file_is_refused(tmp_path):
    example("mask", 5, seed=1).write(tmp_path / "m.h5")
    data = bytearray((tmp_path / "m.h5").read_bytes())
    data[-20] ^= 1
    (tmp_path / "m.h5").write_bytes(data)
    with pytest.raises(ws.WsstoolError):
        ws.open(tmp_path / "m.h5")
