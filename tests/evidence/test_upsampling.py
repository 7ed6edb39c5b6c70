"""Evidence of a PSPNet with learnt upsampling adds up, is the gradient's, and is true to reruns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pspgui.evidence import averaged_bins, evidence_of
from pspgui.evidence.psp import LevelMeans, mean_of
from pspgui.evidence.readings import Source, Target, level_source
from pspgui.evidence.regions import region_evidence, region_of
from pspgui.evidence.upsampling import UpsamplingEvidence
from pspgui.geometry import Rect
from pspgui.inference.activations import Activations, FeatureMap, Stamp
from pspgui.inference.heads import build_head
from pspgui.labels.classes import table
from pspgui.models.pspnet_upsample import PSPUpsample, PSPUpsampleSpec

GRID, SIZE, IMAGE = (4, 7), (32, 56), (30, 51)
PLACES = ((0, 0), (29, 50), (0, 50), (13, 22), (29, 3), (7, 40))
LEVELS = (1, 2, 3)
CLASSES = table(*((f"class {i}", (i, i, i)) for i in range(4)))


def network(slope=0.25, **fields):
    torch.manual_seed(4)
    spec = {"classes": CLASSES, "backbone": "resnet18", "auxiliary": False, "levels": LEVELS,
            "bottleneck_channels": 12, "stage_channels": (7, 6, 5)} | fields  # fmt: skip
    model = PSPUpsample(PSPUpsampleSpec.model_validate(spec))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.3, 0.3)
            nn.init.uniform_(module.running_var, 0.05, 0.5)
            nn.init.uniform_(module.weight, -0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.6)
        elif isinstance(module, nn.PReLU):
            nn.init.constant_(module.weight, slope)
    nn.init.normal_(model.classifier.weight)
    return model.eval().requires_grad_(False).double()


def features_of(model):
    generator = torch.Generator().manual_seed(5)
    shape = (1, model.backbone.channels[-1], *GRID)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def evidence(model, features):
    cells = model.cells((features,), SIZE)
    activations = Activations(
        image_id="random", image_shape=IMAGE, padded_shape=SIZE, grid=SIZE,
        align_corners=model.spec.align_corners, features=features[0].numpy(),
        scores=cells.scores[0].numpy(), stamp=Stamp("random", "none"),
        maps=tuple(FeatureMap(title, m[0].numpy()) for title, m in cells.maps.items()),
    )  # fmt: skip
    found = evidence_of(activations, build_head(model).weights())
    assert isinstance(found, UpsamplingEvidence)
    return found


def decoded(model, features, levels):
    """Return the logits (N, H, W) of altered features and levels by the network's own modules."""
    grid = features.shape[-2:]
    found = model.bottleneck(torch.cat([*(model.upsample(p, grid) for p in levels), features], 1))
    for stage in model.upsampling:
        found = stage(model.upsample(found, (2 * found.shape[-2], 2 * found.shape[-1])))
    return model.classifier(found)[0]


# A PReLU may learn any slope, and one below zero hides in its output what its input's sign was.
@pytest.mark.parametrize("slope", [0.25, -0.5, 0.0])
@pytest.mark.parametrize("align_corners", [True, False])
def test_local_and_bins_add_up_and_are_gradient_times_input(align_corners, slope):
    model = network(slope, align_corners=align_corners)
    features = features_of(model)
    found_by = evidence(model, features)
    logits = model.cells((features,), SIZE).scores[0]
    local = features.clone().requires_grad_(True)
    levels = [level(features).requires_grad_(True) for level in model.pyramid]
    for y, x in PLACES:
        for target in (Target(1), Target(3, 0), None):
            found = found_by.at((y, x), target)
            c, versus = found.target
            logit = logits[c, y, x] - (0 if versus is None else logits[versus, y, x])

            assert abs(found.logit - float(logit)) < 1e-10
            assert abs(found.total - float(logit)) < 1e-10
        found = found_by.at((y, x), Target(3, 0))
        out = decoded(model, local, levels)
        parts = torch.autograd.grad(out[3, y, x] - out[0, y, x], [local, *levels])
        assert abs(found.local - float((parts[0] * features).sum())) < 1e-10
        for bins, level, part in zip(LEVELS, levels, parts[1:], strict=True):
            expected = (level * part).sum(dim=1)[0].detach().numpy()
            assert np.allclose(found.grid(bins), expected, atol=1e-10)
            touched = (part != 0).any(dim=1)[0].numpy()
            assert not (touched & ~found.reach(bins)).any()


