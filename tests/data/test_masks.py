"""Masks: what is written is read back, and what cannot be understood is refused."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from wsstool.data.classlist import class_list
from wsstool.data.masks import meaning_of_white, read_mask, write_mask
from wsstool.data.palettes import NAMES, OKABE_ITO, class_palette, named_palette, voc_palette
from wsstool.errors import BadInputError, CannotWriteError, MissingInputError, UsageError
from wsstool.types import ClassList

CLASSES = ClassList(("background", "cat", "dog"), 0, ((0, 0, 0), (10, 20, 30), (40, 50, 60)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_round_trip(tmp_path, mask):
    write_mask(tmp_path / "m.png", mask)
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.mode == "P"


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.uint8, (5, 4), elements=st.sampled_from([0, 1, 2, 255])))
def test_the_three_spellings_agree(tmp_path, mask):
    write_mask(tmp_path / "p.png", mask, CLASSES)
    with Image.open(tmp_path / "p.png") as picture:
        picture.convert("RGB").save(tmp_path / "rgb.png")
    Image.fromarray(mask).save(tmp_path / "grey.png")
    Image.fromarray(mask.astype(np.uint16)).save(tmp_path / "deep.png")
    for name in ("p", "rgb", "grey", "deep"):
        assert np.array_equal(read_mask(tmp_path / f"{name}.png", CLASSES), mask), name


def test_grey_saved_as_colour_is_read_as_ids(tmp_path):
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    Image.fromarray(np.repeat(mask[..., None], 3, 2)).save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask)


def bit_depths():
    """Grey masks as tifffile and a PNG writer of few bits write them."""
    two = (np.arange(64).reshape(8, 8) % 2).astype(np.uint8)
    yield "bool.tif", two, lambda p: tifffile.imwrite(p, two.astype(bool))
    for kind in ("minisblack", "miniswhite"):
        yield f"{kind}1.tif", two, lambda p, k=kind: tifffile.imwrite(p, two.astype(bool), photometric=k)
        for type_ in (np.uint8, np.uint16):
            many = (np.arange(64).reshape(8, 8) % 5).astype(type_)
            yield (
                f"{kind}{type_.__name__}.tif",
                many,
                lambda p, k=kind, m=many: tifffile.imwrite(p, m, photometric=k),
            )
    yield "deflated.tif", two, lambda p: tifffile.imwrite(p, two.astype(bool), compression="zlib")
    for bits in (1, 2, 4, 8):
        ids = (np.arange(64).reshape(8, 8) % (1 << bits)).astype(np.uint8)
        yield f"{bits}.png", ids, lambda p, m=ids, b=bits: p.write_bytes(grey_png(m, b))


def grey_png(ids, bits):
    """A grey PNG of 1, 2, 4 or 8 bits per sample, by the specification."""
    rows, columns = ids.shape
    shown = (ids[..., None] >> np.arange(bits)[::-1] & 1).reshape(rows, -1)
    lines = b"".join(b"\0" + line.tobytes() for line in np.packbits(shown.astype(np.uint8), axis=1))
    header = struct.pack(">IIBBBBB", columns, rows, bits, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    chunks = (struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("name", "ids", "write"), list(bit_depths()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_values_are_those_that_were_written(tmp_path, name, ids, write):
    """White may be zero, and grey of few bits is not stretched to 255."""
    write(tmp_path / name)
    assert np.array_equal(read_mask(tmp_path / name), ids)


class TestOpacity:
    ROUND = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)

    def save(self, path, colours, alpha):
        pixels = np.dstack([np.broadcast_to(colours, (*alpha.shape, 3)), alpha]).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    @pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 20, 30)])
    def test_one_colour_leaves_the_opacity(self, tmp_path, colour):
        path = self.save(tmp_path / "m.png", colour, self.ROUND * 255)
        assert np.array_equal(read_mask(path), self.ROUND * 255)

    def test_nothing_is_shown(self, tmp_path):
        assert not read_mask(self.save(tmp_path / "m.png", (255, 255, 255), self.ROUND * 0)).any()

    def test_opaque_colours_and_transparent_black(self, tmp_path):
        colours = np.array(CLASSES.palette)[np.array([[0, 1, 2], [0, 0, 1]])]
        for alpha in (np.full((2, 3), 255), np.full((2, 3), 128), (colours.sum(-1) > 0) * 255):
            path = self.save(tmp_path / "m.png", colours, alpha)
            assert read_mask(path, CLASSES).tolist() == [[0, 1, 2], [0, 0, 1]]

    def test_hidden_colours_are_refused(self, tmp_path):
        colours = np.array([[[10, 20, 30], [40, 50, 60], [10, 20, 30]], [[40, 50, 60]] * 3])
        with pytest.raises(BadInputError, match="both colours and opacity"):
            read_mask(self.save(tmp_path / "m.png", colours, self.ROUND * 255), CLASSES)


def test_blurred_edges_are_named(tmp_path):
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(tmp_path / "m.png")
    with pytest.raises(
        BadInputError, match=r"ends at 2 \(dog\); it looks like a grey image, or a mask with blur"
    ):
        read_mask(tmp_path / "m.png", CLASSES)


@pytest.mark.parametrize(
    ("values", "names", "white"),
    [
        ([[0, 255], [0, 0]], "background cat", 1),
        ([[0, 255], [0, 1]], "background cat", 255),
        ([[0, 0], [0, 0]], "background cat", 255),
        ([[255, 255], [255, 255]], "background cat", 255),
        ([[0, 255], [0, 255]], "background cat dog", 255),
        ([[0, 255], [0, 255]], "stroma gland", 255),
    ],
)
def test_meaning_of_white(tmp_path, values, names, white):
    for k, row in enumerate(values):
        write_mask(tmp_path / f"{k}.png", np.array([row], np.uint8))
    assert meaning_of_white(sorted(tmp_path.iterdir()), class_list(names.split())) == white


def test_void_values_become_ignore(tmp_path):
    write_mask(tmp_path / "m.png", np.array([[0, 4]], np.uint8))
    assert read_mask(tmp_path / "m.png", CLASSES, void=[4]).tolist() == [[0, 255]]


def test_unknown_values_are_refused(tmp_path):
    write_mask(tmp_path / "m.png", np.array([[0, 7]], np.uint8))
    with pytest.raises(BadInputError, match=r"m\.png.*class 7.*ends at 2 \(dog\)"):
        read_mask(tmp_path / "m.png", CLASSES)
    Image.fromarray(np.array([[0, 300]], np.uint16)).save(tmp_path / "m.png")
    with pytest.raises(BadInputError, match="contains 300"):
        read_mask(tmp_path / "m.png")


def test_unknown_colours_are_refused(tmp_path):
    Image.fromarray(np.array([[[10, 20, 31]]], np.uint8)).save(tmp_path / "m.png")
    with pytest.raises(BadInputError, match=r"colour \(10, 20, 31\)"):
        read_mask(tmp_path / "m.png", CLASSES)
    with pytest.raises(BadInputError, match="has no colours"):
        read_mask(tmp_path / "m.png")


def test_damaged_or_missing(tmp_path):
    write_mask(tmp_path / "m.png", np.random.default_rng(0).integers(0, 255, (50, 50)).astype(np.uint8))
    (tmp_path / "m.png").write_bytes((tmp_path / "m.png").read_bytes()[:900])
    with pytest.raises(BadInputError, match=r"m\.png"):
        read_mask(tmp_path / "m.png")
    with pytest.raises(MissingInputError):
        read_mask(tmp_path / "gone.png")


def test_writing_is_all_or_nothing(tmp_path):
    with pytest.raises(CannotWriteError, match="nowhere"):
        write_mask(tmp_path / "nowhere" / "m.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="uint8"):
        write_mask(tmp_path / "m.png", np.zeros((2, 2), np.int64))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(CannotWriteError):
        write_mask(tmp_path / "folder.png", np.zeros((2, 2), np.uint8))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.png"]


def test_voc_palette_is_the_published_one():
    palette = voc_palette()
    assert palette[15].tolist() == [192, 128, 128]  # person
    assert palette[20].tolist() == [0, 64, 128]  # tv monitor
    assert palette[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in palette.tolist()}) == 256


@pytest.mark.parametrize("background", [-1, 0, 2])
def test_only_the_background_is_black(background):
    palette = class_palette(ClassList(("a", "b", "c", "d"), background))
    black = [i for i in range(4) if not palette[i].any()]
    assert black == ([background] if background >= 0 else [])
    others = [i for i in range(4) if i != background]
    assert palette[others].tolist() == voc_palette()[1 : len(others) + 1].tolist()
    assert palette[255].tolist() == [224, 224, 192]
    own = ClassList(("a", "b"), -1, ((0, 0, 0), (1, 2, 3)))
    assert class_palette(own)[:2].tolist() == [[0, 0, 0], [1, 2, 3]]


def test_palettes_by_name():
    for name in NAMES:
        assert named_palette(name).shape == (256, 3)
    assert named_palette("okabe-ito")[7].tolist() == list(OKABE_ITO[7])
    assert class_palette(CLASSES)[[1, 255]].tolist() == [[10, 20, 30], [224, 224, 192]]
    with pytest.raises(UsageError, match="no palette 'pink'"):
        named_palette("pink")
