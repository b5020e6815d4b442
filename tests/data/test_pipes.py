"""Label, box and weights files that are pipes or devices are refused instead of waited for."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.data.folders import picture, write
from wsstool.annotation_file import regular
from wsstool.data.boxes.table import read_boxes
from wsstool.data.classlist import read_class_list
from wsstool.data.dataset import open_dataset
from wsstool.data.groups import read_groups
from wsstool.errors import BadInputError, MissingInputError, WsstoolError
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


@pytest.mark.parametrize("name", ["boxes.json", "labels.csv", "classes.txt", "a.json", "sub/a.json"])
def test_others_in_the_folder_are_not_taken_for_files(root, name):
    pipe(root / name)
    dataset = open_dataset(root)
    assert dataset.labels is None
    with pytest.raises(MissingInputError, match="there are no boxes"):
        read_boxes(dataset)


def test_a_description_of_yolo(root):
    write(root / "labels/a.txt", "0 0.5 0.5 0.4 0.4\n")
    pipe(root / "data.yaml")
    assert read_boxes(open_dataset(root, labels="images")).counts.tolist() == [1]


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
