"""What is exported is opened with the readers of the programs that it is for, pixel for pixel.

torchvision, rasterio and pyarrow are at hand; tests of other readers run where those are installed
(docs/datasets.md tells with which versions they were).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pspgui.formats import FORMATS, ExportItem, ExportOptions
from pspgui.imaging import decode_labels
from pspgui.labels.classes import CAMVID
from pspgui.labels.palettes import palette
from pspgui.scenes import render_scene

IGNORE = CAMVID.ignore


def street(shared_frames: list[Path], folder: Path) -> list[ExportItem]:
    """Return CamVid's frames where they are at hand, drawn ones elsewhere, with their labels."""
    if shared_frames:
        return [
            ExportItem(path, decode_labels(label).labels)
            for path in shared_frames
            for label in (path.parents[2] / "labels" / path.parent.name).glob(f"{path.stem}.*")
        ]
    items = []
    for seed in range(3):
        scene = render_scene(seed, 96, 128)
        path = folder / f"scene{seed}.jpg"  # as VOC has it
        Image.fromarray(scene.image).save(path, quality=95)
        labels = scene.labels.astype(np.uint8)
        labels[:4] = IGNORE
        items.append(ExportItem(path, labels))
    return items


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    """Ten images with labels."""
    here = Path(__file__).resolve().parents[3] / "shared" / "data" / "camvid" / "images" / "val"
    frames = sorted(here.glob("*"))[:10] if here.is_dir() else []
    return street(frames, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def exported(items, tmp_path_factory):
    """Return what makes an export of a key, once."""
    home, done = tmp_path_factory.mktemp("exports"), {}

    def export(key, classes=CAMVID, options=None):
        if key not in done:
            form = next(form for form in FORMATS if form.key == key)
            report = form.export(items, home / key, classes, options=options)
            assert report.images == len(items) and not report.failed
            done[key] = home / key
        return done[key]

    return export


def by_stem(items):
    return {item.image.stem: item.labels for item in items}


def assert_equal(found, items):
    """Labels by stem are those that were exported, all of them."""
    expected = by_stem(items)
    assert set(found) == set(expected)
    for stem, labels in expected.items():
        assert np.array_equal(found[stem], labels), stem


def painted(shape, parts, ground=IGNORE):
    """Return labels of (label, mask) painted in order."""
    labels = np.full(shape, ground, np.uint8)
    for label, mask in parts:
        labels[np.asarray(mask, bool)] = label
    return labels


# -- torchvision ------------------------------------------------------------------------------


def test_torchvision_reads_voc(exported, items, tmp_path):
    from torchvision.datasets import VOCSegmentation

    (tmp_path / "VOCdevkit").mkdir()
    (tmp_path / "VOCdevkit" / "VOC2012").symlink_to(exported("voc"))
    source = VOCSegmentation(tmp_path, "2012", "train")
    stems = [Path(path).stem for path in source.images]
    assert_equal({s: np.array(source[n][1]) for n, s in enumerate(stems)}, items)
    image, target = source[0]
    assert target.mode == "P" and image.size == target.size


def test_torchvision_reads_cityscapes(items, tmp_path):
    from torchvision.datasets import Cityscapes

    classes = palette("cityscapes19")
    form = next(form for form in FORMATS if form.key == "cityscapes")
    assert form.export(items, tmp_path, classes).images == len(items)
    source = Cityscapes(str(tmp_path), "train", "fine", "semantic")
    trained = np.zeros(256, np.uint8)
    for entry in Cityscapes.classes:
        trained[entry.id] = entry.train_id % 256  # 255, and the licence plate's -1
    found = {}
    for number, path in enumerate(source.images):
        stem = Path(path).stem.removesuffix("_leftImg8bit")
        found[stem] = trained[np.array(source[number][1])]
    told = sorted(by_stem(items))
    assert_equal(dict(zip(told, (found[name] for name in sorted(found)), strict=True)), items)


# -- labelme ----------------------------------------------------------------------------------


def test_labelme_reads_its_files(exported, items):
    labelme = pytest.importorskip("labelme", exc_type=ImportError)
    root = exported("labelme")
    names = (root / "labels.txt").read_text(encoding="utf-8").split()
    numbers = {name: number - 1 for number, name in enumerate(names)}  # as its own converters do
    found = {}
    for path in (root / "train").glob("*.json"):
        told = labelme.LabelFile(str(path))
        shape = np.array(Image.open(root / "train" / told.image_path)).shape[:2]
        labels, _ = labelme.utils.shapes_to_label(shape, told.shapes, numbers)
        # `_background_`, which is 0 there, is under no shape; classes are counted from 1.
        found[path.stem] = np.where(labels == 0, IGNORE, labels - 1).astype(np.uint8)
    assert names[:2] == ["__ignore__", "_background_"] and names[2:] == list(CAMVID.names)
    assert_equal(found, items)


# -- Ultralytics ------------------------------------------------------------------------------


def ultralytics_data(root, task):
    """Return what its own checks make of a data.yaml."""
    pytest.importorskip("ultralytics", exc_type=ImportError)
    from ultralytics.data.utils import check_det_dataset

    told = check_det_dataset(str(root / "data.yaml"), autodownload=False)
    assert list(told["names"].values()) == list(CAMVID.names), task
    return told


def test_ultralytics_reads_semantic_masks(exported, items):
    told = ultralytics_data(exported("ultralytics"), "semantic")
    from ultralytics.data.dataset import SemanticDataset

    source = SemanticDataset(img_path=told["train"], data=told, task="semantic", augment=False)
    found = {Path(e["im_file"]).stem: source.load_mask(n) for n, e in enumerate(source.labels)}
    assert_equal(found, items)


def test_ultralytics_reads_polygons(exported, items):
    """Its own rasteriser draws a pixel's rim differently, so only nearly all of them agree."""
    told = ultralytics_data(exported("yolo-seg"), "segment")
    from ultralytics.data.dataset import PolygonSemanticDataset, YOLODataset
    from ultralytics.data.utils import add_polygon_background

    source = YOLODataset(img_path=told["train"], data=told, task="segment", augment=False)
    assert len(source.labels) == len(items) and all(len(e["segments"]) for e in source.labels)
    add_polygon_background(told)
    drawn = PolygonSemanticDataset(
        img_path=told["train"], data=told, task="semantic", augment=False
    )
    expected = by_stem(items)
    for number, entry in enumerate(drawn.labels):
        labels = expected[Path(entry["im_file"]).stem]
        mask = drawn.load_mask(number, labels.shape)
        known = labels != IGNORE
        assert np.mean(mask[known] == labels[known]) > 0.99


# -- Label Studio -----------------------------------------------------------------------------


def test_label_studio_reads_brush_regions(exported, items):
    brush = pytest.importorskip("label_studio_sdk.converter.brush", exc_type=ImportError)
    root = exported("label-studio")
    tasks = json.loads((root / "label_studio_train.json").read_text(encoding="utf-8"))
    found = {}
    for task in tasks:
        parts = []
        for result in task["annotations"][0]["result"]:
            shape = result["original_height"], result["original_width"]
            flat = brush.decode_rle(result["value"]["rle"])
            mask = np.reshape(flat, (*shape, 4))[:, :, 3] > 0
            parts.append((CAMVID.names.index(result["value"]["brushlabels"][0]), mask))
        found[Path(task["data"]["image"].split("?d=")[-1]).stem] = painted(shape, parts)
    assert_equal(found, items)


def test_label_studio_knows_the_labelling_interface(exported):
    tools = "label_studio_sdk._extensions.label_studio_tools"
    config = pytest.importorskip(f"{tools}.core.label_config", exc_type=ImportError)
    text = (exported("label-studio") / "label_config.xml").read_text(encoding="utf-8")
    told = config.parse_config(text)
    ((_, control),) = told.items()
    assert control["type"] == "BrushLabels" and control["labels"] == list(CAMVID.names)
    assert control["inputs"][0]["type"] == "Image"


# -- Datumaro, with which CVAT reads ------------------------------------------------------------


def datumaro_labels(root, form):
    """Return labels by stem that Datumaro reads; masks lie over one another by z_order."""
    dm = pytest.importorskip("datumaro", exc_type=ImportError)
    found = {}
    source = dm.Dataset.import_from(str(root), form)
    names = [entry.name for entry in source.categories()[dm.AnnotationType.label]]
    for item in source:
        shape = item.media.size
        masks = [a for a in item.annotations if a.type == dm.AnnotationType.mask]
        parts = [
            (CAMVID.names.index(names[a.label]), a.image)
            for a in sorted(masks, key=lambda a: a.z_order)
            if names[a.label] in CAMVID.names
        ]
        found[Path(item.id).name] = painted(shape, parts)
    return found


@pytest.mark.parametrize(
    ("key", "form"),
    [("cvat-xml", "cvat"), ("cvat-mask", "voc_segmentation"), ("coco", "coco_panoptic"),
     ("coco", "coco_instances")],
)  # fmt: skip
def test_datumaro_reads(exported, items, key, form):
    options = ExportOptions(train_share=0.7) if key == "cvat-xml" else None
    assert_equal(datumaro_labels(exported(key, options=options), form), items)


# -- COCO ---------------------------------------------------------------------------------------


def test_pycocotools_reads_instances(exported, items):
    coco = pytest.importorskip("pycocotools.coco", exc_type=ImportError)
    told = coco.COCO(str(exported("coco") / "annotations" / "instances_train.json"))
    names = {entry["id"]: entry["name"] for entry in told.loadCats(told.getCatIds())}
    found = {}
    for image in told.loadImgs(told.getImgIds()):
        entries = told.loadAnns(told.getAnnIds(imgIds=image["id"]))
        parts = [(CAMVID.names.index(names[e["category_id"]]), told.annToMask(e)) for e in entries]
        for entry, (_, mask) in zip(entries, parts, strict=True):
            assert entry["area"] == mask.sum()
        found[Path(image["file_name"]).stem] = painted((image["height"], image["width"]), parts)
    assert_equal(found, items)


# -- Hugging Face -------------------------------------------------------------------------------


def test_pyarrow_reads_parquet(exported, items):
    parquet = pytest.importorskip("pyarrow.parquet")
    import io

    (path,) = (exported("parquet") / "data").glob("*.parquet")
    found = {}
    for row in parquet.read_table(path).to_pylist():
        labels = np.array(Image.open(io.BytesIO(row["annotation"]["bytes"])))
        found[Path(row["image"]["path"]).stem] = labels
    assert_equal(found, items)


def test_datasets_reads_parquet(exported, items, tmp_path):
    datasets = pytest.importorskip("datasets", exc_type=ImportError)
    source = datasets.load_dataset(str(exported("parquet")), split="train", cache_dir=str(tmp_path))
    assert source.features["annotation"] == datasets.Image()
    found = [np.array(row["annotation"]) for row in source]
    expected = list(by_stem(items).values())
    assert len(found) == len(expected)
    assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


# -- MMSegmentation and its relatives -----------------------------------------------------------


def test_mmengine_reads_the_config(exported):
    config = pytest.importorskip("mmengine.config", exc_type=ImportError)
    root = exported("mmseg")
    told = config.Config.fromfile(root / "mmseg_dataset.py")
    dataset = told.train_dataloader.dataset
    assert Path(dataset.data_root) == root and dataset.type == "BaseSegDataset"
    assert tuple(dataset.metainfo.classes) == CAMVID.names


def mmseg_datasets():
    """Return its data sets, its own readers being those that names mean."""
    registry = pytest.importorskip("mmengine.registry", exc_type=ImportError)
    datasets = pytest.importorskip("mmseg.datasets", exc_type=ImportError)
    registry.init_default_scope("mmseg")
    return datasets


def test_mmsegmentation_reads_its_folders(exported, items):
    datasets = mmseg_datasets()
    from mmengine.config import Config
    from mmseg.registry import DATASETS

    told = Config.fromfile(exported("mmseg") / "mmseg_dataset.py").train_dataloader.dataset
    told.pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    source = DATASETS.build(told)
    assert isinstance(source, datasets.BaseSegDataset)
    found = {Path(e["img_path"]).stem: e["gt_seg_map"] for e in source}
    assert_equal(found, items)


def test_mmsegmentation_reads_ade20k(exported, items):
    """ADE20K's loader takes one from every value and makes 0 the ignore value."""
    datasets = mmseg_datasets()
    root = exported("ade20k")
    source = datasets.BaseSegDataset(
        data_root=str(root), metainfo={"classes": CAMVID.names}, reduce_zero_label=True,
        data_prefix={"img_path": "images/training", "seg_map_path": "annotations/training"},
        img_suffix=".jpg" if items[0].image.suffix == ".jpg" else ".png",
        pipeline=[{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
    )  # fmt: skip
    assert_equal({Path(e["img_path"]).stem: e["gt_seg_map"] for e in source}, items)


# -- plain readers ------------------------------------------------------------------------------


def test_rasterio_reads_label_tiffs(exported, items):
    import rasterio

    root, found = exported("geotiff"), {}
    for path in (root / "labels").rglob("*.tif"):
        with rasterio.open(path) as source:
            found[path.stem] = source.read(1)
    assert_equal(found, items)


def test_numpy_reads_arrays(exported, items):
    root = exported("npy")
    assert_equal({path.stem: np.load(path) for path in (root / "arrays").rglob("*.npy")}, items)


def test_pillow_reads_ade20k_and_ultralytics(exported, items):
    """As those loaders do: 0 is other and classes count from 1, or 255 is to be ignored."""
    grey = {}
    for path in (exported("ade20k") / "annotations").rglob("*.png"):
        grey[path.stem] = np.array(Image.open(path)) - np.uint8(1)
    assert_equal(grey, items)
    masks = (exported("ultralytics") / "masks").rglob("*.png")
    assert_equal({path.stem: np.array(Image.open(path)) for path in masks}, items)
