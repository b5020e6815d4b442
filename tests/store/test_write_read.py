"""What is written is what is read, and when nothing has to be written."""

import dataclasses
import os

import h5py
import numpy as np
import pytest

from tests.messages import Heard
from tests.store.records import CLASSES, KINDS, example, read
from wsstool import store
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, SomeFailedError, UsageError
from wsstool.store.input.parse import parse_header


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind, tmp_path):
    made = example(kind, failed=(3,))
    made.write(tmp_path / "a.h5")
    header, records, tail = read(tmp_path / "a.h5")
    assert header.images == made.header.images and header.classes == made.header.classes
    assert header.layout().head == made.header.layout().head
    assert os.listdir(tmp_path) == ["a.h5"]
    for i, record in enumerate(records):
        assert (record.index, record.name) == (i, made.header.images[i])
        assert record.data.dtype == header.dtype
        if made.data[i] is not None:
            expected = np.asarray(made.data[i], header.dtype).reshape(-1)
            assert np.array_equal(record.data.reshape(-1), expected)
        elif i == 1 or record.data.size:
            assert record.failed
    assert tail["status"].tolist() == [2 if one is None else 1 for one in made.data]
    for name in made.tails[0]:
        index = header.tail_columns()[name][2]
        for i in (0, 2, 4, 5):
            assert np.array_equal(
                tail[name][header.rows(i, index)].reshape(-1),
                np.asarray(made.tails[i][name], tail[name].dtype),
            )


def test_maps_of_several_layers(tmp_path):
    made = example("cam-3-layers")
    made.write(tmp_path / "a.h5")
    header, records, _ = read(tmp_path / "a.h5")
    for record in records:
        grids = header.columns["layer_size"][record.index].tolist()
        assert [list(m.shape) for m in record.maps] == [[len(record.class_ids), *grid] for grid in grids]
        joined = np.concatenate([m.reshape(-1) for m in record.maps])
        assert np.array_equal(joined, record.data.reshape(-1))


def test_windows_have_the_size_of_their_boxes(tmp_path):
    made = example("selection", 20)
    made.write(tmp_path / "a.h5")
    header, records, _ = read(tmp_path / "a.h5")
    for record in records:
        window = header.columns["window"][header.rows(record.index, "box")]
        assert [w.shape for w in record.windows] == [(y1 - y0, x1 - x0) for x0, y0, x1, y1 in window]
        assert sum(w.size for w in record.windows) == record.data.size


def test_plain_h5py_reads_a_record_in_three_lines(tmp_path):
    made = example("mask")
    made.write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as f:
        i = list(f["image"]).index("b/000002-ü.jpg".encode())
        a, b = f["offset"][i : i + 2]
        mask = f["mask"][a:b].reshape(f["shape"][i])
    assert np.array_equal(mask, made.data[2])


def test_failed_records_are_listed_and_counted(tmp_path):
    made, heard = example("mask", failed=(0,)), Heard()
    with pytest.raises(SomeFailedError, match="2 of 6 images failed: b/000000-ü"):
        made.write(tmp_path / "a.h5", max_failed=1, messages=heard)
    assert heard.warned[0] == "b/000000-ü.jpg: made to fail"
    _, records, _ = read(tmp_path / "a.h5")  # the file is complete all the same
    assert [r.failed for r in records] == [True, True, False, False, False, False]
    with pytest.raises(SomeFailedError):  # up to date, and still as bad as before
        made.write(tmp_path / "a.h5", max_failed=1)
    made.write(tmp_path / "a.h5", max_failed=2)


def test_a_record_failed_only_if_all_of_it_is_filler(tmp_path):
    header = mask_header(["a", "b", "c"], rows=1, columns=4)
    with store.create(header, tmp_path / "a.h5", max_failed=3) as writer:
        for pixels in ([1, 255, 0, 2], [255, 255, 255, 1], [255] * 4):
            writer.write(np.array([[pixels]], np.uint8))
    _, records, _ = read(tmp_path / "a.h5")
    assert [record.failed for record in records] == [False, False, True]


def mask_header(images: list[str], *, rows: int = 2, columns: int = 3) -> store.Header:
    size = (rows, columns)
    return store.new_header(
        "mask",
        stage="made-up",
        params={},
        inputs=[],
        images=images,
        sizes=np.array([size] * len(images)),
        shapes=np.array([(1, *size)] * len(images)),
        classes=CLASSES,
        attributes={"layers": ["mask"]},
    )


