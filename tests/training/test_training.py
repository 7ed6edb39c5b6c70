"""Training: exact resume, order as a pure function, honest labels, and scores that are right."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from pspgui.labels.classes import CAMVID, ClassTable, LabelClass
from pspgui.models.checkpoints import load_checkpoint
from pspgui.models.pspnet import PSPNet, PSPNetSpec
from pspgui.models.spec import SizeRule
from pspgui.training.augmentation import training_transform
from pspgui.training.datasets import (
    DatasetError,
    FolderSource,
    JoinedSource,
    LabelledImage,
    SceneSource,
    batches,
    label_weights,
)
from pspgui.training.evaluation import evaluate, plain_predictor, pyramid_use, silenced_pyramid
from pspgui.training.loop import (
    BEST,
    LAST,
    Trainer,
    TrainingError,
    TrainingSet,
    start_weights,
)
from pspgui.training.recipe import Recipe

TWO = ClassTable((LabelClass(0, "dark", (0, 0, 0)), LabelClass(1, "bright", (255, 255, 255))))
RECIPE = Recipe(epochs=2, batch=2, colour=0.1, warmup_steps=1, whole_frames=0.5)


class Squares:
    """A source of pictures with one bright square, labelled by brightness."""

    def __init__(self, count: int = 6, size: int = 49) -> None:
        self.count, self.size = count, size

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> LabelledImage:
        generator = np.random.default_rng(index)
        labels = np.zeros((self.size, self.size), np.uint8)
        y, x = generator.integers(0, self.size // 2, 2)
        labels[y : y + 24, x : x + 24] = 1
        noise = generator.integers(0, 60, (*labels.shape, 3))
        return LabelledImage((labels[..., None] * 180 + noise).astype(np.uint8), labels)


def network(**fields: object) -> PSPNet:
    torch.manual_seed(7)
    rule = SizeRule(multiple=16, offset=1)
    spec = PSPNetSpec(classes=TWO, bottleneck_channels=16, size_rule=rule)
    return PSPNet(spec.changed(**fields))


def trainer(folder, recipe: Recipe = RECIPE, validation: object = None) -> Trainer:
    samples = TrainingSet(Squares(), validation, None, (49, 49), "squares")
    return Trainer(network(), recipe, samples, folder)


class Stop(Exception):  # noqa: N818 - it stands for a kill
    pass


def test_a_resumed_run_ends_bit_equal_to_an_uninterrupted_one(tmp_path):
    whole = trainer(tmp_path / "whole")
    whole.fit(lambda _: None)

    def killed(progress) -> None:
        if progress.step == 4:
            raise Stop

    cut = trainer(tmp_path / "cut")
    with pytest.raises(Stop):
        cut.fit(killed)
    resumed = trainer(tmp_path / "cut")
    assert resumed.resume()
    assert resumed.run.step == 3
    resumed.fit(lambda _: None)

    expected = whole.model.state_dict()
    assert all(torch.equal(v, expected[k]) for k, v in resumed.model.state_dict().items())
    assert resumed.run.step == whole.run.step == 6


def test_a_run_killed_in_the_validation_of_its_last_epoch_is_not_taken_for_complete(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("pspgui.training.loop._SAVE_SECONDS", 0.0)
    cut = trainer(tmp_path, validation=Squares(1))
    monkeypatch.setattr(cut, "_validate", lambda epoch: (_ for _ in ()).throw(Stop))
    with pytest.raises(Stop):
        cut.fit(lambda _: None)

    resumed = trainer(tmp_path, validation=Squares(1))
    resumed.resume()
    assert resumed.run.step == 2
    resumed.fit(lambda _: None)

    assert [entry["epoch"] for entry in resumed.run.history] == [1, 2]


def test_weights_that_are_not_finite_replace_nothing(tmp_path):
    run = trainer(tmp_path)
    run.fit(lambda _: None)
    kept = [(tmp_path / name).read_bytes() for name in (LAST, "state.pt")]
    torch.nn.init.constant_(run.model.classifier.bias, math.nan)

    run._finish_epoch(1, 0.0)

    assert [(tmp_path / name).read_bytes() for name in (LAST, "state.pt")] == kept


def test_training_lowers_the_loss_and_writes_checkpoints_that_load(tmp_path):
    reports = []
    run = trainer(
        tmp_path, RECIPE.model_copy(update={"epochs": 8, "learning_rate": 0.02}), Squares(2)
    ).fit(reports.append)

    losses = [r.loss for r in reports]
    best = load_checkpoint(tmp_path / BEST)
    assert np.mean(losses[-4:]) < 0.7 * np.mean(losses[:4])
    assert reports[0].seconds_left > 0
    assert best.spec.record["data"] == "squares"
    assert best.spec.record["validation_miou"] == pytest.approx(run.best, abs=1e-4)
    assert load_checkpoint(tmp_path / LAST).spec.record["steps"] == 24


def test_resuming_with_another_recipe_is_refused(tmp_path):
    trainer(tmp_path).save_state()

    with pytest.raises(TrainingError, match="another recipe"):
        trainer(tmp_path, RECIPE.model_copy(update={"seed": 2})).resume()


def test_a_damaged_state_is_refused_and_kept(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"\x80broken")

    with pytest.raises(TrainingError, match="start anew"):
        trainer(tmp_path).resume()
    assert (tmp_path / "state.pt").read_bytes() == b"\x80broken"


def test_a_loss_that_stays_not_finite_stops_the_run(tmp_path):
    run = trainer(tmp_path, RECIPE.model_copy(update={"epochs": 30}))
    torch.nn.init.constant_(run.model.classifier.bias, math.nan)
    before = run.model.classifier.weight.clone()

    with pytest.raises(TrainingError, match="not finite"):
        run.fit(lambda _: None)
    assert torch.equal(run.model.classifier.weight, before)


def test_batches_are_a_pure_function_of_seed_epoch_and_position():
    transform = training_transform(RECIPE, network().spec, (49, 49))

    def epoch(number: int, first: int = 0) -> list[torch.Tensor]:
        return [i for i, _ in batches(Squares(7), Squares(2), transform, batch=2, seed=1,
                                      epoch=number, first_batch=first)]  # fmt: skip

    state = torch.get_rng_state()
    once, again = epoch(0), epoch(0, first=2)

    assert len(once) == 4
    assert all(torch.equal(a, b) for a, b in zip(once[2:], again, strict=True))
    assert not torch.equal(once[0], epoch(1)[0])
    assert torch.equal(torch.get_rng_state(), state)


def test_augmentation_moves_image_and_labels_together():
    recipe = RECIPE.model_copy(update={"colour": 0.0, "whole_frames": 0.0})
    spec = network().spec
    transform = training_transform(recipe, spec, (49, 49))
    sample = Squares().read(3)
    image = tv_tensors.Image(torch.tensor(sample.labels)[None].repeat(3, 1, 1) * 255)
    mask = tv_tensors.Mask(torch.tensor(sample.labels.astype(np.int64)))

    for seed in range(6):
        torch.manual_seed(seed)
        moved, labels = transform(image, mask)
        bright = moved[0] * spec.normalisation.std[0] + spec.normalisation.mean[0]
        known = labels != TWO.ignore
        agree = ((bright > 0.5) == (labels == 1))[known]

        assert moved.shape == (3, 49, 49)
        assert labels.shape == (49, 49)
        assert float(agree.float().mean()) > 0.95  # nearest and linear differ on borders alone


@pytest.mark.parametrize("shape", [(98, 98), (30, 49), (200, 70), (49, 49)])
def test_whole_frames_are_fitted_whole_into_the_frame(shape):
    recipe = RECIPE.model_copy(update={"colour": 0.0, "whole_frames": 1.0, "flip": 0.0})
    spec = network().spec
    image = tv_tensors.Image(torch.full((3, *shape), 255, dtype=torch.uint8))
    mask = tv_tensors.Mask(torch.zeros(shape, dtype=torch.int64))

    moved, labels = training_transform(recipe, spec, (49, 49))(image, mask)

    known = labels != TWO.ignore
    scale = min(49 / shape[0], 49 / shape[1])
    assert moved.shape == (3, 49, 49)
    assert int(known.sum()) == round(shape[0] * scale) * round(shape[1] * scale)
    assert bool((moved[0][known] > 1).all())


def test_median_frequency_weights_follow_their_definition():
    class Two:
        def __len__(self) -> int:
            return 2

        def read(self, index: int) -> LabelledImage:
            labels = np.zeros((10, 10), np.uint8)
            if index:
                labels[:5, :2] = 1
            labels[9] = 255
            return LabelledImage(np.zeros((10, 10, 3), np.uint8), labels)

    # dark: 170 of 180 labelled pixels; bright: 10 of the 90 of the one image that has it.
    frequency = np.array([170 / 180, 10 / 90])
    expected = np.median(frequency) / frequency

    assert label_weights(Two(), TWO, "median").numpy() == pytest.approx(expected, rel=1e-5)
    assert label_weights(Two(), TWO, "sqrt").numpy() == pytest.approx(expected**0.5, rel=1e-5)
    assert label_weights(Two(), TWO, "none") is None


def test_labels_outside_the_class_table_name_file_and_value(tmp_path):
    from pspgui.imaging import encode_labels, encode_png

    image, labels = tmp_path / "a.png", tmp_path / "b.png"
    image.write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    labels.write_bytes(encode_labels(np.full((4, 4), 7, np.uint8), TWO.palette()))

    with pytest.raises(DatasetError, match=r"b\.png holds the label 7"):
        FolderSource([(image, labels)], TWO).read(0)


def test_scene_sources_draw_the_same_scene_for_the_same_index():
    one, other = SceneSource(3, (40, 60), 5), SceneSource(3, (40, 60), 6)

    assert np.array_equal(one.read(1).pixels, other.read(0).pixels)
    assert one.read(0).labels.max() <= 255
    assert CAMVID.ignore == 255


def test_joined_sources_are_read_one_after_the_other():
    joined = JoinedSource(Squares(2), Squares(3, size=33))

    assert len(joined) == 5
    assert [joined.read(i).labels.shape[0] for i in range(5)] == [49, 49, 33, 33, 33]
    assert np.array_equal(joined.read(3).pixels, Squares(3, size=33).read(1).pixels)
    with pytest.raises(IndexError):
        joined.read(5)


def test_evaluation_of_the_truth_is_perfect_and_of_its_opposite_zero():
    source = Squares(3)
    by_pixels = {source.read(i).pixels.tobytes(): source.read(i).labels for i in range(3)}

    right = evaluate(lambda p: by_pixels[p.tobytes()], source, TWO).to_json()
    wrong = evaluate(lambda p: 1 - by_pixels[p.tobytes()], source, TWO).to_json()

    assert (right["miou"], right["pixel_accuracy"]) == (1.0, 1.0)
    assert (wrong["miou"], wrong["mean_accuracy"]) == (0.0, 0.0)


def test_silencing_the_pyramid_equals_zero_bins_and_ends_with_the_block():
    model = network().eval()
    image = torch.randn(1, 3, 49, 49)
    with torch.inference_mode():
        whole = model(image).main
        _, features = model.backbone(image)
        zeros = [torch.zeros_like(level) for level in model.pyramid(features)]
        local = model.classifier(model.bottleneck(model.concatenate(features, zeros)))
        with silenced_pyramid(model):
            silent = model(image).main

        assert torch.allclose(silent, model.upsample(local, (49, 49)))
        assert torch.equal(model(image).main, whole)


def test_pyramid_use_counts_the_cells_that_bins_decide():
    model = network().eval()
    torch.nn.init.zeros_(model.bottleneck[0].weight[:, model.backbone.channels[-1] :])
    source = Squares(2)

    unused = pyramid_use(model, source, TWO)

    assert unused.cells_changed == 0
    assert unused.miou == unused.miou_silenced
    assert unused.miou == evaluate(plain_predictor(model), source, TWO).confusion.miou


def test_start_weights_takes_a_backbone_and_leaves_what_does_not_fit():
    source, target = network(), network(output_stride=8)
    torch.nn.init.ones_(source.backbone.features[0][0].weight)
    bare = {k.removeprefix("backbone."): v for k, v in source.state_dict().items()
            if k.startswith("backbone.")}  # fmt: skip
    bare["classifier.weight"] = torch.zeros(9, 16, 1, 1)

    copied, wanted = start_weights(target, bare)

    assert bool((target.backbone.features[0][0].weight == 1).all())
    assert copied == len(bare) - 1
    assert copied < wanted
