"""The sample is whole, honest and the same every time."""

import hashlib
import json
import os
import socket
from pathlib import Path

import numpy as np
import pytest

from wsstool import atomic
from wsstool.data.dataset import open_dataset
from wsstool.data.images import read_image
from wsstool.data.sample import KINDS, run_lengths
from wsstool.data.sample.drawing import smooth_noise
from wsstool.errors import CannotWriteError, UsageError
from wsstool.stages.program.sample import sample


def digest(folder):
    """File name -> hash of its bytes."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    """Kind and folder of a sample of twenty pictures, made without a network."""
    folder = tmp_path_factory.mktemp("sample") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "socket", lambda *a, **k: pytest.fail("the network was asked for"))
        sample(output=folder, kind=request.param, count=20, size=96)
    return request.param, folder


def test_layout(made):
    kind, folder = made
    data = open_dataset(folder)
    assert len(data) == 20 and data.layout == "table"
    assert data.classes.background == (-1 if kind == "tissue" else 0)
    assert (data.sizes() == 96).all()
    assert [len(open_dataset(folder, split=s)) for s in ("train", "val", "test")] == [12, 3, 5]


def test_tags_say_what_the_masks_hold(made):
    _, folder = made
    data = open_dataset(folder)
    for i in range(len(data)):
        present = {int(c) for c in np.unique(data.mask(i))} - {data.classes.background, 255}
        assert present == set(np.flatnonzero(data.labels[i]).tolist())
        assert present


def test_every_class_occurs_and_none_always(made):
    _, folder = made
    data = open_dataset(folder)
    share = data.labels[:, list(data.classes.foreground)].mean(axis=0)
    assert (share > 0).all() and (share < 1).all()


def test_boxes_are_those_of_the_visible_masks(tmp_path):
    sample(output=tmp_path / "s", count=6, size=96)
    data = open_dataset(tmp_path / "s")
    found = json.loads((tmp_path / "s/boxes.json").read_text())
    for i, image in enumerate(found["images"]):
        mask = np.zeros((96, 96), np.uint8)
        for a in [a for a in found["annotations"] if a["image_id"] == image["id"]]:
            counts = a["segmentation"]["counts"]
            one = np.repeat(np.arange(len(counts)) % 2, counts).reshape(96, 96, order="F").astype(bool)
            x, y, w, h = a["bbox"]
            rows, columns = np.nonzero(one)
            assert (x, y, x + w - 1, y + h - 1) == (columns.min(), rows.min(), columns.max(), rows.max())
            assert a["area"] == one.sum()
            mask[one] = a["category_id"]
        assert np.array_equal(mask, data.mask(i))
    assert np.array_equal(open_dataset(tmp_path / "s", boxes="boxes.json").labels, data.labels)


def test_painting_the_tags_everywhere_scores_low(made):
    """The blind baseline: mean IoU of the likeliest tag of each picture painted over all of it."""
    _, folder = made
    data = open_dataset(folder)
    n = len(data.classes)
    confusion = np.zeros((n, n), int)
    prior = data.labels.mean(axis=0)
    for i in range(len(data)):
        truth = data.mask(i)
        guess = int((data.labels[i] * prior).argmax())
        np.add.at(confusion, (truth[truth != 255], guess), 1)
    hit = np.diag(confusion)
    iou = hit / np.maximum(confusion.sum(0) + confusion.sum(1) - hit, 1)
    assert iou.mean() < 0.45


def test_mean_colour_does_not_tell_tissues_apart(tmp_path):
    sample(output=tmp_path / "t", kind="tissue", count=40, size=64)
    data = open_dataset(tmp_path / "t")
    means = {c: [] for c in range(4)}
    for i in range(len(data)):
        image, mask = read_image(data.path(i)).astype(float), data.mask(i)
        for c in means:
            if (mask == c).sum() > 100:
                means[c].append(image[mask == c].mean(axis=0))
    centres = np.array([np.mean(m, axis=0) for m in means.values()])
    within = np.mean([np.std(m, axis=0) for m in means.values()])
    assert np.abs(centres - centres.mean(axis=0)).max() < 1.5 * within


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes(tmp_path, kind):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        sample(output=tmp_path / name, kind=kind, count=3, size=48, seed=seed)
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert digest(tmp_path / "a") != digest(tmp_path / "c")


def test_a_larger_sample_begins_with_the_smaller(tmp_path):
    for count in (2, 4):
        sample(output=tmp_path / str(count), count=count, size=48)
    small, large = digest(tmp_path / "2/images"), digest(tmp_path / "4/images")
    assert small.items() <= large.items()


def test_a_full_folder_is_left_alone(tmp_path):
    target = tmp_path / "s"
    target.mkdir()
    sample(output=target, count=1, size=48)  # an empty folder is no obstacle
    before = digest(target)
    with pytest.raises(UsageError, match="not empty"):
        sample(output=target, count=2, size=48)
    assert digest(target) == before
    sample(output=target, count=2, size=48, force=True)
    assert len(open_dataset(target)) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_a_run_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    sample(output=tmp_path / "s", count=1, size=48)
    before = digest(tmp_path / "s")
    monkeypatch.setattr("wsstool.data.sample.write_class_list", full)
    with pytest.raises(CannotWriteError, match="No space"):
        sample(output=tmp_path / "s", count=1, size=48, force=True)
    assert digest(tmp_path) == {f"s/{name}": value for name, value in before.items()}


@pytest.mark.parametrize("wrong", [{"kind": "cats"}, {"count": 0}, {"size": 8}, {"seed": -1}])
def test_arguments_out_of_range(tmp_path, wrong):
    with pytest.raises(UsageError):
        sample(output=tmp_path / "s", **wrong)
    assert not (tmp_path / "s").exists()


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "s").write_text("")
    with pytest.raises(CannotWriteError, match="is a file"):
        sample(output=tmp_path / "s", count=1)


@pytest.mark.parametrize("mask", [np.zeros((3, 2), bool), np.ones((3, 2), bool), np.eye(4, dtype=bool)])
def test_run_lengths(mask):
    counts = run_lengths(mask)
    assert np.array_equal(np.repeat(np.arange(len(counts)) % 2, counts), mask.ravel(order="F"))
    assert all(c > 0 for c in counts[1:])


@pytest.mark.parametrize(("size", "sigma"), [(33, 1.0), (96, 30.0), (128, 9.7)])
def test_smooth_noise(size, sigma):
    field = smooth_noise(np.random.default_rng(0), size, sigma)
    assert field.shape == (size, size) and abs(field.mean()) < 1e-3 and abs(field.std() - 1) < 1e-3


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_sample_killed_while_it_moves_is_finished_by_the_same_command(tmp_path, force, renames):
    target = tmp_path / "s"
    options = {"output": target, "count": 2, "size": 48, "force": force}
    if force:
        sample(output=target, count=1, size=48)
    child = os.fork()
    if not child:
        rename, left = Path.rename, [renames]

        def killed(*names):
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            rename(*names)

        Path.rename = killed
        atomic.shutil.rmtree = lambda *_, **__: os._exit(9)
        try:
            sample(**options)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    atomic.remove_abandoned.cache_clear()
    sample(**options)
    sample(output=tmp_path / "fresh", count=2, size=48)
    assert digest(target) == digest(tmp_path / "fresh")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fresh", "s"]


def test_the_same_sample_again_is_up_to_date(tmp_path):
    options = {"output": tmp_path / "s", "count": 2, "size": 48}
    assert not sample(**options)["up_to_date"] and sample(**options)["up_to_date"]
    assert not sample(**options, force=True)["up_to_date"]
    for other in ({"count": 3}, {"seed": 1}, {"kind": "tissue"}, {"size": 49}):
        with pytest.raises(UsageError, match="not empty"):
            sample(**{**options, **other})
    next((tmp_path / "s/images").iterdir()).unlink()
    with pytest.raises(UsageError, match="not empty"):
        sample(**options)
