"""Exporting VOC masks: ours, read back and synced, beside the usual ways, on the same images.

    python benchmarks/formats.py [--images 100] [--rounds 10] [--datumaro /path/to/python/with/it]
        [--labelme /path/to/python/with/it]

Every way exports so many images in a turn, then the next one does, round by round, so that what
else the machine does falls on all; the table is of all rounds together.

- pspgui: `FORMATS["voc"]`: images copied, palette PNGs, each file synced, read back, decoded and
  compared, pixels counted; two threads.
- Datumaro: `Dataset.export(..., "voc_segmentation", save_media=True)` of one `Mask` a class and
  image, which are made before the clock starts; run in the interpreter given, if one is.
- labelme: what its labelme2voc does, with its own functions and those of its imgviz, without
  pictures to look at: `shapes_to_label` of mask shapes that are made before the clock starts, the
  image read and written anew as JPEG, labels as a palette PNG and as .npy; in the interpreter
  given, if one is.
- labelme's way: the same with Pillow, where labelme is not at hand.
- bare: `cv2.imwrite` of grey PNGs and a copy of the image, nothing synced, compared or counted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from pspgui.formats import FORMATS, ExportItem
from pspgui.imaging.opencv import cv2
from pspgui.labels.classes import CAMVID
from pspgui.scenes import render_scene

SHAPE = (1024, 2048)
_SCENES = 8  # drawn once and used over and over

_DATUMARO = """
import json, sys, time
import numpy as np
import datumaro as dm
told = json.loads(sys.stdin.read())
labels = dm.LabelCategories.from_iterable(told["names"])
masks = dm.MaskCategories({i: tuple(c) for i, c in enumerate(told["colours"])})
maps = [np.load(path) for path in told["maps"]]
items = []
for number, image in enumerate(told["images"]):
    here = maps[number % len(maps)]
    classes = [int(c) for c in np.unique(here) if c != 255]
    found = [dm.Mask(here == c, label=c, group=c + 1) for c in classes]
    media = dm.Image.from_file(path=image)
    name = f"frame{number:05}"
    items.append(dm.DatasetItem(name, subset="train", media=media, annotations=found))
categories = {dm.AnnotationType.label: labels, dm.AnnotationType.mask: masks}
dataset = dm.Dataset.from_iterable(items, categories=categories, media_type=dm.Image)
began = time.perf_counter()
dataset.export(told["out"], "voc_segmentation", save_media=True)
print(json.dumps({"seconds": time.perf_counter() - began, "version": dm.__version__}))
"""


_LABELME = """
import json, os, sys, time
import imgviz
import numpy as np
import labelme
told = json.loads(sys.stdin.read())
names = {name: number for number, name in enumerate(told["names"])}
shapes = []
for path in told["maps"]:
    labels = np.load(path)
    found = []
    for value in np.unique(labels):
        if value != 255:
            rows, columns = np.nonzero(labels == value)
            (y0, y1), (x0, x1) = ((int(v.min()), int(v.max())) for v in (rows, columns))
            found.append({
                "label": told["names"][value], "shape_type": "mask", "points": [[x0, y0], [x1, y1]],
                "mask": labels[y0:y1 + 1, x0:x1 + 1] == value, "group_id": None,
            })
    shapes.append(found)
folders = [os.path.join(told["out"], name)
           for name in ("JPEGImages", "SegmentationClass", "SegmentationClassNpy")]
began = time.perf_counter()
for folder in folders:
    os.makedirs(folder)
for number, image in enumerate(told["images"]):
    stem = os.path.splitext(os.path.basename(image))[0]
    pixels = imgviz.io.imread(image)
    imgviz.io.imsave(os.path.join(folders[0], stem + ".jpg"), pixels)
    here = shapes[number % len(shapes)]
    labels, _ = labelme.utils.shapes_to_label(pixels.shape, here, names)
    imgviz.io.lblsave(os.path.join(folders[1], stem + ".png"), labels.astype(np.uint8))
    np.save(os.path.join(folders[2], stem + ".npy"), labels)
