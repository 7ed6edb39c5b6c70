"""Layouts of data sets that are read, one file each; the first that fits is taken."""

from __future__ import annotations

from pspgui.formats.layouts.ade20k import LAYOUT as ADE20K
from pspgui.formats.layouts.camvid import LAYOUT as CAMVID
from pspgui.formats.layouts.cityscapes import LAYOUT as CITYSCAPES
from pspgui.formats.layouts.coco import LAYOUT as COCO
from pspgui.formats.layouts.cvat import LAYOUT as CVAT
from pspgui.formats.layouts.folder import LAYOUT as FOLDER
from pspgui.formats.layouts.mmseg import LAYOUT as MMSEG
from pspgui.formats.layouts.numpy_arrays import LAYOUT as NPY
from pspgui.formats.layouts.voc import LAYOUT as VOC
from pspgui.formats.samples import Layout

LAYOUTS: tuple[Layout, ...] = (FOLDER, COCO, ADE20K, CVAT, VOC, CITYSCAPES, CAMVID, MMSEG, NPY)

__all__ = ["LAYOUTS"]
