"""The catalogue says what there is, from torchvision's own records and the shipped headers."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from pspgui import places
from pspgui.models import catalog


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the catalogue used the network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def test_every_published_entry_has_a_file_with_its_hash_and_a_score() -> None:
    entries = catalog.published()

    assert len({e.name for e in entries}) == len(entries)
    assert len({e.file for e in entries}) == len(entries)
    for entry in entries:
        assert entry.url.startswith("https://")
        assert entry.file == entry.url.rsplit("/", 1)[1]
        assert len(entry.hash_prefix) == 8
        assert int(entry.hash_prefix, 16) >= 0
        assert entry.licence == "BSD-3-Clause"
        assert 1 < entry.size_mb < 600
        assert 50 < entry.score < 100


def test_the_segmentation_networks_and_the_backbones_are_there() -> None:
    entries = {e.name: e for e in catalog.published()}

    for name in ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101",
                 "deeplabv3_mobilenet_v3_large"):  # fmt: skip
        assert (entries[name].kind, entries[name].classes) == ("segmentation", 21)
        assert entries[name].metric.startswith("mIoU")
    for name in ("resnet50", "resnet101", "mobilenet_v2", "mobilenet_v3_large", "vgg16"):
        assert (entries[f"{name}-v1"].kind, entries[f"{name}-v1"].classes) == ("backbone", 1000)
    assert entries["fcn_resnet50"].size_mb == pytest.approx(135.009 * 2**20 / 1e6, abs=0.1)


def test_find_takes_any_letter_case_and_lists_what_there_is() -> None:
    entries = catalog.published()

    assert catalog.find(" VGG16-v1", entries).name == "vgg16-v1"
    with pytest.raises(catalog.CatalogError, match=r"called 'vgg19'; there are fcn_resnet50, "):
        catalog.find("vgg19", entries)


def test_architectures_name_their_backbones_and_options() -> None:
    (pspnet,) = (a for a in catalog.architectures() if a.name == "pspnet")

    assert {"mobilenet_v2", "resnet50"} <= set(pspnet.backbones)
    assert pspnet.options["levels"] == "1,2,3,6"
    assert pspnet.options["align_corners"] == "yes | no"
    assert "features_last" in pspnet.options["concat"]
    assert "classes" not in pspnet.options


def test_the_bundled_model_is_described_by_its_header() -> None:
    if not places.bundled_model().is_file():
        pytest.skip("no model is bundled in this checkout")
    entry = next(e for e in catalog.bundled() if Path(e.file) == places.bundled_model())

    assert entry.classes == 11
    assert entry.size_mb == pytest.approx(places.bundled_model().stat().st_size / 1e6, abs=0.06)
    assert entry.miou is not None
    assert 0.5 < entry.miou < 1
    assert "pspnet" in entry.title.casefold()


def test_a_damaged_file_among_the_bundled_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.safetensors").write_bytes(b"nonsense")
    monkeypatch.setattr(places, "resources", lambda: tmp_path)

    assert catalog.bundled() == ()


def test_the_whole_is_json_and_says_what_is_here() -> None:
    entry = catalog.published()[0]
    catalog.models_folder().mkdir(parents=True)
    (catalog.models_folder() / entry.file).write_bytes(b"x")

    content = json.loads(json.dumps(catalog.to_json()))

    assert set(content) == {"architectures", "bundled", "published", "models_folder"}
    assert [e["name"] for e in content["published"] if e["present"]] == [entry.name]
