"""The regions of label maps in every format, read back by other readers and by import."""

import csv
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from PIL import Image
from skimage.measure import label

from tests.messages import Heard
from tests.stages.chain import CLASSES, SIZE, write_data, write_masks
from tests.stages.selections import objects_of, write_selection
from wsstool import store
from wsstool.data.formats.detections import table
from wsstool.data.geometry.components import components
from wsstool.errors import UsageError
from wsstool.stages.exchange.export import export
from wsstool.stages.exchange.import_masks import import_masks
from wsstool.types import ClassList

coco_mask = pytest.importorskip("pycocotools.mask")
COCO = pytest.importorskip("pycocotools.coco").COCO

LABELS = np.zeros((2, *SIZE), np.uint8)
LABELS[0, 2:8, 3:9] = 1
LABELS[0, 4:6, 5:7] = 2  # an island of another class in a hole
LABELS[0, 8, 9] = 1  # touches at a corner
LABELS[0, 15:20, 20:30] = 1
LABELS[0, 12, 12] = 2  # a single pixel
LABELS[0, 22:, :4] = 255
LABELS[1, :, :] = 2


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def write(path, root, classes=CLASSES):
    header = store.new_header(
        "mask",
        stage="predict",
        params={},
        inputs=[],
        images=["images/p0.png", "images/p1.png"],
        sizes=np.tile(SIZE, (2, 1)),
        shapes=np.tile([1, *SIZE], (2, 1)),
        classes=classes,
        image_root=root,
        attributes={"layers": ["prediction"]},
    )
    with store.create(header, path) as writer:
        for labels in LABELS:
            writer.write(labels[None])
    return path


@pytest.fixture
def masks(tmp_path, data):
    return write(tmp_path / "masks.h5", data)


def wanted(classes=(1, 2), names=CLASSES.names):
    """(image, class name, pixels) of every region, by scikit-image."""
    found = []
    for i, labels in enumerate(LABELS):
        for c in classes:
            numbers = label(labels == c, connectivity=2)
            found += [(f"p{i}.png", names[c], (numbers == k).tobytes()) for k in range(1, numbers.max() + 1)]
    return sorted(found)


def test_regions_are_those_of_scikit_image():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, (30, 40))
    found = []
    for c, (x0, y0, x1, y1), mask in components(labels, (0,)):
        whole = np.zeros(labels.shape, bool)
        whole[y0:y1, x0:x1] = mask
        found.append((c, whole.tobytes()))
    want = []
    for c in (1, 2):
        numbers = label(labels == c, connectivity=2)
        want += [(c, (numbers == k).tobytes()) for k in range(1, numbers.max() + 1)]
    assert sorted(found) == sorted(want) and len(found) > 5


@pytest.mark.parametrize("shape", ["mask", "polygon"])
@pytest.mark.parametrize("format", ["coco", "cvat", "label-studio"])
def test_regions_are_imported_again(tmp_path, data, masks, format, shape):
    out, heard = tmp_path / "out", Heard()
    found = export(masks, output=out, format=format, settings=[f"shape={shape}"], messages=heard)
    assert found["written"] == len(wanted()) == 5
    assert any("1 images contain ignored pixels" in text for text in heard.said)
    import_masks(out, output=tmp_path / "back.h5", images=data)
    back = objects_of(tmp_path / "back.h5")
    assert (
        sorted(
            (name.removeprefix("images/"), one[0], one[3].astype(bool).tobytes())
            for (name, _), one in back.items()
        )
        == wanted()
    )


def test_coco_tools_read_the_regions(tmp_path, masks):
    export(masks, output=tmp_path / "o.json", format="coco")
    coco = COCO(tmp_path / "o.json")
    found = [
        (coco.imgs[a["image_id"]]["file_name"], coco.cats[a["category_id"]]["name"],
         coco.annToMask(a).astype(bool).tobytes())
        for a in coco.anns.values()
    ]  # fmt: skip
    assert sorted(found) == wanted() and sorted(coco.anns) == [1, 2, 3, 4, 5]


def test_cvat_masks_are_row_by_row(tmp_path, masks):
    export(masks, output=tmp_path / "o.xml", format="cvat")
    found = []
    for image in ElementTree.parse(tmp_path / "o.xml").getroot().iterfind("image"):
        for mask in image.iterfind("mask"):
            x, y, w, h = (int(mask.get(k)) for k in ("left", "top", "width", "height"))
            runs = [int(n) for n in mask.get("rle").split(",")]
            whole = np.zeros(SIZE, bool)
            flat = np.concatenate([np.full(n, k % 2, bool) for k, n in enumerate(runs)])
            whole[y : y + h, x : x + w] = flat.reshape(h, w)
            found.append((image.get("name"), mask.get("label"), whole.tobytes()))
    assert sorted(found) == wanted()


def test_yolo_polygons_filled_by_coco_tools(tmp_path, masks):
    export(masks, output=tmp_path / "o", format="yolo")
    names = yaml.safe_load((tmp_path / "o/data.yaml").read_text())["names"]
    found = []
    for path in sorted((tmp_path / "o/labels").glob("*.txt")):
        for line in path.read_text().splitlines():
            number, *shares = line.split()
            points = np.array(shares, float).reshape(-1, 2) * (SIZE[1], SIZE[0])
            filled = coco_mask.decode(coco_mask.frPyObjects([points.reshape(-1).tolist()], *SIZE))[..., 0]
            found.append((f"{path.stem}.png", names[int(number)], filled.astype(bool).tobytes()))
    assert sorted(found) == wanted()


