"""YOLO labels: class names in every way that they can be said, the forms of lines, folders of splits."""

import numpy as np
import pytest

from tests.data.folders import picture, write
from tests.messages import Heard
from wsstool.data.boxes.table import read_boxes
from wsstool.data.dataset import open_dataset
from wsstool.data.formats import yolo
from wsstool.data.geometry.instances import AnnotatedImage
from wsstool.errors import BadInputError
from wsstool.types import ClassList


def names(folder, text):
    """The class names of a folder with this ``data.yaml`` and boxes of the classes 0 and 1."""
    write(folder / "labels" / "a.txt", "0 .5 .5 .2 .2\n1 .5 .5 .2 .2\n")
    write(folder / "data.yaml", text)
    found = yolo.read_boxes(folder / "labels")
    return [row.name for row in found.rows], [found.classes.names[i] for i in found.classes.foreground]


PEOPLE = ["person", "bicycle"]


@pytest.mark.parametrize(
    "text",
    [
        "nc: 2\nnames:\n  0: person\n  1: 'bicycle'\n",
        "names:\n  0: person\n  # two wheels\n\n  1: bicycle  # no motor\n",
        "names: {0: person, 1: bicycle}\n",
        'names:\n  "0": person\n  "1": bicycle\n',
        "names:\n- person\n- bicycle\n",
        "names: [person,\n  bicycle]\n",
        "names:\n  1: bicycle\n  0: person\ntrain: images\n",
        "\ufeffnames: [person, bicycle]\n",
        "names: # two\n\n  - person\n  # next\n  - bicycle\n",
        '{"names": ["person", "bicycle"], "nc": 2}',
        "base: &n [person, bicycle]\nnames: *n\n",
        "names:\n  ? 0\n  : person\n  ? 1\n  : bicycle\n",
        "%YAML 1.2\n---\nnames: [person, bicycle]\n...\n",
    ],
)
def test_every_form(tmp_path, text):
    assert names(tmp_path, text) == (PEOPLE, PEOPLE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: ['a, b', c]\n", ["a, b", "c"]),
        ("names: [no, 1.50]\n", ["no", "1.50"]),
        ("names: {0: cat, 2: dog}\n", ["cat", "class-1", "dog"]),
        ("names: data/coco.names\n", ["class-0", "class-1"]),
        ("nc: 2\n", ["class-0", "class-1"]),
        ("- only\n- a list\n", ["class-0", "class-1"]),
        ("", ["class-0", "class-1"]),
    ],
)
def test_names_are_what_is_written(tmp_path, text, expected):
    assert names(tmp_path, text)[1] == expected


@pytest.mark.parametrize(
    "text",
    [
        "names: [a, [b]]\n",
        "names: {cat: 0}\n",
        "names: {-1: cat}\n",
        "names: {99999999999: cat}\n",
        "names: [a\nb: {\n",
        "names:\n  0: cat\n  0: dog\n",
        "kpt_shape: [4, 5]\nnames: [a]\n",
        "names: " + "[" * 100_000,
    ],
)
def test_other_things_are_refused(tmp_path, text):
    with pytest.raises(BadInputError, match=r"data\.yaml"):
        names(tmp_path, text)


def test_nothing_in_it_is_run(tmp_path):
    text = f"names: !!python/object/apply:os.mkdir [{tmp_path}/made]\n"
    names(tmp_path, text)
    assert not (tmp_path / "made").exists()


def test_names_that_are_written_are_read_back(tmp_path):
    spelled = ("no", "1.5", "a: b", "it's", "#x", 'say "x"', "größe", "- y", "{z}")
    yolo.write([AnnotatedImage("a.png", (4, 4), ())], tmp_path / "out", ClassList(spelled, background=-1))
    found = yolo.read_boxes(tmp_path / "out" / "labels")
    assert tuple(found.classes.names[i] for i in found.classes.foreground) == spelled


def labelled(folder, *lines, name="a"):
    return write(folder / f"{name}.txt", "".join(f"{line}\n" for line in lines))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_description_in_another_encoding(tmp_path, encoding):
    labelled(tmp_path / "labels", "0 .5 .5 .2 .2")
    (tmp_path / "data.yaml").write_text("names: [Käfer]\n", encoding=encoding)
    if encoding == "utf-16":
        assert yolo.read_boxes(tmp_path / "labels").rows[0].name == "Käfer"
    else:  # never a name with a replacement character
        with pytest.raises(BadInputError, match=r"data\.yaml' is not valid YAML"):
            yolo.read_boxes(tmp_path / "labels")


