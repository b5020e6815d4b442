"""Label Studio's JSON and its brush: what is read, what is left out, what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats import brush, label_studio
from wsstool.data.geometry.shapes import shape_mask
from wsstool.errors import BadInputError


def region(kind="rectanglelabels", label="wild dog", **value):
    value = value or {"x": 10, "y": 20, "width": 50, "height": 40, "rotation": 0}
    return {
        "id": "q1W",
        "type": kind,
        "from_name": "l",
        "to_name": "image",
        "original_width": 20,
        "original_height": 10,
        "image_rotation": 0,
        "value": {**value, kind: [label]},
    }


def task(*regions, image="/data/upload/3/0a1b2c3d-a.png", **more):
    return {"id": 9, "data": {"image": image}, "annotations": [{"id": 1, "result": list(regions)}], **more}


def read(tmp_path, *tasks):
    return label_studio.read_boxes(write(tmp_path / "tasks.json", json.dumps(list(tasks))))


def by_the_letter(values: list[int]) -> np.ndarray:
    """The samples of a brush, one bit after the other: slow, and written from the description alone."""
    bits = "".join(f"{v:08b}" for v in values)
    place = 0

    def take(n: int) -> int:
        nonlocal place
        place += n
        return int(bits[place - n : place], 2)

    count, width = take(32), take(5) + 1
    sizes = [take(4) + 1 for _ in range(4)]
    out: list[int] = []
    while len(out) < count:
        same = take(1)
        length = take(sizes[take(2)]) + 1
        out += [take(width)] * length if same else [take(width) for _ in range(length)]
    return np.array(out)


@settings(max_examples=60, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_a_brush_comes_back(mask):
    values = brush.encode(mask)
    assert all(0 <= v < 256 for v in values)
    samples = by_the_letter(values).reshape(*mask.shape, 4)
    assert np.array_equal(samples, np.repeat(mask[..., None], 4, 2) * 255)
    assert np.array_equal(brush.decode(values, mask.shape), mask)


def test_a_brush_with_long_runs_and_with_runs_of_single_values():
    mask = np.zeros((300, 400), bool)
    mask[100:200, :] = True
    assert np.array_equal(brush.decode(brush.encode(mask), mask.shape), mask)
    bits = f"{8:032b}{7:05b}" + "".join(f"{n - 1:04b}" for n in (3, 4, 8, 16))
    bits += "0" + "00" + "111" + "".join(f"{v:08b}" for v in (0, 0, 0, 0, 9, 9, 9, 1))
    bits += "0" * (-len(bits) % 8)
    values = [int(bits[k : k + 8], 2) for k in range(0, len(bits), 8)]
    assert brush.decode(values, (1, 2)).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "end early"),
        ([300], "not bytes"),
        (["x"], "not bytes"),
        (None, "not bytes"),
        (brush.encode(np.ones((4, 5))), "a brush mask of 20 pixels for an image of 2 x 2"),
        (brush.encode(np.eye(2))[:-2], "end early"),
    ],
)
def test_a_brush_that_cannot_be_read(values, message):
    with pytest.raises(BadInputError, match=message):
        brush.decode(values, (2, 2))


def test_rectangles_are_read_wherever_boxes_are(tmp_path):
    picture(tmp_path / "data/images/a.png", (10, 20))
    path = write(tmp_path / "tasks.json", json.dumps([task(region())]))
    dataset = open_dataset(tmp_path / "data", boxes=path)
    assert dataset.classes.names == ("background", "wild dog") and dataset.labels.tolist() == [[0, 1]]
    assert read_boxes(dataset, path).of(0).xyxy.tolist() == [[2, 2, 12, 6]]


def test_polygons_and_brushes_are_shapes(tmp_path):
    mask = np.zeros((10, 20), bool)
    mask[1:4, 2:7] = True
    polygon = region("polygonlabels", points=[[10, 10], [35, 10], [35, 40], [10, 40]])
    painted = region("brushlabels", format="rle", rle=brush.encode(mask))
    generic = {**region("labels", format="rle", rle=brush.encode(mask)), "score": 0.5}
    bare = {**generic, "type": "brush"}
    rows = read(tmp_path, task(polygon, painted, generic, bare)).rows
    assert len(rows) == 3 and rows[2].score == 0.5
    for row in rows:
        assert np.array_equal(shape_mask(row.shape, (10, 20)), mask)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("/data/upload/3/0a1b2c3d-a.png", "a.png"),
        ("/data/upload/0a1b2c3d-my%20a.png", "my a.png"),
        ("upload/3/0a1b2c3d-a.png", "a.png"),
        ("/data/local-files/?d=set/sub%20one/a%2Bb.png", "set/sub one/a+b.png"),
        ("s3://bucket/set/a.png", "set/a.png"),
        ("https://example.org/set/a%C3%B6.png?x=1", "set/aö.png"),
        ("set/a#1.png", "set/a#1.png"),
        ("/data/local-files/?d=set/a+b.png", "set/a+b.png"),
        ("/data/local-files/?d=set/a#1.png", "set/a#1.png"),
        ("/data/local-files/?d=set/a?b.png", "set/a?b.png"),
        ("/data/local-files/?d=set/a&b.png&x=1", "set/a&b.png"),
        ("http://host:8080/data/local-files/?x=1&d=set/a%23b.png", "set/a#b.png"),
        ("/data/upload/3/0a1b2c3d-a#1.png", "a#1.png"),
        ("/data/upload/3/0a1b2c3d-a+1.png", "a+1.png"),
        ("/data/upload/3/0a1b2c3d-what?.png", "what?.png"),
        ("https://example.org/a#1.JPG?X-Amz-Date=1#top", "a#1.JPG"),
        ("https://example.org/a.png#top", "a.png"),
    ],
)
def test_the_name_behind_a_url(tmp_path, image, name):
    assert list(read(tmp_path, task(region(), image=image)).images) == [name]


def test_a_region_of_two_labels_is_two_objects(tmp_path):
    both = region()
    both["value"]["rectanglelabels"] = ["cat", "dog", "cat", " "]
    found = read(tmp_path, task(both, {**region(label="cow"), "id": "7"}))
    assert [row.name for row in found.rows] == ["cat", "dog", "cow"] and not found.dropped
    assert found.rows[0].numbers == found.rows[1].numbers
    assert found.notes[0].startswith("1 regions") and "each label is read as an object" in found.notes[0]


def test_which_of_several_annotations_is_taken_is_said(tmp_path):
    def annotation(label, **more):
        return {"result": [region(label=label)], **more}

    cancelled = annotation("no", id=5, was_cancelled=True, updated_at="2026-09-09")
    old, new = (
        annotation("old", id=1, updated_at="2026-01-01"),
        annotation("new", id=2, updated_at="2026-02-01"),
    )
    true = annotation("true", id=0, updated_at="2020-01-01", ground_truth=True)
    picture(tmp_path / "images/a.png", (10, 20))
    for annotations, label in [
        ([new, old, cancelled], "new"),
        ([true, new], "true"),
        ([cancelled, old], "old"),
    ]:
        heard = Heard()
        path = write(tmp_path / "tasks.json", json.dumps([{**task(), "annotations": annotations}]))
        table = read_boxes(open_dataset(tmp_path, labels="images"), path, messages=heard)
        assert table.classes.names == ("background", label)
        assert any("have several annotations" in text for text in heard.warned) == (label != "old")


def test_what_is_no_shape_is_counted(tmp_path):
    turned = region(x=10, y=20, width=50, height=40, rotation=30)
    sideways = {**region(), "image_rotation": 90}
    nameless = region()
    nameless["value"]["rectanglelabels"] = []
    choice = {"type": "choices", "value": {"choices": ["x"]}}
    found = read(tmp_path, task(turned, sideways, nameless, choice, region("keypointlabels", x=1, y=1)))
    assert found.dropped == {
        "rotated box": 1, "on a turned image": 1, "without a label": 1, "choices": 1, "keypointlabels": 1,
    }  # fmt: skip
    assert not found.rows


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([{"image": "/data/upload/1/a.png", "annotation_id": 3}], "not as 'JSON-MIN'"),
        ([{"data": {"text": "hello"}}], "its data names 0 images instead of one"),
        ([task(region()), task(region())], "lists image 'a.png' twice"),
        ([task({**region(), "original_width": 0})], "is not the size of the image"),
        ([task(region(), {**region(), "original_width": 21})], "is not the size of the image"),
        ([task({**region(), "original_width": 10**6, "original_height": 10**6})], "is not the size"),
        ([task({k: v for k, v in region().items() if k != "original_width"})], "'original_width' is missing"),
        ([task(region(x=1, y=2, width=3))], "'height' is missing"),
        ([task(region("polygonlabels", points=[[1, 2], [3]]))], "is not a Label Studio export"),
        ([task(region("polygonlabels", points=[[1, 2], [3, float("nan")]]))], "corner that is not a number"),
        ([task(region("brushlabels", rle=[1, 2]))], "task 9, region 1: a brush whose run lengths end early"),
        ([task(region(), image="/data/local-files/?d=../../y.png")], None),
        (["x"], "is not a Label Studio export"),
        ([7], "is not a Label Studio export"),
    ],
)  # fmt: skip
def test_malformed_files_are_refused_in_a_sentence(tmp_path, tasks, message):
    picture(tmp_path / "images/a.png", (10, 20))
    path = write(tmp_path / "tasks.json", json.dumps(tasks))
    with pytest.raises(BadInputError) as error:
        label_studio.read_boxes(path)
        read_boxes(open_dataset(tmp_path, labels="images"), path)
    assert (message or "lists none of the 1 images") in str(error.value) and "\n" not in str(error.value)