def test_segmentation_mask_keeps_the_label_map(tmp_path, masks):
    heard = Heard()
    export(masks, output=tmp_path / "o", format="voc", messages=heard)
    for i, labels in enumerate(LABELS):
        assert (np.asarray(Image.open(tmp_path / f"o/SegmentationClass/p{i}.png")) == labels).all()
        objects = np.asarray(Image.open(tmp_path / f"o/SegmentationObject/p{i}.png"))
        assert ((objects == 255) == (labels == 255)).all() and ((objects == 0) == (labels == 0)).all()
        parts = [(f"p{i}.png", CLASSES.names[labels[objects == k][0]], (objects == k).tobytes())
                 for k in np.unique(objects[labels % 255 > 0])]  # fmt: skip
        assert sorted(parts) == [one for one in wanted() if one[0] == f"p{i}.png"]
    assert not any("ignored" in text for text in heard.said)


def test_small_regions_are_left_out(tmp_path, masks):
    heard = Heard()
    assert export(masks, output=tmp_path / "o", format="voc", min_area=5, messages=heard)["written"] == 3
    assert heard.said == ["left out 2 regions of fewer than 5 pixels"]
    labels = np.asarray(Image.open(tmp_path / "o/SegmentationClass/p0.png"))
    want = LABELS[0].copy()
    want[4:6, 5:7] = want[12, 12] = 0
    assert (labels == want).all()


def test_a_set_without_background_has_regions_of_class_zero(tmp_path, data):
    classes = ClassList(("a", "b", "c"), -1)
    masks = write(tmp_path / "m.h5", data, classes)
    export(masks, output=tmp_path / "o.json")  # png
    export(masks, output=tmp_path / "c.json", format="coco")
    coco = COCO(tmp_path / "c.json")
    found = [
        (coco.imgs[a["image_id"]]["file_name"], coco.cats[a["category_id"]]["name"],
         coco.annToMask(a).astype(bool).tobytes())
        for a in coco.anns.values()
    ]  # fmt: skip
    assert sorted(found) == wanted((0, 1, 2), classes.names)


def test_layers_and_scores_of_label_maps(tmp_path, data):
    masks = write_masks(tmp_path / "two.h5", data, layers=("one", "two"))
    with pytest.raises(UsageError, match="choose one with --layer: one, two"):
        export(masks, output=tmp_path / "o", format="coco")
    with pytest.raises(UsageError, match="need scores"):
        export(masks, output=tmp_path / "o", format="coco", layer="one", score_below=0.5)
    with pytest.raises(UsageError, match="--prefix"):
        export(masks, output=tmp_path / "o", format="coco", layer="one", prefix="x")
    assert export(masks, output=tmp_path / "o", format="coco", layer="two")["written"] == 8


def test_a_list_has_the_lowest_score_first(tmp_path, selection):
    export(selection, output=tmp_path / "o.csv", format="csv")
    rows = list(csv.DictReader((tmp_path / "o.csv").open(encoding="utf-8", newline="")))
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores) and len(rows) == 6
    before = objects_of(selection)
    for row in rows:
        name, score, box, mask = before[f"images/{row['image']}", int(row["id"])]
        assert row["class"] == name and float(row["score"]) == pytest.approx(score)
        assert [float(row[k]) for k in ("x0", "y0", "x1", "y1")] == pytest.approx(box)
        assert int(row["area"]) == mask.sum()
    found = table.read(tmp_path / "o.csv")  # as nms and eval read it
    assert [found.names[c] for c in found.classes] == [row["class"] for row in rows]
    assert found.scores.tolist() == scores and found.boxes[0].tolist() == pytest.approx(
        [float(rows[0][k]) for k in ("x0", "y0", "x1", "y1")]
    )


@pytest.mark.parametrize("format", ["cvat", "coco", "label-studio"])
def test_only_the_doubtful_ones(tmp_path, selection, format):
    heard = Heard()
    found = export(selection, output=tmp_path / "o", format=format, score_below=0.3, messages=heard)
    assert found["written"] == 2
    assert heard.said[-1] == (
        "left out 4 masks with a score of 0.3 or more, and 2 images that have no other masks"
    )
    import_masks(tmp_path / "o", output=tmp_path / "back.h5")
    assert sorted(objects_of(tmp_path / "back.h5")) == [("a/eins.jpg", 3), ("a/eins.jpg", 7)]
    assert "zwei" not in (tmp_path / "o").read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["coco", "coco-results", "cvat", "label-studio", "yolo", "voc", "csv"])
def test_objects_of_a_class_called_background(tmp_path, format):
    names = ClassList(("a", "background", "b", "c"), 1)
    selection = write_selection(tmp_path / "s.h5", classes=names)
    assert export(selection, output=tmp_path / "o", format=format)["written"] == 6
    if format in ("coco", "cvat", "label-studio"):
        import_masks(tmp_path / "o", output=tmp_path / "back.h5")
        before, after = objects_of(selection), objects_of(tmp_path / "back.h5")
        assert {(k[0].removeprefix("images/"), k[1], v[0], v[3].tobytes()) for k, v in before.items()} == {
            (k[0], k[1], v[0], v[3].tobytes()) for k, v in after.items()
        }
    if format == "yolo":
        listed = yaml.safe_load((tmp_path / "o/data.yaml").read_text())["names"]
        words = [line.split()[0] for p in (tmp_path / "o/labels").rglob("*.txt")
                 for line in p.read_text().splitlines()]  # fmt: skip
        assert sorted(listed[int(w)] for w in words) == sorted(v[0] for v in objects_of(selection).values())