def test_a_file_of_names_and_a_file_of_another_name(tmp_path):
    labelled(tmp_path / "labels", "1 .5 .5 .2 .2")
    write(tmp_path / "lists" / "coco.names", "person\nbicycle\n")
    write(tmp_path / "people.yaml", "names: lists/coco.names\n")
    write(tmp_path / "compose.yml", "a: [\n")
    assert yolo.read_boxes(tmp_path / "labels").rows[0].name == "bicycle"
    write(tmp_path / "other.yaml", "names: [x, y]\n")
    with pytest.raises(BadInputError, match=r"other\.yaml' and '.*people\.yaml' describe different classes"):
        yolo.read_boxes(tmp_path / "labels")


def test_one_level_up_as_in_an_export_of_roboflow(tmp_path):
    text = "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [cat, dog]\n"
    path = write(tmp_path / "data.yaml", text)
    for split in ("train", "valid"):
        picture(tmp_path / split / "images" / "a.rf.1.jpg", (30, 50))
        labelled(tmp_path / split / "labels", "1 .5 .5 .2 .2", name="a.rf.1")
    heard = Heard()
    table = read_boxes(open_dataset(tmp_path / "train"), messages=heard)
    assert [table.classes.names[i] for i in table.of(0).class_ids] == ["dog"] and not heard.warned
    both = read_boxes(open_dataset(tmp_path), messages=heard)  # one level up, all splits
    assert both.counts.tolist() == [1, 1] and [b.ids.tolist() for b in both.boxes] == [[1], [2]]
    one = read_boxes(open_dataset(tmp_path, split="valid"), messages=heard)
    assert one.counts.tolist() == [1] and not heard.warned
    path.write_text(text.replace("train/", "other/").replace("valid/", "other/"))  # not about these folders
    assert yolo.read_boxes(tmp_path / "train" / "labels").rows[0].name == "class-1"


def notes(folder, *lines, names=()):
    labelled(folder / "labels", *lines)
    found = yolo.read_boxes(folder / "labels", names)
    return [row.name for row in found.rows], " ".join(found.notes)


def test_classes_without_names_are_said(tmp_path):
    found, said = notes(tmp_path, "1 .5 .5 .2 .2")
    assert found == ["class-1"] and "has no class names" in said
    found, said = notes(tmp_path, "1 .5 .5 .2 .2", names=["cat", "dog"])
    assert found == ["dog"] and "count the class list of the data folder from 0: 0 is 'cat'" in said
    found, said = notes(tmp_path, "2 .5 .5 .2 .2", names=["cat", "dog"])
    assert found == ["class-2"] and "1 objects" in said and "the class list does not name, such as 2" in said
    write(tmp_path / "data.yaml", "names: {0: cat, 7: dog}\n")
    found, said = notes(tmp_path, "1 .5 .5 .2 .2", "7 .5 .5 .2 .2", "9 .5 .5 .2 .2")
    assert found == ["class-1", "dog", "class-9"]
    assert "2 objects" in said and "data.yaml' does not name, such as 1; they are called class-1" in said


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((0, 1), ["cat", "dog"]), ((2,), ["dog"]), ((0, 2), ["background", "dog"]), ((1,), ["dog"])],
)
def test_a_list_of_names_that_begins_with_a_background(tmp_path, numbers, expected):
    write(tmp_path / "classes.txt", "background\ncat\ndog\n")
    found, said = notes(tmp_path, *(f"{number} .5 .5 .2 .2" for number in numbers))
    assert found == expected
    assert ("without the background: 0 is 'cat'" in said) is (max(numbers) < 2)


def test_names_that_two_numbers_have(tmp_path):
    write(tmp_path / "data.yaml", "names: [cat, dog, cat]\n")
    labelled(tmp_path / "labels", "0 .5 .5 .2 .2", "2 .5 .5 .2 .2")
    found = yolo.read_boxes(tmp_path / "labels")
    assert [row.name for row in found.rows] == ["cat", "cat"]
    assert found.classes.names == ("background", "cat", "dog")


