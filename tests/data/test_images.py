"""Every kind of picture becomes upright RGB; every broken one becomes one sentence."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from wsstool.data.images import _read_tiff, image_size, read_image
from wsstool.errors import BadInputError, MissingInputError

RED = (200, 30, 40)


@pytest.fixture
def scene() -> np.ndarray:
    """(6, 9, 3): a left half and a corner that show every rotation and flip."""
    image = np.zeros((6, 9, 3), np.uint8)
    image[:, :4] = RED
    image[0, 0] = 255
    return image


def test_png_is_read_as_it_is(tmp_path, scene):
    Image.fromarray(scene).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png"), scene)


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "LA", "CMYK", "I;16", "I", "F", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, scene, mode):
    base = Image.fromarray(scene)
    if mode in ("I;16", "I"):
        picture = Image.fromarray(np.asarray(base.convert("L")).astype(np.uint16) * 257).convert(mode)
    elif mode == "P":
        picture = base.quantize(16)
    else:
        picture = base.convert("RGBA").convert(mode) if mode in ("RGBA", "LA") else base.convert(mode)
    path = tmp_path / "a.tif"
    picture.save(path)
    image = read_image(path)
    assert image.shape == scene.shape and image.dtype == np.uint8 and image.flags.c_contiguous
    grey = np.asarray(base.convert("L")).astype(int)
    if mode != "1":
        assert np.abs(np.asarray(Image.fromarray(image).convert("L")).astype(int) - grey).max() <= 3
    assert image_size(path) == (6, 9)


def test_sixteen_bits_use_the_full_range_not_the_picture_s(tmp_path):
    Image.fromarray(np.array([[0, 257, 4096, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [0, 1, 16, 255]


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colour_tiff_of_sixteen_bits(tmp_path, scene, planar):
    samples = scene.astype(np.uint16) * 257
    samples = np.moveaxis(samples, -1, 0) if planar == "separate" else samples
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", planarconfig=planar)
    assert np.array_equal(read_image(tmp_path / "a.tif"), scene)
    assert image_size(tmp_path / "a.tif") == (6, 9)


def test_transparency_lies_over_white(tmp_path):
    Image.fromarray(np.array([[[9, 9, 9, 0], [9, 9, 9, 255]]], np.uint8)).save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[255] * 3, [9] * 3]]


def test_first_page_of_many(tmp_path, scene):
    pages = [Image.fromarray(scene), Image.fromarray(np.zeros((3, 3, 3), np.uint8))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    assert np.array_equal(read_image(tmp_path / "a.tif"), scene)


def test_ycbcr_is_read_by_tifffile_too(tmp_path, scene):
    """Pillow before 13 takes such a file for RGB, and then for one that is cut short."""
    Image.fromarray(scene).convert("YCbCr").save(tmp_path / "a.tif")
    found = _read_tiff(tmp_path / "a.tif")
    assert np.abs(found.astype(int) - scene).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, scene, suffix, orientation):
    turns = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }
    large = np.kron(scene, np.ones((8, 8, 1), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    lossless = {"lossless": True} if suffix == ".webp" else {"quality": 95} if suffix == ".jpg" else {}
    Image.fromarray(large).save(path, exif=exif, **lossless)
    image = read_image(path)
    expected = turns[orientation](large)
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).mean() < 3
    assert image_size(path) == image.shape[:2]


def png(columns: int, rows: int) -> bytes:
    """A PNG that claims a size and holds hardly a pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def test_decompression_bomb(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(60_000, 60_000))
    for function in (read_image, image_size):
        with pytest.raises(BadInputError, match=r"bomb\.png.*pixels"):
            function(tmp_path / "bomb.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP"])
def test_cut_short(tmp_path, kind):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    suffix = {"JPEG": "jpg", "TIFF": "tif"}.get(kind, kind.lower())
    for share in (0.02, 0.5):
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
        with pytest.raises(BadInputError, match=r"cut\."):
            read_image(path)


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"II*\0\xff\xff\xff\xff"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_no_picture(tmp_path, content, suffix):
    path = tmp_path / f"odd name\n.{suffix}"
    path.write_bytes(content)
    for function in (read_image, image_size):
        with pytest.raises(BadInputError, match="odd name"):
            function(path)


def test_not_there(tmp_path):
    for function in (read_image, image_size):
        with pytest.raises(MissingInputError, match="gone"):
            function(tmp_path / "gone.png")
