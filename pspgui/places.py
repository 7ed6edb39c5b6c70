"""Where things are: the files shipped with the package, and the user's own folders."""

from __future__ import annotations

from pathlib import Path

import platformdirs

_PACKAGE = Path(__file__).resolve().parent


def resources() -> Path:
    """Return the folder of shipped resources: beside the package in a checkout, inside a wheel."""
    inside = _PACKAGE / "resources"
    return inside if inside.is_dir() else _PACKAGE.parent / "resources"


def bundled_model() -> Path:
    """Return the weights that come with the app."""
    return resources() / "models" / "pspnet_mobilenetv2_camvid.safetensors"


def context_lab_model(architecture: str = "pspnet") -> Path:
    """Return the weights of the context lab: of the "pspnet" or of the "fcn" beside it."""
    return resources() / "models" / f"context_lab_{architecture}.safetensors"


def user_folder() -> Path:
    """Return the folder for this user's own files (labels of unwritable folders, logs)."""
    return Path(platformdirs.user_data_dir("pspgui", appauthor=False))


def cache_folder() -> Path:
    """Return the folder for what can be made again, such as converted networks."""
    return Path(platformdirs.user_cache_dir("pspgui", appauthor=False))