@pytest.mark.parametrize(
    "line", ["1.0 .5 .5 .2 .2", "\ufeff1 .5 .5 .2 .2", "1 .5 .5 .2 .2 .9", "1\t.5\t.5  .2 .2 "]
)
def test_forms_of_a_box(tmp_path, line):
    (row,) = yolo.read_boxes(labelled(tmp_path, line).parent).rows
    assert (row.name, row.numbers, row.shape) == ("class-1", (0.5, 0.5, 0.2, 0.2), None)


@pytest.mark.parametrize(
    "line", ["1.5 .5 .5 .2 .2", "-1 .5 .5 .2 .2", "99999999999 .5 .5 .2 .2", "cat .5 .5 .2 .2"]
)
def test_what_is_no_class_number(tmp_path, line):
    with pytest.raises(BadInputError, match=r"a\.txt', line 1: .*class number"):
        yolo.read_boxes(labelled(tmp_path, line).parent)


BOX = (0.3125, 0.375, 0.3125, 0.4)
POINTS = [(0.2, 0.3), (0.3, 0.3), (0.3, 0.4), (0.0, 0.0), (0.25, 0.5)]


def pose(count, numbers, *more):
    points = [(*point, 2 * bool(point[0]))[:numbers] for point in POINTS[:count]]
    return " ".join(str(v) for v in (0, *BOX, *(v for point in points for v in point), *more))


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("numbers", [2, 3])
def test_a_pose_is_its_box(tmp_path, count, numbers):
    labelled(tmp_path / "labels", pose(count, numbers), "0 .5 .5 .1 .1")
    write(tmp_path / "data.yaml", f"kpt_shape: [{count}, {numbers}]\nnames: [cat]\n")
    found = yolo.read_boxes(tmp_path / "labels")
    assert [(row.numbers, row.shape) for row in found.rows] == [(BOX, None), ((0.5, 0.5, 0.1, 0.1), None)]
    assert "keypoints" in " ".join(found.notes)
    (tmp_path / "data.yaml").unlink()
    if numbers == 3:  # the visibility tells it
        assert yolo.read_boxes(tmp_path / "labels").rows[0].numbers == BOX
        return
    with pytest.raises(BadInputError, match=rf"or boxes with {count} keypoints; .*shape: \[{count}, 2\]'"):
        yolo.read_boxes(tmp_path / "labels")


def test_a_pose_of_another_length_than_stated_is_refused(tmp_path):
    labelled(tmp_path / "labels", pose(3, 3))
    write(tmp_path / "data.yaml", "kpt_shape: [4, 3]\nnames: [cat]\n")
    with pytest.raises(BadInputError, match=r"13 numbers after the class, but .*\[4, 3\] .* makes 16"):
        yolo.read_boxes(tmp_path / "labels")


def test_polygons_of_one_length_are_polygons(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(40):
        x, y = rng.uniform(0.05, 0.7, 2)
        w, h = rng.uniform(0.02, 0.25, 2)
        lines.append(f"0 {x} {y} {x + w} {y} {x + w} {y + h} {x} {y + h}")
    labelled(tmp_path / "labels", *lines)
    found = yolo.read_boxes(tmp_path / "labels")
    assert all(row.shape for row in found.rows)
    assert found.rows[-1].numbers == pytest.approx((x + w / 2, y + h / 2, w, h))


def test_what_could_be_both_is_decided_by_the_description(tmp_path):
    line = "0 .3 .3 .5 .3 .5 .4 .3 .4"  # a rectangle, or a large box with two keypoints
    labelled(tmp_path / "labels", line)
    with pytest.raises(BadInputError, match="may be polygons, or boxes with 2 keypoints"):
        yolo.read_boxes(tmp_path / "labels")
    write(tmp_path / "data.yaml", "task: segment\nnames: [cat]\n")
    assert yolo.read_boxes(tmp_path / "labels").rows[0].numbers == pytest.approx((0.4, 0.35, 0.2, 0.1))
    write(tmp_path / "data.yaml", "task: pose\nnames: [cat]\n")
    assert yolo.read_boxes(tmp_path / "labels").rows[0].numbers == (0.3, 0.3, 0.5, 0.3)
