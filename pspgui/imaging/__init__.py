"""The one decoder of image and label files; everything here gives arrays or one clear error."""

from __future__ import annotations

from pspgui.durable import printable
from pspgui.imaging.checked_pillow import MAX_PIXELS
from pspgui.imaging.deep import DeepSamples
from pspgui.imaging.georeferencing import Georeference, georeference, write_geotiff_labels
from pspgui.imaging.images import (
    DecodedImage,
    decode_image,
    decode_steps,
    encode_png,
    image_from_bytes,
    image_size,
    thumbnail,
)
from pspgui.imaging.label_files import (
    DecodedLabels,
    decode_labels,
    encode_labels,
    labels_from_bytes,
)
from pspgui.imaging.listing import (
    ImagePaths,
    find_images,
    is_image_name,
    list_images,
    natural_key,
    texts_of,
)
from pspgui.imaging.sources import DecodeError, read_file

__all__ = [
    "MAX_PIXELS",
    "DecodeError",
    "DecodedImage",
    "DecodedLabels",
    "DeepSamples",
    "Georeference",
    "ImagePaths",
    "decode_image",
    "decode_labels",
    "decode_steps",
    "encode_labels",
    "encode_png",
    "find_images",
    "georeference",
    "image_from_bytes",
    "image_size",
    "is_image_name",
    "labels_from_bytes",
    "list_images",
    "natural_key",
    "printable",
    "read_file",
    "texts_of",
    "thumbnail",
    "write_geotiff_labels",
]
