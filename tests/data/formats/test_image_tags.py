"""Image-level labels of annotation tools as ``--labels``: tags of CVAT, choices of Label Studio."""

import json
import zipfile

import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.dataset import open_dataset
from wsstool.errors import BadInputError

NAMES = ("background", "cat", "dog")


@pytest.fixture
def data(tmp_path):
    for name in ("a", "b", "c"):
        picture(tmp_path / "data" / "images" / f"{name}.png", (48, 64))
    return tmp_path / "data"


def labels_of(data, path, **options):
    heard = Heard()
    dataset = open_dataset(data, labels=path, messages=heard, **options)
    names = dataset.classes.names
    tags = [{names[k] for k, on in enumerate(row) if on} for row in dataset.labels.tolist()]
    stems = [name.removeprefix("images/")[0] for name in dataset.names]
    return dict(zip(stems, tags, strict=True)), heard


def cvat(*images, labels=("cat", "dog")):
    head = "".join(f"<label><name>{name}</name></label>" for name in labels)
    body = "".join(
        f'<image id="{k}" name="{name}" width="64" height="48">{content}</image>'
        for k, (name, content) in enumerate(images)
    )
    meta = f"<version>1.1</version><meta><task><labels>{head}</labels></task></meta>"
    return f"<annotations>{meta}{body}</annotations>"


BOX = '<box label="dog" xtl="1" ytl="1" xbr="9" ybr="9"/>'
IMAGES = (
    ("a.png", '<tag label="cat"/><tag label="dog"></tag>'),
    ("b.png", f'<tag label="cat"/>{BOX}'),
    ("c.png", ""),
)
WANTED = {"a": {"cat", "dog"}, "b": {"cat", "dog"}, "c": set()}


def test_tags_of_cvat(data, tmp_path):
    path = write(tmp_path / "annotations.xml", cvat(*IMAGES))
    assert labels_of(data, path)[0] == WANTED
    assert open_dataset(data, labels=path).classes.names == NAMES
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as packed:
        packed.write(path, "annotations.xml")
    assert labels_of(data, tmp_path / "task.zip")[0] == WANTED
    assert labels_of(data, write(tmp_path / "bare.xml", cvat(*IMAGES, labels=())))[0] == WANTED


def test_a_class_list_decides_the_numbers(data, tmp_path):
    write(data / "classes.txt", "0 background\n1 dog\n2 wild_cat\n")
    path = write(tmp_path / "annotations.xml", cvat(("a.png", '<tag label="wild cat"/>')))
    assert open_dataset(data, labels=path).labels.tolist() == [[0, 0, 1]]
    path = write(tmp_path / "annotations.xml", cvat(("a.png", '<tag label="emu"/>')))
    with pytest.raises(BadInputError, match=r"the label 'emu' of image 'images/a\.png' in CVAT file"):
        open_dataset(data, labels=path)


def chosen(*names, kind="choices", **more):
    return {
        "id": "q",
        "type": kind,
        "from_name": "x",
        "to_name": "image",
        "value": {kind: list(names)},
        **more,
    }


def task(image, *results):
    return {"id": 1, "data": {"image": image}, "annotations": [{"id": 5, "result": list(results)}]}


def test_choices_of_label_studio(data, tmp_path):
    tasks = [
        task("/data/upload/1/1a2b3c4d-a.png", chosen("cat", "dog")),
        task("/data/local-files/?d=x/b.png", chosen("cat"), chosen("dog")),
        task("c.png"),
    ]
    assert labels_of(data, write(tmp_path / "t.json", json.dumps(tasks)))[0] == WANTED


def test_choices_about_a_region_are_not_about_the_image(data, tmp_path):
    region = {
        "id": "r", "type": "rectanglelabels", "original_width": 64, "original_height": 48,
        "value": {"x": 1, "y": 1, "width": 9, "height": 9, "rectanglelabels": ["dog"]},
    }  # fmt: skip
    tasks = [task("a.png", region, chosen("blurred", id="r"), chosen("cat"))]
    assert labels_of(data, write(tmp_path / "t.json", json.dumps(tasks)))[0] == {"a": {"cat", "dog"}}


def minimal(image, number=1, **fields):
    return {"image": f"/data/upload/1/1a2b3c4d-{image}.png", "id": number, "annotation_id": number, **fields}


@pytest.mark.parametrize(
    "rows",
    [
        [
            minimal("a", choice={"choices": ["cat", "dog"]}, patient="p7"),
            minimal("b", choice={"choices": ["dog", "cat"]}, patient="p8"),
            minimal("c", patient="p9"),
        ],
        [
            minimal("a", choice={"choices": ["cat", "dog"]}),
            minimal("b", choice="cat", label=[{"x": 1, "rectanglelabels": ["dog"]}]),
            minimal("c", annotator=3, updated_at="2026-01-01"),
        ],
    ],
)
def test_choices_in_json_min(data, tmp_path, rows):
    assert labels_of(data, write(tmp_path / "t.json", json.dumps(rows)))[0] == WANTED


def test_single_choices_in_json_min(data, tmp_path):
    rows = [minimal("a", kind="St. Bernard"), minimal("b", kind="cat", created_at="2026-01-01T00:00:00Z")]
    path = write(tmp_path / "t.json", json.dumps(rows))
    assert labels_of(data, path)[0] == {"a": {"St. Bernard"}, "b": {"cat"}}
    rows[0]["patient"] = "p7"
    path = write(tmp_path / "t.json", json.dumps(rows))
    with pytest.raises(BadInputError, match=r"which of its fields is a choice: kind, patient; export"):
        open_dataset(data, labels=path)


def test_of_two_annotations_in_json_min_the_last_counts(data, tmp_path):
    rows = [
        minimal("a", 1, kind="cat", updated_at="2026-02-02"),
        minimal("a", 2, kind="dog", updated_at="2026-01-01"),
    ]
    found, heard = labels_of(data, write(tmp_path / "t.json", json.dumps(rows)))
    assert found == {"a": {"cat"}} and "1 images" in heard.lines[0] and "updated last" in heard.lines[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", cvat(("a.png", ""))),
        ("a.json", json.dumps([task("a.png")])),
        ("b.json", json.dumps([minimal("a", annotator=1)])),
    ],
)
def test_a_file_without_any_label_is_refused(data, tmp_path, name, text):
    with pytest.raises(BadInputError, match="has no labels: neither of images nor of objects"):
        open_dataset(data, labels=write(tmp_path / name, text))
