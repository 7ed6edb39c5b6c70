"""Layouts of data sets that are read, one file each; the first that fits is taken."""

from __future__ import annotations

from pspgui.formats.layouts.ade20k import LAYOUT as ADE20K
from pspgui.formats.layouts.camvid import LAYOUT as CAMVID
from pspgui.formats.layouts.cityscapes import LAYOUT as CITYSCAPES
from pspgui.formats.layouts.coco import LAYOUT as COCO
from pspgui.formats.layouts.coco_instances import LAYOUT as COCO_INSTANCES
from pspgui.formats.layouts.cvat import LAYOUT as CVAT
from pspgui.formats.layouts.cvat_xml import LAYOUT as CVAT_XML
from pspgui.formats.layouts.folder import LAYOUT as FOLDER
from pspgui.formats.layouts.label_studio import LAYOUT as LABEL_STUDIO
from pspgui.formats.layouts.labelme import LAYOUT as LABELME
from pspgui.formats.layouts.mmseg import LAYOUT as MMSEG
from pspgui.formats.layouts.numpy_arrays import LAYOUT as NPY
from pspgui.formats.layouts.parquet import LAYOUT as PARQUET
from pspgui.formats.layouts.ultralytics import SEMANTIC as ULTRALYTICS
from pspgui.formats.layouts.ultralytics import YOLO
from pspgui.formats.layouts.voc import LAYOUT as VOC
from pspgui.formats.samples import Layout

LAYOUTS: tuple[Layout, ...] = (
    YOLO, FOLDER, ULTRALYTICS, COCO, COCO_INSTANCES, CVAT_XML, ADE20K, CVAT, VOC, CITYSCAPES,
    CAMVID, MMSEG, NPY, LABELME, LABEL_STUDIO, PARQUET,
)  # fmt: skip

__all__ = ["LAYOUTS"]