@pytest.mark.parametrize(
    ("images", "says"),
    [
        (["a", "a"], "not sorted and unique: 'a' before 'a'"),
        (["a", "c", "b"], "not sorted and unique: 'c' before 'b'"),
        (["../a", "b"], "outside the data folder"),
    ],
)
def test_image_names_are_unique_sorted_and_stay_inside(images, says):
    assert mask_header(["a", "b"]).images == ("a", "b")
    with pytest.raises(BadInputError, match=says):
        mask_header(images)


@pytest.mark.parametrize(("rows", "fits"), [(65534, True), (65535, False)])
def test_proposals_have_numbers_of_16_bits(rows, fits):
    """65535 is no number of a proposal: it marks the rows that are not used."""

    def header():
        return store.new_header(
            "proposal",
            stage="made-up",
            params={},
            inputs=[],
            images=["a"],
            sizes=np.array([[2, 3]]),
            shapes=np.array([[2, 3, -1]]),
            elements=np.array([6 + 3 * rows]),
            classes=CLASSES,
            attributes={"max_proposals": rows},
        )

    if fits:
        assert header().attributes["max_proposals"] == rows
    else:
        with pytest.raises(ValueError, match="max_proposals"):
            header()


def test_up_to_date(tmp_path):
    made, heard = example(), Heard()
    path = tmp_path / "a.h5"
    made.write(path)
    os.utime(path, (1, 1))
    inode = path.stat().st_ino
    with store.create(made.header, path, messages=heard, max_failed=1) as writer:
        assert writer.start == len(made) and writer.failed == ["b/000001-ü.jpg"]
    assert path.stat().st_mtime > 1 and path.stat().st_ino == inode
    assert heard.said == [f"'{path}' is up to date (key {made.header.key[:12]})"]
    made.write(path, force=True)
    assert path.stat().st_ino != inode and os.listdir(tmp_path) == ["a.h5"]


def test_another_result_says_what_changed(tmp_path):
    path = tmp_path / "a.h5"

    def reason(made):
        heard = Heard()
        made.write(path, messages=heard)
        return heard.said[0].removeprefix(f"recomputing '{path}': ")

    example(seed=1).write(path)
    assert reason(example(seed=2)) == "seed 1 -> 2"
    path.write_bytes(path.read_bytes()[:-1])
    assert "is truncated" in reason(example(seed=2))


def test_tags_that_the_key_does_not_know_still_count(tmp_path):
    """A stage whose key forgets the label file must not serve results of other labels."""
    made, heard = example("mask"), Heard()
    made.write(tmp_path / "a.h5")
    columns = {**made.header.columns, "label": 1 - made.header.columns["label"]}
    other = dataclasses.replace(made, header=dataclasses.replace(made.header, columns=columns))
    other.write(tmp_path / "a.h5", messages=heard)
    assert heard.said[0].endswith("column label changed")


def test_typed_paths_make_no_difference(tmp_path):
    made, heard = example("mask"), Heard()
    made.write(tmp_path / "a.h5")
    moved = dataclasses.replace(made, header=dataclasses.replace(made.header, image_root="../elsewhere"))
    moved.write(tmp_path / "a.h5", messages=heard)
    assert "up to date" in heard.said[0]


def test_outputs_that_cannot_be(tmp_path, monkeypatch):
    header = example().header
    with pytest.raises(CannotWriteError, match="is a folder"):
        store.create(header, tmp_path)
    with pytest.raises(CannotWriteError, match="No such file"):
        store.create(header, tmp_path / "none" / "a.h5")
    monkeypatch.setattr("sys.stdout", None)
    with pytest.raises(CannotWriteError, match="closed"):
        store.create(header, None)


def test_devices_are_written_and_never_replaced(tmp_path):
    example().write("/dev/null")
    assert not os.path.isfile("/dev/null")
    with pytest.raises(CannotWriteError, match="No space"):
        example().write("/dev/full")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "a.h5").symlink_to(tmp_path / "big" / "a.h5")
    example().write(tmp_path / "a.h5")
    assert (tmp_path / "a.h5").is_symlink() and os.listdir(tmp_path / "big") == ["a.h5"]


