"""Import and export of data sets, one file a format."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pspgui.formats.ade20k_folder import Ade20kScheme
from pspgui.formats.cityscapes_folder import CityscapesScheme
from pspgui.formats.coco_folder import CocoScheme
from pspgui.formats.cvat_mask import CvatMaskScheme
from pspgui.formats.dataset_folder import export_dataset
from pspgui.formats.errors import FormatError
from pspgui.formats.exporting import export_as
from pspgui.formats.layouts import LAYOUTS
from pspgui.formats.mmseg_folder import MmsegScheme
from pspgui.formats.numpy_folder import NumpyScheme
from pspgui.formats.options import ExportOptions
from pspgui.formats.reading import read_dataset, splits_of
from pspgui.formats.report import ExportReport
from pspgui.formats.samples import Layout, Sample
from pspgui.formats.scheme import ExportItem
from pspgui.formats.voc_folder import VocScheme
from pspgui.formats.yolo_folder import YoloScheme


class ExportFormat(NamedTuple):
    """A way to export: its key on the command line, its title in menus, and what does it."""

    key: str
    title: str
    export: Callable[..., ExportReport]


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat("folder", "Data set folder (images, labels, classes.json)", export_dataset),
    ExportFormat("voc", "PASCAL VOC segmentation", partial(export_as, VocScheme)),
    ExportFormat("cityscapes", "Cityscapes (gtFine)", partial(export_as, CityscapesScheme)),
    ExportFormat("ade20k", "ADE20K (one-based, 0 unlabelled)", partial(export_as, Ade20kScheme)),
    ExportFormat("cvat-mask", "CVAT segmentation mask 1.1", partial(export_as, CvatMaskScheme)),
    ExportFormat("mmseg", "MMSegmentation, with a config", partial(export_as, MmsegScheme)),
    ExportFormat("coco", "COCO panoptic and run lengths", partial(export_as, CocoScheme)),
    ExportFormat("yolo-seg", "YOLO polygons (lossy)", partial(export_as, YoloScheme)),
    ExportFormat("npy", "numpy arrays", partial(export_as, NumpyScheme)),
)

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
