"""Import and export of data sets, one file a format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pspgui.formats.ade20k_folder import Ade20kScheme
from pspgui.formats.cityscapes_folder import CityscapesScheme
from pspgui.formats.coco_folder import CocoScheme
from pspgui.formats.cvat_mask import CvatMaskScheme
from pspgui.formats.cvat_xml import CvatXmlScheme
from pspgui.formats.dataset_folder import export_dataset
from pspgui.formats.errors import FormatError
from pspgui.formats.exporting import export_as
from pspgui.formats.geotiff_folder import GeotiffScheme
from pspgui.formats.label_studio import LabelStudioScheme
from pspgui.formats.labelme_folder import LabelmeScheme
from pspgui.formats.layouts import LAYOUTS
from pspgui.formats.mmseg_folder import MmsegScheme
from pspgui.formats.numpy_folder import NumpyScheme
from pspgui.formats.options import ExportOptions
from pspgui.formats.parquet import ParquetScheme
from pspgui.formats.reading import read_dataset, splits_of
from pspgui.formats.report import ExportReport
from pspgui.formats.samples import Layout, Sample
from pspgui.formats.scheme import ExportItem, Scheme
from pspgui.formats.ultralytics_folder import UltralyticsScheme
from pspgui.formats.voc_folder import VocScheme
from pspgui.formats.yolo_folder import YoloScheme


class ExportFormat(NamedTuple):
    """A way to export: its key on the command line, its title, a line about it, what does it.

    `choices` are the options of `ExportOptions` that it leaves open; a lossy one cannot hold every
    label map; one that needs images cannot leave them out.
    """

    key: str
    title: str
    about: str
    export: Callable[..., ExportReport]
    choices: frozenset[str] = frozenset()
    is_lossy: bool = False
    needs_images: bool = False


def _of(title: str, about: str, scheme: type[Scheme], is_lossy: bool = False) -> ExportFormat:
    return ExportFormat(
        scheme.key, title, about, partial(export_as, scheme), scheme.choices, is_lossy,
        scheme.needs_images,
    )  # fmt: skip


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        "folder", "Data set folder", "Lossless. Palette PNGs; what pspgui trains on",
        export_dataset, needs_images=True,
    ),
    _of("PASCAL VOC", "Lossless. Palette PNGs, 255 unlabelled, lists", VocScheme),
    _of("Cityscapes", "Lossless. gtFine PNGs; images become PNG", CityscapesScheme),
    _of("ADE20K", "Lossless. Grey PNGs from 1 on, 0 unlabelled", Ade20kScheme),
    _of("CVAT mask 1.1", "Lossless. Colour PNGs and labelmap.txt", CvatMaskScheme),
    _of("CVAT XML 1.1", "Lossless. One mask a class, for CVAT's brush", CvatXmlScheme),
    _of("MMSegmentation", "Lossless. PNGs and a config that trains as it is", MmsegScheme),
    _of("COCO", "Lossless. Panoptic, and run lengths by class", CocoScheme),
    _of("Ultralytics semantic", "Lossless. Grey PNGs, 255 unlabelled, a YAML", UltralyticsScheme),
    _of("YOLO polygons", "Lossy. Outlines without holes; losses counted", YoloScheme, True),
    _of("labelme", "Lossless. JSON beside each image, labels.txt", LabelmeScheme),
    _of("Label Studio", "Lossless. Brush regions by class, and the config", LabelStudioScheme),
    _of("Hugging Face parquet", "Lossless. Images and PNGs inside, id2label", ParquetScheme),
    _of("GeoTIFF", "Lossless. Label TIFFs that lie where images lie", GeotiffScheme),
    _of("numpy arrays", "Lossless. One .npy an image, values as you like", NumpyScheme),
)  # fmt: skip

__all__ = [
    "FORMATS",
    "LAYOUTS",
    "ExportFormat",
    "ExportItem",
    "ExportOptions",
    "ExportReport",
    "FormatError",
    "Layout",
    "Sample",
    "export_dataset",
    "read_dataset",
    "splits_of",
]
