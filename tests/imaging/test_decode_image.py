"""Image files as they really come: odd pixel types, turned cameras, lies in the header."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.imaging import DecodeError, decode_image, encode_png, image_size, thumbnail
from pspgui.imaging.opencv import cv2

ORIENTATION = 0x0112


def gradient(height: int = 24, width: int = 32) -> np.ndarray:
    """Return a picture in which every pixel tells where it was."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y * 10 % 256, x * 7 % 256, (y + x) * 4 % 256], axis=2).astype(np.uint8)


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png_of(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "ppm", "webp"])
def test_lossless_files_give_their_pixels(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(gradient()), lossless=True)
    decoded = decode_image(path)
    assert np.array_equal(decoded.pixels, gradient())
    assert decoded.pixels.flags.c_contiguous
    assert not decoded.pixels.flags.writeable
    assert decoded.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert decoded.notes == ()


def test_encode_then_decode_is_identity(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encode_png(gradient()))
    assert np.array_equal(decode_image(path).pixels, gradient())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_orientation_is_applied_exactly_once(tmp_path: Path, suffix: str, orientation: int) -> None:
    turns = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2), 8: lambda a: np.rot90(a),
    }  # fmt: skip
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(gradient()), lossless=True, exif=exif)
    expected = turns[orientation](gradient())
    decoded = decode_image(path)
    assert np.array_equal(decoded.pixels, expected)
    assert image_size(path) == expected.shape[:2]
    assert thumbnail(path, 16).shape[:2] == ((16, 12) if orientation >= 5 else (12, 16))


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
def test_tiff_is_turned_once_by_either_reader(tmp_path: Path, compression: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "x.tif"
    saved(path, Image.fromarray(gradient()), exif=exif, compression=compression)
    assert np.array_equal(decode_image(path).pixels, np.rot90(gradient(), -1))


def test_jpeg_orientation_and_size_agree(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = saved(tmp_path / "x.jpg", Image.fromarray(gradient()), exif=exif, quality=95)
    decoded = decode_image(path)
    assert decoded.pixels.shape == (32, 24, 3)
    assert decoded.orientation == 6
    assert image_size(path) == (32, 24)
    assert np.abs(decoded.pixels.astype(int) - np.rot90(gradient(), -1)).mean() < 12


@pytest.mark.parametrize("value", [0, 9, 77])
def test_senseless_orientation_is_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    path = saved(tmp_path / "x.png", Image.fromarray(gradient()), exif=exif)
    assert np.array_equal(decode_image(path).pixels, gradient())


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "I;16", "CMYK"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    grey = gradient()[..., 0]
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(gradient()).convert(mode)
    path = saved(tmp_path / "x.tif", image)
    pixels = decode_image(path).pixels
    assert pixels.shape == (24, 32, 3)
    assert pixels.dtype == np.uint8
    if mode == "I;16":
        assert np.array_equal(pixels, np.repeat(grey[..., None], 3, axis=2))
    if mode == "RGBA":
        assert np.array_equal(pixels, gradient())


def test_cielab_is_converted(tmp_path: Path) -> None:
    lab = Image.frombytes("LAB", (2, 1), bytes([255, 0, 0, 0, 0, 0]))
    pixels = decode_image(saved(tmp_path / "x.tif", lab)).pixels
    assert pixels[0, 0].min() > 250
    assert pixels[0, 1].max() < 5


def test_hidden_colour_stays_hidden(tmp_path: Path) -> None:
    rgba = np.dstack([gradient(), np.full((24, 32), 255, np.uint8)])
    rgba[:12, :, 3] = 0
    decoded = decode_image(saved(tmp_path / "x.png", Image.fromarray(rgba)))
    assert (decoded.pixels[:12] == 255).all()
    assert np.array_equal(decoded.pixels[12:], gradient()[12:])
    assert "white" in decoded.notes[0]


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_is_scaled_not_cut(tmp_path: Path, suffix: str, channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    if channels == 4:
        deep[..., 3] = 65535
    path = tmp_path / f"x.{suffix}"
    ok, content = cv2.imencode(f".{suffix}", deep)
    assert ok
    path.write_bytes(content.tobytes())
    expected = np.rint(deep[..., 2::-1] / 257.0).astype(np.uint8)
    decoded = decode_image(path)
    assert np.array_equal(decoded.pixels, expected)
    assert "16-bit colour is shown in 8 bits" in decoded.notes


@pytest.mark.parametrize("maxval", [15, 100, 4095, 65535])
def test_pnm_white_is_the_files_own(tmp_path: Path, maxval: int) -> None:
    values = np.random.default_rng(2).integers(0, maxval + 1, (6, 5), dtype=np.uint16)
    values[0, 0] = maxval
    raw = values.astype(">u2" if maxval > 255 else np.uint8).tobytes()
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5\n# a remark\n5 6\n%d\n" % maxval + raw)
    expected = np.rint(values.astype(np.float32) * (255 / maxval)).astype(np.uint8)
    assert np.array_equal(decode_image(path).pixels[..., 0], expected)


def test_float_is_shown_from_its_finite_range(tmp_path: Path) -> None:
    values = np.linspace(-3, 5, 12, dtype=np.float32).reshape(3, 4)
    values[1, 1], values[2, 2] = np.nan, np.inf
    decoded = decode_image(saved(tmp_path / "x.tif", Image.fromarray(values)))
    assert decoded.pixels[0, 0, 0] == 0
    assert decoded.pixels[2, 3, 0] == 255
    assert decoded.pixels[1, 1, 0] == decoded.pixels[2, 2, 0] == 0
    assert len(decoded.notes) == 2


def test_wrong_suffix_and_animation_are_noted(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.png", Image.fromarray(gradient()), format="JPEG")
    assert decode_image(path).notes == ("the file is a JPEG despite its name",)
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    gif = saved(tmp_path / "x.gif", frames[0], save_all=True, append_images=frames[1:])
    decoded = decode_image(gif)
    assert "first" in decoded.notes[0]
    assert tuple(decoded.pixels[0, 0]) == (255, 0, 0)


def test_what_other_threads_warn_of_meanwhile_is_not_said_of_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Image.open

    def opened(*arguments: object, **options: object) -> Image.Image:
        with ThreadPoolExecutor(1) as other:
            other.submit(warnings.warn, "what a model reads is truncated", stacklevel=1).result()
        return plain(*arguments, **options)

    path = saved(tmp_path / "x.png", Image.fromarray(gradient()))
    monkeypatch.setattr(Image, "open", opened)
    assert decode_image(path).notes == ()


def refusal(path: Path, **limits: int) -> str:
    """Return the one sentence with which a file is refused, after checking its form."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DecodeError) as caught:
            decode_image(path, **limits)
    text = str(caught.value)
    assert "\n" not in text
    assert text.isprintable(), text
    assert text.endswith(caught.value.reason)
    return text


def test_what_is_no_file_is_refused_without_hanging(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "folder.png").mkdir()
    assert refusal(tmp_path / "pipe.png") == "pipe.png: this is a pipe (FIFO), not a file"
    assert "circle" in refusal(tmp_path / "loop.png")
    assert "link leads" in refusal(tmp_path / "gone.png")
    assert "folder" in refusal(tmp_path / "folder.png")
    assert "no such file" in refusal(tmp_path / "missing.png")
    assert "zero byte" in refusal(tmp_path / "a\0b.png")
    assert "too long" in refusal(tmp_path / ("x" * 300 + ".png"))
    assert "device" in refusal(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty"),
        (b"hello there\n", "text file"),
        ("größe\n".encode() * 2000, "text file"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (bytes(4096), "zero bytes"),
        (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "PostScript"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"\0\0\0\x18ftypheic" + bytes(50), "HEIC"),
        (bytes(range(160, 224)), "not an image"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes, word: str) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert word in refusal(path)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    path = saved(tmp_path / f"x.{suffix}", Image.fromarray(noise))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    text = refusal(path)
    assert "truncated" in text or "damaged" in text


def test_png_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    content = bytearray(encode_png(gradient()))
    at = content.index(b"IDAT") + 40
    content[at] ^= 1
    path = tmp_path / "x.png"
    path.write_bytes(content)
    assert refusal(path) == (
        "x.png: damaged (checksum of PNG chunk IDAT is wrong); copy or download it again"
    )


def test_png_without_its_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(encode_png(gradient())[:-12])
    assert "truncated" in refusal(path)


def test_pixel_cap_comes_from_the_header(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png_of(50_000, 50_000, 8, 0, bytes(100)))
    assert "2500 million pixels, more than the 400 million" in refusal(path)
    path.write_bytes(encode_png(gradient()))
    assert "more than" in refusal(path, max_pixels=24 * 32 - 1)
    assert decode_image(path, max_pixels=24 * 32).pixels.shape == (24, 32, 3)
    assert "MB" in refusal(path, max_bytes=10)


def test_a_larger_cap_than_pillows_own_holds(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(png_of(19_000, 10_000, 1, 0, bytes((19_000 // 8 + 1) * 10_000)))
    assert image_size(path) == (10_000, 19_000)  # 190 MP: Pillow alone refuses above 179


def test_text_bomb_is_refused(tmp_path: Path) -> None:
    bomb = b"comment\0\0" + zlib.compress(bytes(80_000_000))
    plain = encode_png(gradient())
    path = tmp_path / "x.png"
    path.write_bytes(plain[:33] + png_chunk(b"zTXt", bomb) + plain[33:])
    assert "absurd" in refusal(path)


def test_names_that_are_not_utf8_work(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path)
    name = b"stra\xdfe.png"
    with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
        file.write(encode_png(gradient()))
    path = Path(os.fsdecode(folder + b"/" + name))
    assert np.array_equal(decode_image(path).pixels, gradient())
    assert refusal(path.with_name(os.fsdecode(b"\xff.png"))).startswith("\\xff.png: ")


def test_a_corrupt_exif_block_does_not_cost_the_image(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).save(buffer, "PNG", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\1")
    path = tmp_path / "x.png"
    path.write_bytes(buffer.getvalue())
    assert np.array_equal(decode_image(path).pixels, gradient())


def test_every_cut_and_many_flips_end_in_pixels_or_one_sentence(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    path = tmp_path / "x"
    for form in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM"):
        buffer = io.BytesIO()
        Image.fromarray(gradient(8, 9)).save(buffer, form)
        whole = buffer.getvalue()
        for _ in range(60):
            content = bytearray(whole[: rng.integers(1, len(whole) + 1)])
            for at in rng.integers(0, len(content), 3):
                content[at] = rng.integers(0, 256)
            path.write_bytes(content)
            try:
                assert decode_image(path, max_pixels=1_000_000).pixels.dtype == np.uint8
            except DecodeError as error:
                assert str(error).isprintable()


def test_threads_leave_the_settings_of_the_process_alone(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    path = saved(tmp_path / "x.png", Image.fromarray(gradient()))
    (tmp_path / "y.png").write_bytes(b"nonsense")
    with ThreadPoolExecutor(8) as pool:
        for pixels in pool.map(lambda _: decode_image(path).pixels, range(60)):
            assert np.array_equal(pixels, gradient())
        failed = list(pool.map(lambda _: refused(tmp_path / "y.png"), range(30)))
    assert all(failed)
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


def refused(path: Path) -> bool:
    try:
        decode_image(path)
    except DecodeError:
        return True
    return False


def test_opencv_leaves_qt_its_own_plugins() -> None:
    folder = str(Path(cv2.__file__).parent)
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        assert not os.environ.get(name, "").startswith(folder)


def test_thumbnail_keeps_proportions(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.jpg", Image.fromarray(gradient(300, 400)))
    small = thumbnail(path, 80)
    assert small.shape == (60, 80, 3)
    assert thumbnail(saved(tmp_path / "y.png", Image.fromarray(gradient(3, 4))), 80).shape[1] == 4
