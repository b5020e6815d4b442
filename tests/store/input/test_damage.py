"""No reader believes a file before its checksum: what is damaged, changed or claims too much is refused."""

import json
import os
import subprocess
import sys
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.messages import Heard
from tests.store.records import KINDS, example, read
from wsstool import store
from wsstool.errors import BadInputError, CannotWriteError, UsageError
from wsstool.stages.streams.cat import cat
from wsstool.stages.streams.check import check
from wsstool.stages.streams.info import info
from wsstool.store.input.reader import ChecksumError
from wsstool.store.layout import plan
from wsstool.store.output.archive import write_compressed


def place(path: Path, column: str) -> int:
    with h5py.File(path) as file:
        return file[column].id.get_offset()


def overwritten(path: Path, at: int, raw: bytes, *, whole: bool) -> Path:
    """A copy with other bytes; ``whole``: with the checksum that belongs to them."""
    content = bytearray(path.read_bytes())
    content[at : at + len(raw)] = raw
    if whole:
        content[-4:] = zlib.crc32(bytes(content[:-4])).to_bytes(4, "little")
    bad = path.with_suffix(".bad.h5")
    bad.write_bytes(content)
    return bad


@pytest.fixture
def mask(tmp_path) -> Path:
    example("mask").write(tmp_path / "a.h5")
    return tmp_path / "a.h5"


def flipped(path: Path, column: str = "mask") -> Path:
    at = place(path, column)
    return overwritten(path, at, bytes([path.read_bytes()[at] ^ 1]), whole=False)


class TestWhoeverLeavesHasRead:
    def test_the_header_alone_is_not_believed(self, mask):
        with pytest.raises(ChecksumError), store.open_records(flipped(mask, "label")) as reader:
            assert reader.header.labels is not None
        with pytest.raises(BadInputError, match="checksum"):
            info(str(flipped(mask, "label")))
        with store.open_records(flipped(mask), header_only=True) as reader:
            assert len(reader.header) == 6

    @pytest.mark.parametrize("error", [ValueError, IndexError, UsageError, MemoryError])
    def test_an_error_that_damage_may_have_caused(self, mask, error):
        for at in (0, 3):
            with pytest.raises(ChecksumError) as caught, store.open_records(flipped(mask)) as reader:
                for _ in zip(range(at), reader.records(), strict=False):
                    pass
                raise error("odd")
            assert isinstance(caught.value.__cause__, error)
        with pytest.raises(error, match="odd"), store.open_records(mask):
            raise error("odd")

    @pytest.mark.parametrize("error", [KeyboardInterrupt, CannotWriteError, BrokenPipeError])
    def test_an_error_that_it_has_not(self, mask, error):
        with pytest.raises(error), store.open_records(flipped(mask)):
            raise error

    def test_a_mistyped_option_does_not_wait_for_a_pipe(self, mask):
        reader, writer = os.pipe()
        os.write(writer, flipped(mask).read_bytes()[:-9])  # and more may come in an hour
        with pytest.raises(UsageError), store.open_records(f"/dev/fd/{reader}"):
            raise UsageError("--x")
        os.close(writer)
        os.close(reader)


