"""Layers in eight bits: near the float ones, nearer than plain rounding, only where they may."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pspgui.inference.backends import mixing, quantising
from pspgui.inference.backends.mixing import Judge, Mixture, mixed
from pspgui.inference.backends.openvino_graphs import converted, silent
from pspgui.inference.backends.quantising import Fitted, fit, layers_of, quantised

pytestmark = pytest.mark.skipif(
    find_spec("openvino") is None, reason="the extra openvino is not installed"
)


class Chain(nn.Module):
    """Convolutions whose maps have channels of very different range, one of them signed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(),
            nn.Conv2d(12, 16, 1), nn.Conv2d(16, 16, 1, bias=False), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=2, dilation=2), nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU(),
            nn.Conv2d(16, 4, 1),
        )  # fmt: skip
        with torch.no_grad():
            first, second = self.layers[0], self.layers[2]
            for layer in (first, second):
                layer.weight *= torch.logspace(-1, 1, len(layer.weight))[:, None, None, None]
                layer.bias += torch.linspace(-1, 3, len(layer.bias))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.layers(images),)


def inputs(count: int = 3) -> list[np.ndarray]:
    generator = torch.Generator().manual_seed(5)
    maps = torch.randn((count, 1, 3, 9, 11), generator=generator)
    return [nn.functional.interpolate(m, (33, 41), mode="bilinear").numpy() for m in maps]


@pytest.fixture(scope="module")
def graph():
    return converted(Chain().eval(), (33, 41))


@pytest.fixture(scope="module")
def fitted(graph) -> dict[str, Fitted]:
    layers = layers_of(graph)
    return {n.name: f for n, f in zip(layers, fit(graph, layers, inputs()[:2]), strict=True)}


def outputs(model, values: np.ndarray) -> np.ndarray:
    with silent():
        import openvino
    found = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(values)
    return np.array(found[0])


def test_the_first_and_grouped_layers_stay_as_they_are(graph):
    assert [layer.weight.shape for layer in layers_of(graph)] == [
        (16, 12, 1, 1), (16, 16, 1, 1), (16, 16, 3, 3), (4, 16, 1, 1)
    ]  # fmt: skip


def test_eight_bits_stay_near_on_an_image_not_fitted_to(graph, fitted):
    unseen = inputs()[2]
    exact, found = outputs(graph, unseen), outputs(quantised(graph, fitted), unseen)
    error = np.linalg.norm(found - exact) / np.linalg.norm(exact - exact.mean())
    assert 0 < error < 0.03


def test_nothing_quantised_changes_nothing(graph):
    values = inputs()[0]
    assert np.array_equal(outputs(quantised(graph, {}), values), outputs(graph, values))


def test_the_mean_of_what_a_layer_gives_is_kept(graph, fitted):
    values = np.concatenate(inputs()[:2])
    for name in list(fitted)[-1:]:
        made = quantised(graph, {name: fitted[name]})
        exact, found = (
            np.mean([outputs(m, v[None]).mean((0, 2, 3)) for v in values], axis=0)
            for m in (graph, made)
        )
        assert np.abs(found - exact).max() < 2e-3 * np.abs(exact).max()


def test_rounding_in_turn_errs_less_than_rounding_each():
    generator = torch.Generator().manual_seed(0)
    # Columns that resemble each other, as maps' channels do.
    columns = torch.randn((24, 6), generator=generator) @ torch.randn((6, 900), generator=generator)
    columns += 0.1 * torch.randn((24, 900), generator=generator)
    columns -= columns.mean(1, keepdim=True)
    weight = torch.randn((8, 24), generator=generator)
    steps = quantising._steps(weight)
    codes = quantising._round_weights(weight, steps, columns)
    assert torch.equal(codes, codes.round()) and float(codes.abs().max()) <= 127
    plain = (weight / steps[:, None]).round()
    errors = [
        float(((c * steps[:, None] - weight) @ columns).square().mean()) for c in (codes, plain)
    ]
    assert errors[0] < 0.6 * errors[1]


def test_maps_that_never_change_are_no_error():
    weight = torch.randn((4, 6), generator=torch.Generator().manual_seed(1))
    steps = quantising._steps(weight)
    codes = quantising._round_weights(weight, steps, torch.zeros(6, 50))
    assert torch.isfinite(codes).all()


def scores(found: tuple[Tensor, ...]) -> Tensor:
    return found[0][0]


def test_layers_that_harm_go_back_to_float(graph, monkeypatch):
    told = []
    measured = Judge.measure

    def strict(self, model, rest="f32", few=0):
        """Judge as if bf16, and eight bits in the last layer, cost half the labels."""
        found = measured(self, model, rest, few)
        last = [op for op in model.get_ordered_ops() if op.get_type_name() == "Convolution"][-1]
        floating = last.input_value(1).get_node().get_type_name() == "Constant"
        if floating and rest == "f32":
            return found._replace(agreement=1.0)
        return found._replace(agreement=0.5, error=1e6)

    monkeypatch.setattr(Judge, "measure", strict)
    _, mixture = mixed(graph, inputs(), scores, lambda *step: told.append(step))
    assert (mixture.rest, mixture.quantised, mixture.layers) == ("f32", 3, 4)
    assert [t[0] for t in told] == sorted(t[0] for t in told)


def test_where_nothing_may_be_lost_all_stays_float(graph, monkeypatch):
    monkeypatch.setattr(mixing, "_GOAL", 1.1)
    made, mixture = mixed(graph, inputs(1), scores, lambda *step: None)
    assert (mixture.quantised, mixture.agreement) == (0, 1.0)
    values = inputs()[0]
    assert np.array_equal(outputs(made, values), outputs(graph, values))


def test_a_mixture_comes_back_from_its_file_and_never_reads_better_than_it_is(tmp_path):
    mixture = Mixture("f32", 0.99876, 30, 34)
    mixture.write(tmp_path / "mixture.json")
    assert Mixture.read(tmp_path / "mixture.json") == mixture
    assert "99.87 %" in mixture.text and "30 of 34" in mixture.text
