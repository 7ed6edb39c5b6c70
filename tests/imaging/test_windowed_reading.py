"""Large TIFFs read by windows give what the ordinary decoder gives; bombs stay refused."""

import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from pspgui import imaging
from pspgui.imaging import DecodeError, windowed
from pspgui.imaging.scratch import is_mapped
from pspgui.imaging.tiff_header import tiff_header

PLACE = {"crs": "EPSG:32633", "transform": from_origin(500_000, 4_600_000, 0.5, 0.25)}
SHAPE = (301, 203)


def write(path, bands, **options):
    count, height, width = bands.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=count, dtype=bands.dtype,
        **options,
    ) as file:  # fmt: skip
        file.write(bands)
    return path


def decoded(path, keep_deep=True):
    steps = imaging.decode_steps(path, keep_deep=keep_deep)
    shares = []
    while True:
        try:
            shares.append(next(steps))
        except StopIteration as done:
            return done.value, shares


@pytest.fixture
def small_counts_as_large(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(windowed, "WINDOWED_PIXELS", 1000)
    monkeypatch.setattr(windowed, "_STRIP_BYTES", 30_000)


def both(monkeypatch, path):
    """Return what the ordinary decoder makes of a file, and what reading by windows does."""
    monkeypatch.setattr(windowed, "WINDOWED_PIXELS", 10**9)
    plain, _ = decoded(path)
    monkeypatch.setattr(windowed, "WINDOWED_PIXELS", 1000)
    monkeypatch.setattr(windowed, "_STRIP_BYTES", 30_000)
    return plain, decoded(path)[0]


def noise(kind, bands=1, top=255):
    values = np.random.default_rng(5).random((bands, *SHAPE)) * top
    return values.astype(kind)


@pytest.mark.parametrize("compress", ["none", "lzw", "deflate"])
@pytest.mark.parametrize("tiled", [True, False])
def test_colour_equals_the_ordinary_decoder(monkeypatch, tmp_path, compress, tiled):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    layout = {"tiled": True, "blockxsize": 64} if tiled else {}
    path = write(
        tmp_path / "a.tif", noise(np.uint8, 3), photometric="RGB", compress=compress,
        blockysize=16, **PLACE, **layout,
    )  # fmt: skip
    plain, large = both(monkeypatch, path)

    assert is_mapped(large.pixels) and not is_mapped(plain.pixels)
    assert np.array_equal(large.pixels, plain.pixels)
    assert (large.digest, large.place) == (plain.digest, plain.place)
    assert large.place is not None and not large.pixels.flags.writeable


@pytest.mark.parametrize(
    ("kind", "top"),
    [("uint8", 255), ("uint16", 65535), ("uint16", 4000), ("int16", 3000), ("float32", 0.7)],
)
def test_grey_of_any_depth_equals_the_ordinary_decoder(monkeypatch, tmp_path, kind, top):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = write(tmp_path / "deep.tif", noise(kind, 1, top))
    plain, large = both(monkeypatch, path)

    assert np.array_equal(large.pixels, plain.pixels)
    if kind == "uint8":
        assert large.deep is None and plain.deep is None
        return
    assert np.array_equal(large.deep.samples, plain.deep.samples)
    assert (large.deep.white, large.deep.high) == (plain.deep.white, plain.deep.high)
    assert large.notes == plain.notes


def test_palettes_are_looked_up(small_counts_as_large, tmp_path):
    values = np.random.default_rng(1).integers(0, 3, (1, *SHAPE), np.uint8)
    path = tmp_path / "palette.tif"
    colours = {0: (9, 8, 7, 255), 1: (200, 0, 50, 255), 2: (0, 255, 1, 255)}
    with rasterio.open(
        path, "w", driver="GTiff", height=SHAPE[0], width=SHAPE[1], count=1, dtype="uint8",
        photometric="palette",
    ) as file:  # fmt: skip
        file.write(values)
        file.write_colormap(1, colours)
    table = np.array([colours[k][:3] for k in range(3)])

    assert np.array_equal(decoded(path)[0].pixels, table[values[0]])


def test_progress_grows_to_one_and_closing_gives_up(small_counts_as_large, tmp_path):
    path = write(tmp_path / "a.tif", noise(np.uint16, 1, 60_000))
    _, shares = decoded(path)
    steps = imaging.decode_steps(path)
    next(steps)
    steps.close()

    assert shares == sorted(shares) and shares[0] > 0 and shares[-1] == pytest.approx(1)


def test_size_and_thumbnail_need_no_decoding(small_counts_as_large, tmp_path):
    path = write(tmp_path / "a.tif", noise(np.uint8, 3), photometric="RGB")

    assert imaging.image_size(path) == SHAPE
    assert imaging.thumbnail(path, 50).shape == (50, 34, 3)


def test_the_header_tells_size_turn_and_place(tmp_path):
    path = write(tmp_path / "a.tif", noise(np.uint8, 3), **PLACE, bigtiff="yes", nodata=7)
    header = tiff_header(path)

    assert (header.height, header.width, header.orientation) == (*SHAPE, 1)
    assert header.has_place and header.nodata == "7"
    assert header.file_bytes == path.stat().st_size
    (tmp_path / "b.tif").write_bytes(b"II*\0\xff\xff\xff\x7f")
    assert tiff_header(tmp_path / "b.tif") is None


def test_a_small_file_that_claims_many_pixels_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "bomb.tif"
    with rasterio.open(
        path, "w", driver="GTiff", height=20_000, width=20_000, count=1, dtype="uint8",
        tiled=True, sparse_ok=True,
    ):  # fmt: skip
        pass
    with pytest.raises(DecodeError, match="claim to hold 400 million pixels, so it was refused"):
        imaging.decode_image(path)
    with pytest.raises(DecodeError, match="claim to hold"):
        imaging.thumbnail(path)


def test_more_pixels_than_the_cap_are_refused_from_the_header(monkeypatch, tmp_path):
    path = write(tmp_path / "a.tif", noise(np.uint8, 3))
    monkeypatch.setattr(windowed, "WINDOWED_PIXELS", 1000)
    monkeypatch.setattr(windowed, "MAX_WINDOWED_PIXELS", 50_000)
    with pytest.raises(DecodeError, match=r"0\.061103 million pixels, more than the 0\.05"):
        imaging.decode_image(path)


def test_a_truncated_file_is_refused_in_words(small_counts_as_large, tmp_path):
    path = write(tmp_path / "a.tif", noise(np.uint8, 3), compress="deflate")
    path.write_bytes(path.read_bytes()[:-30_000])
    with pytest.raises(DecodeError, match="truncated or damaged"):
        imaging.decode_image(path)


def test_a_full_disk_is_told(small_counts_as_large, monkeypatch, tmp_path):
    def full(shape, dtype):
        raise windowed.ScratchError(28, "it needs 2.7 GB of disk space")

    path = write(tmp_path / "a.tif", noise(np.uint8, 3))
    monkeypatch.setattr(windowed, "zeros", full)
    with pytest.raises(DecodeError, match=r"a\.tif: it needs 2\.7 GB"):
        imaging.decode_image(path)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_labels_written_at_a_place_come_back_with_it(tmp_path, kind):
    source = write(tmp_path / "a.tif", noise(np.uint8, 3), **PLACE)
    place = imaging.georeference(source)
    labels = np.random.default_rng(2).integers(0, 250, SHAPE).astype(kind)
    target = tmp_path / "labels.tif"
    imaging.write_geotiff_labels(target, labels, place)

    assert imaging.georeference(target) == place
    assert np.array_equal(imaging.decode_labels(target).labels, labels)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tif", "labels.tif"]


def test_labels_without_a_place_and_files_without_one(tmp_path):
    target = tmp_path / "plain.tif"
    imaging.write_geotiff_labels(target, np.ones((3, 5), np.uint8), None)

    assert imaging.georeference(target) is None
    with pytest.raises(ValueError, match="a label map is"):
        imaging.write_geotiff_labels(target, np.ones((3, 5), np.float32), None)
    with pytest.raises(OSError, match="written"):
        imaging.write_geotiff_labels(tmp_path / "none" / "x.tif", np.ones((3, 5), np.uint8), None)
