"""Projects that leave the caches of whoever runs the tests alone."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep caches in the test's own folder."""
    monkeypatch.setattr("pspgui.places.cache_folder", lambda: tmp_path / "cache")
