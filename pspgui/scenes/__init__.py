"""Generated street scenes with exact labels in the CamVid classes."""

from __future__ import annotations

from pspgui.scenes.compose import Scene, render_scene

SAMPLE_SEED = 2402
"""The seed of the scene shown at the first launch, painted at 720 x 960."""


def sample_scene() -> Scene:
    """Return the scene of the first launch, 720 x 960."""
    return render_scene(SAMPLE_SEED, 720, 960)


__all__ = ["SAMPLE_SEED", "Scene", "render_scene", "sample_scene"]