class TestRepackedFiles:
    @pytest.fixture
    def archive(self, tmp_path) -> Path:
        example("cam").write(tmp_path / "a.h5")
        with store.open_records(tmp_path / "a.h5") as reader:
            write_compressed(reader, tmp_path / "archive.h5")
        return tmp_path / "archive.h5"

    @pytest.mark.parametrize("column", ["status", "score", "scale", "environment", "crc32"])
    def test_every_byte_behind_the_payload_counts(self, archive, column):
        whole, at = archive.read_bytes(), place(archive, column)
        with h5py.File(archive) as file:
            length = file[column].nbytes
        for k in {0, length // 2, length - 1}:
            bad = bytearray(whole)
            bad[at + k] ^= 1
            archive.with_name("bad.h5").write_bytes(bad)
            for use in (read, lambda path: check([str(path)], full=True), cat_to_nowhere):
                with pytest.raises(BadInputError, match="checksum"):
                    use(archive.with_name("bad.h5"))

    def test_a_mask_file_with_its_thresholds_as_well(self, tmp_path):
        """The attribute counted as unknown, and then no checksum was compared."""
        made = example("mask")
        attributes = {**made.header.attributes, "background_threshold": [0.3]}
        replace(made, header=replace(made.header, attributes=attributes)).write(tmp_path / "a.h5")
        with store.open_records(tmp_path / "a.h5") as reader:
            write_compressed(reader, tmp_path / "archive.h5")
        cat(str(tmp_path / "archive.h5"), output=tmp_path / "b.h5")
        assert (tmp_path / "b.h5").read_bytes() == (tmp_path / "a.h5").read_bytes()
        bad = bytearray((tmp_path / "archive.h5").read_bytes())
        bad[place(tmp_path / "archive.h5", "environment") + 1] ^= 1
        (tmp_path / "bad.h5").write_bytes(bad)
        with pytest.raises(BadInputError, match="checksum"):
            read(tmp_path / "bad.h5")

    def test_files_of_a_later_version_are_still_read(self, archive):
        """Their checksum covers a layout that this version does not know."""
        with h5py.File(archive, "a") as file:
            file["later"] = np.arange(6)
        assert len(read(archive)[1]) == 6


def cat_to_nowhere(path: Path) -> None:
    cat(str(path), output=Path(os.devnull))


class TestChangedInPlace:
    @pytest.mark.parametrize("name", ["shorter", "folder", "a much longer name of the data folder" * 40])
    def test_it_is_called_that_and_cat_lays_it_out_anew(self, mask, name, tmp_path):
        with h5py.File(mask, "a") as file:
            file.attrs["image_root"] = name
        for use in (read, lambda path: check([str(path)], full=True)):
            with pytest.raises(BadInputError, match=r"changed in place by another program.*'wsstool cat'"):
                use(mask)
        heard = Heard()
        cat(str(mask), output=tmp_path / "anew.h5", messages=heard)
        assert "changed in place" in heard.warned[0]
        header, records, _ = read(tmp_path / "anew.h5")
        made = example("mask")
        assert header.image_root == name
        for record, data in zip(records, made.data, strict=True):
            assert data is None or np.array_equal(record.data, data)

    def test_damage_is_still_called_damage(self, mask, tmp_path):
        for column in ("mask", "label", "status"):
            with pytest.raises(BadInputError, match="is damaged: its checksum does not match"):
                cat(str(flipped(mask, column)), output=tmp_path / "b.h5")
        assert not list(tmp_path.glob("b.h5*"))


class TestBudgets:
    def test_a_pipe_is_believed_as_far_as_it_goes(self, tmp_path):
        """A header of 20 KB that claims millions of images must not take memory for them."""
        attributes = example("mask").header.root_attributes()
        n = 300_000
        head = plan(
            attributes,
            {
                "image": np.array([b"%08d" % i for i in range(n)]),
                "size": np.zeros((n, 2), np.int32),
                "offset": np.zeros(n + 1, np.int64),
                "shape": np.zeros((n, 3), np.int32),
            },
            ("mask", "uint8", 0),
            {"status": ("uint8", (n,)), "environment": ("S1024", (1,)), "crc32": ("uint32", (1,))},
        ).head
        reader, writer = os.pipe()
        os.write(writer, head[:20_000])
        os.close(writer)
        tracemalloc.start()
        with pytest.raises(BadInputError, match="truncated"):
            store.open_records(f"/dev/fd/{reader}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        os.close(reader)
        assert peak < 2 << 20

    def test_columns_that_nobody_wrote(self, mask):
        with h5py.File(mask) as old, h5py.File(mask.with_name("b.h5"), "w") as new:
            new.attrs.update(old.attrs)
            for name in old:
                new[name] = old[name][()]
            for k in range(9):
                new.create_dataset(f"z{k}", (4 << 20,), np.uint8)
        with pytest.raises(BadInputError, match=r"columns claim 3\d MiB"):
            read(mask.with_name("b.h5"))

    def test_a_record_larger_than_memory(self, mask, monkeypatch):
        def empty(*_):
            raise MemoryError

        with store.open_records(mask, header_only=True) as reader:
            monkeypatch.setattr("wsstool.store.input.reader.np.empty", empty)
            with pytest.raises(BadInputError, match="claims 0 MiB for one record, more than there is memory"):
                next(reader.records())

    def test_an_image_larger_than_any(self, mask):
        bad = overwritten(mask, place(mask, "size"), np.int32([2_000_000, 2_000_000]).tobytes(), whole=True)
        with pytest.raises(BadInputError, match="inconsistent size"):
            read(bad)


class TestContents:
    """Right checksums over wrong content."""

    @pytest.mark.parametrize(
        ("kind", "column", "value", "says"),
        [
            ("selection", "box_class", np.uint16(1000), "box_class"),
            ("contour", "box_class", np.uint16(3), "box_class"),
            ("selection", "box", np.float32(np.inf), "inconsistent box"),
            ("selection", "box", np.float32(np.nan), "inconsistent box"),
            ("contour", "box", np.float32(1e20), "inconsistent box"),
            ("selection", "label", np.uint8(7), "inconsistent label"),
            ("cam", "map_class", np.uint16(3), "map_class"),
            ("mask", "mask", np.uint8(3), r"'b/000000-ü.jpg' has class 3, but there are 3 classes"),
            ("selection", "selection", np.uint8(2), "has a pixel of value 2 instead of 0, 1 or 255"),
            ("mask-sentences", "mask", np.uint8(9), "has a pixel of value 9"),
            ("score", "score", np.int32(-7), "has values that are no pixels"),
        ],
    )
    def test_numbers_out_of_range(self, kind, column, value, says, tmp_path):
        example(kind).write(tmp_path / "a.h5")
        bad = overwritten(tmp_path / "a.h5", place(tmp_path / "a.h5", column), value.tobytes(), whole=True)
        with pytest.raises(BadInputError, match=says):
            read(bad)
        with pytest.raises(BadInputError, match=says):
            store.open_random(bad)
        with pytest.raises(BadInputError, match=says):
            check([str(bad)], full=True)

    def test_windows_beyond_their_image(self, tmp_path):
        header = example("selection").header
        header.sizes[0] = 1, 1
        with pytest.raises(ValueError, match="window"):
            store.new_header(
                "selection", stage="x", params={}, inputs=[], images=header.images, sizes=header.sizes,
                shapes=header.shapes, elements=np.diff(header.offsets), classes=header.classes,
                columns={k: v for k, v in header.columns.items() if k.startswith(("box", "window"))},
            )  # fmt: skip

    @pytest.mark.parametrize("palette", [[[1, 2]], [[1, 2, 999]], [["red", 0, 0]], [[0, 0, 0]] * 257])
    def test_palettes(self, mask, palette):
        from wsstool.store.input.parse import parse_header

        header = example("mask").header
        attributes = {**header.root_attributes(), "palette": json.dumps(palette)}
        with pytest.raises(BadInputError, match="palette"):
            parse_header(attributes, header.columns, "uint8", {})

    def test_numbers_that_failed_images_have_are_no_fault(self, tmp_path):
        for kind in KINDS:
            failed = () if kind == "box" else (0, 3)
            example(kind, failed=failed).write(tmp_path / "a.h5", force=True)
            assert [record.failed for record in read(tmp_path / "a.h5")[1]][1]

    def proposals(self, superpixels, rows):
        header = example("proposal").header
        flat = np.concatenate([np.ravel(superpixels), np.ravel(rows)]).astype(np.uint16)
        return store.Record(0, "a", np.shape(superpixels), flat, header)

    def test_proposals(self):
        good = [[0, 1, 1], [2, 0, 1], [65535] * 3, [65535] * 3]
        assert len(self.proposals([[0, 0, 1, 1]], good).proposals) == 2
        for superpixels, rows, says in (
            ([[0, 0, 2, 2]], good, "has no superpixel 1, but 2"),
            ([[0, 0, 60000, 1]], good, "has no superpixel 2, but 60000"),
            ([[0, 0, 1, 1]], [[0, 7, 1], *good[1:]], "of part 7, which does not exist"),
            ([[0, 0, 1, 1]], [[0, 3, 1], *good[1:]], "in a cycle"),
            ([[0, 0, 1, 1]], [[65535] * 3, *good[1:]], "neither proposals"),
            ([[0, 0, 1, 1]], [[0, 1, 9], *good[1:]], "neither proposals"),
        ):
            with pytest.raises(BadInputError, match=says):
                _ = self.proposals(superpixels, rows).proposals

    @pytest.mark.parametrize(
        ("row", "says"), [([0, 0, 1, 1, 0.5, 9], "class 9"), ([0, np.nan, 1, 1, 0.5, 1], "not finite")]
    )
    def test_boxes(self, row, says):
        record = store.Record(0, "a", (9, 9), np.array([row], np.float32), example("box").header)
        with pytest.raises(BadInputError, match=says):
            _ = record.boxes


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the length of files")
def test_a_full_disk_is_one_sentence(tmp_path):
    """HDF5 crashes the process when it cannot write at the end."""
    example("mask", 400).write(tmp_path / "a.h5")
    code = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from wsstool.stages.streams.cat import cat\n"
        "from wsstool.errors import CannotWriteError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "for limit in (10, 1000, 9000, 20_000):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        cat(sys.argv[1], output=Path(sys.argv[2]), compress='gzip')\n"
        "    except CannotWriteError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "a.h5", tmp_path / "b.h5"], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert done.stdout.count("File too large") == 4
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