seconds = time.perf_counter() - began
print(json.dumps({"seconds": seconds, "version": labelme.__version__}))
"""


def main() -> None:
    """Print a table of times and ratios."""
    parser = argparse.ArgumentParser(description="Export of VOC masks")
    parser.add_argument("--images", type=int, default=100, help="in a turn")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--datumaro", type=Path, help="a Python that has datumaro")
    parser.add_argument("--labelme", type=Path, help="a Python that has labelme")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        images, maps = prepare(home, asked.images)
        ways: dict[str, Callable[[Path], float]] = {
            "pspgui, read back": lambda out: ours(images, maps, out),
            "bare cv2.imwrite": lambda out: bare(images, maps, out),
        }
        if asked.labelme is None:
            ways["labelme's way"] = lambda out: labelme_way(images, maps, out)
        for name, python, script in (
            ("labelme", asked.labelme, _LABELME), ("Datumaro", asked.datumaro, _DATUMARO),
        ):  # fmt: skip
            if python is not None:
                ways[name] = partial(elsewhere, python, script, home, images, maps)
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for round_ in range(asked.rounds):
            for name, way in ways.items():
                out = home / f"out{round_}-{len(name)}"
                taken[name].append(way(out))
                shutil.rmtree(out, ignore_errors=True)
            print_table(taken, asked.images)


def print_table(taken: dict[str, list[float]], images: int) -> None:
    """Print what all rounds took so far."""
    ours_ = taken["pspgui, read back"]
    print(f"{images * len(ours_)} images of {SHAPE[1]} x {SHAPE[0]}, {images} in a turn")
    for name, times in taken.items():
        each = 1000 * sum(times) / images / len(times)
        ratios = [one / own for one, own in zip(times, ours_, strict=True)]
        middle = statistics.median(ratios)
        whole = sum(times) / sum(ours_)
        print(f"{name:20} {each:8.1f} ms/image {whole:6.2f}x, median of turns {middle:.2f}x")


def prepare(home: Path, count: int) -> tuple[list[Path], list[np.ndarray]]:
    """Write street scenes as JPEGs and return them with their labels, used in turn."""
    folder = home / "in"
    folder.mkdir()
    images, maps = [], []
    for seed in range(_SCENES):
        scene = render_scene(seed, SHAPE[0] // 2, SHAPE[1] // 2)
        pixels = np.ascontiguousarray(scene.image.repeat(2, 0).repeat(2, 1))
        maps.append(np.ascontiguousarray(scene.labels.repeat(2, 0).repeat(2, 1)).astype(np.uint8))
        Image.fromarray(pixels).save(folder / f"scene{seed}.jpg", quality=92)
    for number in range(count):
        path = folder / f"frame{number:05}.jpg"
        shutil.copyfile(folder / f"scene{number % _SCENES}.jpg", path)
        images.append(path)
    return images, maps


def ours(images: list[Path], maps: list[np.ndarray], out: Path) -> float:
    """Export with everything that an export of ours does; return seconds."""
    voc = next(form for form in FORMATS if form.key == "voc")
    began = time.perf_counter()
    report = voc.export(
        (ExportItem(image, maps[n % len(maps)]) for n, image in enumerate(images)), out, CAMVID
    )
    seconds = time.perf_counter() - began
    assert report.is_equal and report.images == len(images)
    return seconds


def labelme_way(images: list[Path], maps: list[np.ndarray], out: Path) -> float:
    """Write what labelme2voc writes, from masks that are there already; return seconds."""
    shapes = [[(c, labels == c) for c in np.unique(labels) if c != 255] for labels in maps]
    names = ("JPEGImages", "SegmentationClass", "SegmentationClassNpy")
    folders = [out / name for name in names]
    began = time.perf_counter()
    for folder in folders:
        folder.mkdir(parents=True)
    for number, image in enumerate(images):
        pixels = np.asarray(Image.open(image))
        Image.fromarray(pixels).save(folders[0] / image.name, quality=95)
        label = np.zeros(pixels.shape[:2], np.int32)
        for value, mask in shapes[number % len(maps)]:
            label[mask] = value
        palette = Image.fromarray(label.astype(np.uint8), mode="P")
        palette.putpalette(CAMVID.palette().ravel())
        palette.save(folders[1] / f"{image.stem}.png")
        np.save(folders[2] / f"{image.stem}.npy", label)
    return time.perf_counter() - began


def bare(images: list[Path], maps: list[np.ndarray], out: Path) -> float:
    """Write grey PNGs and copy the images; return seconds."""
    began = time.perf_counter()
    for name in ("JPEGImages", "SegmentationClass"):
        (out / name).mkdir(parents=True)
    for number, image in enumerate(images):
        shutil.copyfile(image, out / "JPEGImages" / image.name)
        path = out / "SegmentationClass" / f"{image.stem}.png"
        cv2.imwrite(str(path), maps[number % len(maps)])
    return time.perf_counter() - began


def elsewhere(
    python: Path, script: str, home: Path, images: list[Path], maps: list[np.ndarray], out: Path
) -> float:
    """Export with another program in an interpreter of its own; return the seconds it took."""
    paths = []
    for number, labels in enumerate(maps):
        paths.append(str(home / f"map{number}.npy"))
        np.save(paths[-1], labels)
    told = {
        "names": CAMVID.names, "colours": [c.colour for c in CAMVID.classes], "maps": paths,
        "images": list(map(str, images)), "out": str(out),
    }  # fmt: skip
    done = subprocess.run(
        [str(python), "-c", script], input=json.dumps(told), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"the other program failed: {done.stderr[-800:]}")
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


if __name__ == "__main__":
    main()