def test_terminals_are_refused(monkeypatch):
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    with open(slave, "w") as screen, open(slave, closefd=False) as keyboard:
        monkeypatch.setattr("sys.stdout", screen)
        monkeypatch.setattr("sys.stdin", keyboard)
        with pytest.raises(UsageError, match="refusing to write HDF5 to a terminal"):
            store.create(example().header, None)
        with pytest.raises(UsageError, match="refusing to write HDF5 to a terminal"):
            store.create(example().header, os.ttyname(slave))
        with pytest.raises(UsageError, match="name a file"):
            store.open_records(None)
    os.close(master)


def test_inputs_that_cannot_be(tmp_path):
    with pytest.raises(MissingInputError, match="No such file"):
        store.open_records(tmp_path / "none.h5")
    with pytest.raises(BadInputError, match="is a folder; eval reads a file"):
        store.open_records(tmp_path, command="eval")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.arange(99)
    with pytest.raises(BadInputError, match="wsstool did not write it"):
        store.open_records(tmp_path / "other.h5")
    example("mask").write(tmp_path / "mask.h5")
    with pytest.raises(
        BadInputError, match=r"is a mask file \(from 'made-up'\); x reads cam files, made by 'wsstool cam'"
    ):
        store.open_records(tmp_path / "mask.h5", kinds=("cam",), command="x")


def test_a_reader_reads_once(tmp_path):
    example().write(tmp_path / "a.h5")
    with store.open_records(tmp_path / "a.h5") as reader:
        reader.drain()
        with pytest.raises(RuntimeError, match="read only once"):
            reader.drain()


def test_writer_takes_only_what_was_planned(tmp_path):
    made = example("mask")
    with (
        pytest.raises(ValueError, match="elements instead of"),
        store.create(made.header, tmp_path / "a.h5") as writer,
    ):
        writer.write(made.data[0][:, 1:])
    with (
        pytest.raises(ValueError, match="cannot hold"),
        store.create(made.header, tmp_path / "a.h5") as writer,
    ):
        writer.write(made.data[0].astype(int) + 256)
    with pytest.raises(RuntimeError, match="0 of 6 records"), store.create(made.header, tmp_path / "a.h5"):
        pass
    assert not (tmp_path / "a.h5").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_do_not_fit_are_refused(kind):
    """What passes is used without a further check: nothing short, negative or of another type may."""
    header = example(kind, 12).header
    attributes = header.root_attributes()
    assert parse_header(attributes, header.columns, header.dtype, {}).images == header.images
    for name, column in header.columns.items():
        wrong = [column[:-1], column.astype(complex) if column.dtype.kind != "S" else np.zeros(len(column))]
        if name in ("size", "offset", "shape", "layer_size", "map_offset", "box_offset", "window"):
            wrong += [column - 3]
        if name in ("offset", "layer_size", "map_offset", "box_offset"):
            wrong += [column + 1]
        if name == "map_class":
            wrong += [column + 2]
        if name == "image":
            wrong += [column[::-1], np.array([b"/etc/passwd"] * 12), np.array([b"\xff"] * 12)]
        for one in wrong:
            with pytest.raises(BadInputError):
                parse_header(attributes, {**header.columns, name: one}, header.dtype, {})
        without = {key: value for key, value in header.columns.items() if key != name}
        if name != "label":
            with pytest.raises(BadInputError):
                parse_header(attributes, without, header.dtype, {})
    for name in attributes:
        if name != "wsstool_schema" and not (name == "palette" or (name == "layers" and kind == "mask")):
            with pytest.raises(BadInputError):
                parse_header({**attributes, name: 7.5}, header.columns, header.dtype, {})


def test_no_descriptor_stays_open(tmp_path):
    before = os.listdir("/dev/fd")
    made = example()
    path = tmp_path / "a.h5"
    for _ in range(2):
        made.write(path)
    with pytest.raises(InterruptedError):
        example(seed=2).write(path, stop=3)
    path.with_suffix(".bad").write_bytes(path.read_bytes()[:-9])
    for bad in (path.with_suffix(".bad"), tmp_path / "none"):
        with pytest.raises((BadInputError, MissingInputError)):
            store.open_random(bad)
    made.write("/dev/null")
    assert len(os.listdir("/dev/fd")) == len(before)