@pytest.mark.parametrize("align_corners", [True, False])
def test_sources_open_into_cells_that_are_the_gradients(align_corners):
    model = network(align_corners=align_corners)
    features = features_of(model)
    found_by = evidence(model, features)
    for place in PLACES[:4]:
        leaf = features.clone().requires_grad_(True)
        model.cells((leaf,), SIZE).scores[0, 2, place[0], place[1]].backward()
        expected = (leaf.grad * features).sum(dim=1)[0].numpy()
        total = 0.0
        for source in found_by.at(place, Target(2)).sources:
            opened = found_by.open(place, source, Target(2))
            assert opened.values.shape == GRID
            assert abs(opened.total - source.value) < 1e-10
            total = total + opened.values
        assert np.allclose(total, expected, atol=1e-10)


def test_a_silent_source_is_the_networks_own_answer():
    model = network()
    features = features_of(model)
    found_by = evidence(model, features)
    levels = [level(features) for level in model.pyramid]
    plain = decoded(model, features, levels)
    for y, x in PLACES[:4]:
        found = found_by.at((y, x), Target(1), "ablate")
        for source in found.sources:
            without, local = [p.clone() for p in levels], features
            if source.kind == "bin":
                without[LEVELS.index(source.level)][:, :, source.row, source.col] = 0
            else:
                local = torch.zeros_like(features)
            drop = float((plain - decoded(model, local, without))[1, y, x])
            assert abs(source.value - drop) < 1e-10
            assert source.reachable or drop == 0
        assert found_by.ablate((y, x), found.sources[1], Target(1)) == found.sources[1].value
        for index, bins in enumerate(LEVELS):
            without = [p * (i != index) for i, p in enumerate(levels)]
            drop = float((plain - decoded(model, features, without))[1, y, x])
            assert abs(found.level_sums[bins] - drop) < 1e-10
            whole = level_source(found, bins)
            assert found_by.ablate((y, x), whole, Target(1)) == found.level_sums[bins]
        silence = decoded(model, features * 0, [p * 0 for p in levels])[1, y, x]
        assert abs(found.constant - float(silence)) < 1e-10


def test_what_there_is_not_is_refused():
    model = network()
    found_by = evidence(model, features_of(model))
    with pytest.raises(ValueError, match="split or ablate"):
        found_by.at((0, 0), None, "ig")
    with pytest.raises(KeyError):
        found_by.ablate((0, 0), Source("bin", 9, 0, 0, 0.0, 0.0, False, Rect(0, 0, 0, 0)))


@pytest.mark.parametrize("slope", [0.25, -0.5])
@pytest.mark.parametrize("align_corners", [True, False])
def test_against_the_mean_bin_what_all_bins_share_goes_to_the_constant(align_corners, slope):
    model = network(slope, align_corners=align_corners)
    features = features_of(model)
    found_by = evidence(model, features)
    other = evidence(model, torch.flip(features, (2,)) * 0.7)
    bins = [averaged_bins(one.activations, one.weights) for one in (found_by, other)]
    means = mean_of(bins, "the mean bin of 2 images")
    assert found_by.takes(means)
    assert not found_by.takes(LevelMeans(means.taps[:2], "of other levels"))
    with torch.inference_mode():
        levels = [level(features) for level in model.pyramid]
        mean = [(a + level(torch.flip(features, (2,)) * 0.7)).mean((2, 3), keepdim=True) / 2
                for a, level in zip(levels, model.pyramid, strict=True)]  # fmt: skip
        for place in PLACES[:3]:
            plain = found_by.at(place, Target(3, 0))
            for reading in ("split", "ablate"):
                found = found_by.at(place, Target(3, 0), reading, means)
                assert found.baseline == means.name and found.logit == plain.logit
                assert plain.baseline == "zero"
                if reading == "split":
                    assert abs(found.total - found.logit) < 1e-10
                    assert abs(found.local - plain.local) < 1e-10
            # Taken to the mean bin, the logit is the network's own with that bin in its place.
            levels[2][:, :, 1, 2], kept = mean[2][:, :, 0, 0], levels[2][:, :, 1, 2].clone()
            out = decoded(model, features, levels)[:, place[0], place[1]]
            levels[2][:, :, 1, 2] = kept
            fall = found.logit - float(out[3] - out[0])
            assert found.grid(3)[1, 2] == pytest.approx(fall, abs=1e-10)


def test_a_region_is_compared_with_the_mean_bin_like_its_pixels():
    model = network()
    found_by = evidence(model, features_of(model))
    means = mean_of([found_by.bins_on_average()], "the mean bin of 1 image")
    pixels = [(3, 4), (3, 5), (20, 40)]
    found = region_evidence(found_by, region_of(pixels), Target(2), "split", means)
    ones = [found_by.at(pixel, Target(2), "split", means) for pixel in pixels]
    assert found.baseline == means.name
    assert found.constant == pytest.approx(np.mean([one.constant for one in ones]))
    for bins in LEVELS:
        assert np.allclose(found.grid(bins), np.mean([o.grid(bins) for o in ones], axis=0))
