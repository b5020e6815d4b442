"""Label, box and weights files that are pipes or devices are refused instead of waited for."""

import json
import os
import signal
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.data.folders import picture, write
from wsstool.annotation_file import read_json, regular
from wsstool.data.boxes.table import read_boxes
from wsstool.data.classlist import read_class_list
from wsstool.data.dataset import open_dataset
from wsstool.data.formats.class_vectors import read_class_vectors
from wsstool.data.groups import read_groups
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
from wsstool.expressions.recognise import candidates
from wsstool.models.weights import load_weights


@pytest.fixture(autouse=True)
def limit():
    """Ten seconds, after which whoever waits is interrupted."""
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


@pytest.fixture
def root(tmp_path) -> Path:
    return picture(tmp_path / "images/a.png").parent.parent


def pipe(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)
    return path


@pytest.mark.parametrize(
    "name", ["labels/a.txt", "Annotations/a.xml", "instances_a.json", "annotations/instances_a.json"]
)
def test_boxes_in_the_folder(root, name):
    pipe(root / name)
    with pytest.raises(BadInputError, match="it is a pipe or a device, not a file"):
        read_boxes(open_dataset(root, labels="images"))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("nowhere")])
@pytest.mark.parametrize(
    "name", ["boxes.json", "labels.csv", "metadata.tsv", "classes.txt", "cls_labels.npy"]
)
def test_files_of_the_folder_by_name(root, name, make):
    make(root / name)
    with pytest.raises(BadInputError, match=f"{name}' is a (pipe|link to a file that is not there)"):
        open_dataset(root)


def test_masks_in_the_folder(root):
    pipe(root / "masks/a.png")
    with pytest.raises(BadInputError, match=r"masks/a.png' is a pipe or a device"):
        open_dataset(root).mask(0)


def test_sentences_in_the_folder(root):
    pipe(root / "referring.jsonl")
    with pytest.raises(BadInputError, match=r"referring.jsonl' is a pipe or a device"):
        candidates(root)


@pytest.mark.parametrize("name", ["a.json", "sub/a.json"])
def test_others_in_the_folder_are_not_taken_for_files(root, name):
    pipe(root / name)
    dataset = open_dataset(root)
    assert dataset.labels is None
    with pytest.raises(MissingInputError, match="there are no boxes"):
        read_boxes(dataset)


def test_a_description_of_yolo(root):
    write(root / "labels/a.txt", "0 0.5 0.5 0.4 0.4\n")
    pipe(root / "data.yaml")
    with pytest.raises(BadInputError, match=r"data.yaml' is a pipe or a device"):
        read_boxes(open_dataset(root, labels="images"))


@pytest.mark.parametrize(
    "read",
    [
        lambda path, root: open_dataset(root, labels=path),
        lambda path, root: open_dataset(root, class_list=path),
        lambda path, root: open_dataset(root, split=path),
        lambda path, root: read_boxes(open_dataset(root), path),
        lambda path, root: read_class_list(path),
        lambda path, root: read_groups(f"{path}:patient", root, ["a.png"]),
        lambda path, root: load_weights(path),
    ],
)
@pytest.mark.parametrize("name", ["f.csv", "f.npy", "f.json", "/dev/zero"])
def test_named_ones(root, read, name):
    path = Path(name) if name.startswith("/") else pipe(root / name)
    with pytest.raises(WsstoolError) as error:
        read(path, root)
    assert error.value.exit_code in (2, 65, 66) and str(path) in str(error.value)


def test_a_pipe_that_a_shell_opened_is_read(root):
    with subprocess.Popen(["echo", "cat"], stdout=subprocess.PIPE) as written:
        assert regular(Path(f"/dev/fd/{written.stdout.fileno()}"))
        assert read_class_list(f"/dev/fd/{written.stdout.fileno()}").names == ("cat",)


BOXES = {
    "images": [{"id": 1, "file_name": "a.png", "width": 5, "height": 4}],
    "categories": [{"id": 1, "name": "cat"}],
    "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 3, 2]}],
}


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda path, root: read_boxes(open_dataset(root), path).counts, json.dumps(BOXES)),
        (lambda path, root: open_dataset(root, labels=path).classes.foreground, "image,labels\na.png,cat\n"),
        (lambda path, root: open_dataset(root, split=path).names, "a.png\n"),
    ],
)
def test_lists_from_a_pipe_that_a_shell_opened(root, read, text):
    with subprocess.Popen(["printf", "%s", text], stdout=subprocess.PIPE) as written:
        assert len(read(f"/dev/fd/{written.stdout.fileno()}", root)) == 1


@pytest.mark.parametrize("read", [read_class_vectors, lambda path: read_json(path, f"'{path}'")])
def test_zip_files_are_not_read_from_a_pipe(tmp_path, read):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("a.json", "{}")
    with subprocess.Popen(["cat", tmp_path / "a.zip"], stdout=subprocess.PIPE) as written:
        path = Path(f"/dev/fd/{written.stdout.fileno()}")
        with pytest.raises(BadInputError, match="a pipe or a device; write the content to a file"):
            read(path)
