"""What the readings of evidence say of trained models: `python benchmarks/evidence_readings.py`.

Give the CamVid folder (images/val, labels/val) to read the bundled PSPNet; the context lab's two
networks read drawn scenes and need nothing. Prints how far the readings agree, how fast margins
fall when sources are silenced in their order, and what the pyramid decides, class by class.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pspgui import places
from pspgui.evidence import Evidence, evidence_of
from pspgui.evidence.coalitions import Curves, correlation, curves, rank_correlation, worth
from pspgui.evidence.psp import PSPEvidence
from pspgui.evidence.readings import READINGS
from pspgui.evidence.shapley import group_shapley, sampled_shapley
from pspgui.evidence.whatif import WhatIf, answer_if
from pspgui.imaging import decode_image
from pspgui.imaging.label_files import decode_labels
from pspgui.inference.predictor import Predictor
from pspgui.scenes.context_lab import render_lab

_TOP = (1, 3, 6)
_ORDERS = 100  # of sampled Shapley values: some 1e-2 of the largest bin
_LAB_SEED = 50_000

Pixels = list[tuple[int, int]]


class Agreement:
    """Correlations between readings, over the bins (or sources) of one pixel each."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        self._whole: dict[str, list[np.ndarray]] = defaultdict(list)

    def add(self, values: dict[str, np.ndarray]) -> None:
        """Take a pixel's values by reading, each (B,)."""
        names = list(values)
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                for kind, compare in (("r", correlation), ("rho", rank_correlation)):
                    self._found[one, other, kind].append(compare(values[one], values[other]))
                self._whole[f"{one}/{other}"].append(np.stack([values[one], values[other]]))

    def show(self) -> None:
        """Print medians over pixels, their lowest tenth, and the correlation of all values."""
        print(f"{'readings':<20}{'Pearson':>9}{'p10':>7}{'Spearman':>10}{'p10':>7}{'pooled r':>10}")
        for one, other, kind in list(self._found):
            if kind != "r":
                continue
            cells = [f"{one}/{other:<14}"]
            for measure in ("r", "rho"):
                found = self._found[one, other, measure]
                cells.append(f"{np.nanmedian(found):>9.4f}{np.nanpercentile(found, 10):>7.3f}")
            pooled = np.concatenate(self._whole[f"{one}/{other}"], axis=1)
            print("{:<20}{} {}{:>10.4f}".format(*cells, correlation(pooled[0], pooled[1])))


class Shares:
    """What the pyramid decides by predicted class, in cells and in pixels."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names, count = names, len(names)
        self._cells, self._outer, self._inner, self._margin, self._context = np.zeros((5, count))
        self._moved = np.zeros((count, count), np.int64)
        self._right = np.zeros((2, count))
        self._labelled = np.zeros(count)

    def add(self, evidence: PSPEvidence, before: np.ndarray, truth: np.ndarray | None) -> None:
        """Take one image: its evidence, its predicted labels (H, W), and the true ones."""
        from pspgui.evidence.maps import LevelStack

        known, count = evidence.activations, len(self._names)
        winners = known.scores.argmax(axis=0).ravel()
        maps = LevelStack(evidence).maps()
        for total, values in (
            (self._cells, np.ones(maps.local.shape)), (self._outer, np.abs(maps.pyramid)),
            (self._inner, np.abs(maps.local)), (self._margin, maps.logit),
            (self._context, maps.pyramid),
        ):  # fmt: skip
            total += np.bincount(winners, np.ravel(values), count)
        silent = answer_if(evidence, before, WhatIf(levels=dict.fromkeys(known.levels, 0.0)))
        self._moved += silent.moved
        if truth is not None:
            known_px = truth < count
            self._labelled += np.bincount(truth[known_px], minlength=count)
            for row, labels in zip(self._right, (before, silent.labels), strict=True):
                hit = known_px & (labels == truth)
                row += np.bincount(truth[hit], minlength=count)

    def show(self) -> None:
        """Print one line a class, and one for all."""
        print(
            f"{'predicted class':<16}{'cells':>9}{'pyramid':>9}{'margin':>9}{'signed':>9}"
            f"{'of it':>8}{'changed':>9}  recall, without"
        )
        for i, name in enumerate((*self._names, "all")):
            here = slice(None) if i == len(self._names) else slice(i, i + 1)
            cells = self._cells[here].sum()
            if not cells:
                continue
            outer, inner = self._outer[here].sum(), self._inner[here].sum()
            margin, context = self._margin[here].sum(), self._context[here].sum()
            moved = self._moved[here].sum() - np.diag(self._moved)[here].sum()
            changed = moved / max(1, self._moved[here].sum())
            line = (
                f"{name:<16}{cells:>9.0f}{outer / (outer + inner):>9.1%}"
                f"{margin / cells:>9.2f}{context / cells:>9.2f}{context / margin:>8.1%}"
                f"{changed:>9.1%}"
            )
            labelled = self._labelled[here].sum()
            if labelled:
                line += "  " + " ".join(f"{r[here].sum() / labelled:.3f}" for r in self._right)
            print(line)


def camvid(folder: Path, count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield validation frames and their labels, evenly spread over the split."""
    frames = sorted((folder / "images" / "val").iterdir())
    for index in np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int)).tolist():
        path = frames[index]
        labels = decode_labels(folder / "labels" / "val" / f"{path.stem}.png")
        yield decode_image(path).pixels, labels.labels


def lab(count: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield scenes that no network has seen."""
    for seed in range(_LAB_SEED, _LAB_SEED + count):
        scene = render_lab(seed)
        yield scene.image, scene.labels


def some_pixels(shape: tuple[int, int], count: int, rng: np.random.Generator) -> Pixels:
    """Return random pixels of an image."""
    return [tuple(p) for p in rng.integers((0, 0), shape, (count, 2)).tolist()]


def bins_removed(
    evidence: Evidence, pixel: tuple[int, int], values: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the falls of the margin without the first 1, 3, 6 bins by value, and by chance."""
    target, count = evidence.margin_target(pixel), len(values)
    order = np.argsort(-values, kind="stable")
    kept = np.ones((1 + 5 * len(_TOP), count + 1), bool)  # the local source always speaks
    for i, top in enumerate(_TOP):
        kept[1 + i, 1 + order[:top]] = False
        for j in range(4):
            kept[1 + len(_TOP) * (1 + j) + i, 1 + rng.permutation(count)[:top]] = False
    found = worth(evidence, pixel, target, kept)
    falls = (found[0] - found[1:]).reshape(5, -1)
    return np.stack([falls[0], falls[1:].mean(axis=0)])


def values_of(evidence: Evidence, pixel: tuple[int, int]) -> dict[str, np.ndarray]:
    """Return the reachable bins' values by reading; of other networks those of all sources."""
    target, found = evidence.margin_target(pixel), {}
    for reading in evidence.readings:
        parts = evidence.at(pixel, target, reading).sources
        found[reading] = np.array(
            [s.value for s in parts if s.reachable and (s.kind == "bin" or not has_bins(evidence))]
        )
    return found


def has_bins(evidence: Evidence) -> bool:
    """Whether a network has a pyramid."""
    return isinstance(evidence, PSPEvidence)


def study(name: str, predictor: Predictor, images: Any, per_image: int) -> None:
    """Print everything of one network on some images."""
    started, rng = time.perf_counter(), np.random.default_rng(7)
    agreement, groups = Agreement(), Agreement()
    shares, falls = Shares(predictor.classes.names), defaultdict(list)
    drawn: dict[str, list[Curves]] = defaultdict(list)
    count = pixels = 0
    for image, truth in images:
        activations = predictor.set_image(image)
        evidence = evidence_of(activations, predictor.weights)
        assert evidence is not None
        places_ = some_pixels(image.shape[:2], per_image, rng)
        count, pixels = count + 1, pixels + len(places_)
        for number, pixel in enumerate(places_):
            values = values_of(evidence, pixel)
            if isinstance(evidence, PSPEvidence):
                for reading in READINGS:
                    falls[reading].append(bins_removed(evidence, pixel, values[reading], rng))
                _compare_groups(groups, evidence, pixel)
                if number < 4:
                    values["shapley"] = sampled_shapley(
                        evidence, pixel, evidence.margin_target(pixel), _ORDERS
                    )[1:]
            agreement.add(values)
        for reading in evidence.readings:
            drawn[reading].append(curves(evidence, places_, rng, reading))
        if isinstance(evidence, PSPEvidence):
            shares.add(evidence, predictor.predict(activations).labels, truth)
    print(f"\n== {name}: {count} images, {pixels} pixels, {time.perf_counter() - started:.0f} s")
    what = "reachable bins" if falls else "sources"
    print(f"-- agreement of readings over a pixel's {what}: medians over pixels, lowest tenth")
    agreement.show()
    if falls:
        print("-- the same over local and the levels' sums")
        groups.show()
        _show_falls(falls)
    _show_curves(drawn)
    if falls:
        print("-- what the pyramid decides: its part of the evidence's size; signed, in logits")
        shares.show()


def _compare_groups(groups: Agreement, evidence: PSPEvidence, pixel: tuple[int, int]) -> None:
    target = evidence.margin_target(pixel)
    values = {}
    for reading in READINGS:
        found = evidence.at(pixel, target, reading)
        values[reading] = np.array([found.local, *found.level_sums.values()])
    whole = group_shapley(evidence, pixel, target)
    values["shapley"] = np.array([whole.local, *whole.levels.values()])
    groups.add(values)


def _show_falls(falls: dict[str, list[np.ndarray]]) -> None:
    print("-- the margin falls by, without the first bins in order (at random)")
    for reading, found in falls.items():
        mean = np.mean(found, axis=0)
        told = "   ".join(
            f"{top} bins {ours:+.3f} ({chance:+.3f})"
            for top, ours, chance in zip(_TOP, mean[0], mean[1], strict=True)
        )
        print(f"{reading:<8} {told}")


def _show_curves(drawn: dict[str, list[Curves]]) -> None:
    print("-- mean margin over the whole curve, all sources: in order (at random)")
    for reading, found in drawn.items():
        mean = Curves(*np.mean([np.stack(curve) for curve in found], axis=0))
        areas = mean.areas()
        print(
            f"{reading:<8} deletion {areas[0]:.3f} ({areas[1]:.3f})   insertion {areas[2]:.3f} "
            f"({areas[3]:.3f})   from {mean.deleted[0]:.3f} to {mean.deleted[-1]:.3f}"
        )
        shown = slice(None, None, 4)
        for title, curve in zip(("deleted", "at random"), mean[:2], strict=True):
            print(f"         {title:<10}" + " ".join(f"{v:7.3f}" for v in curve[shown]))


def main() -> None:
    """Study the three networks."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("camvid", nargs="?", type=Path, help="folder of CamVid's 11 classes")
    options.add_argument("--images", type=int, default=101)
    options.add_argument("--scenes", type=int, default=48)
    options.add_argument("--pixels", type=int, default=40, help="random pixels an image")
    chosen = options.parse_args()
    if chosen.camvid is not None:
        frames = camvid(chosen.camvid, chosen.images)
        bundled = Predictor.load(places.bundled_model(), "cpu", "fp32")
        study("bundled PSPNet on CamVid val", bundled, frames, chosen.pixels)
    for kind in ("pspnet", "fcn"):
        network = Predictor.load(places.context_lab_model(kind), "cpu", "fp32")
        study(f"context lab, {kind}", network, lab(chosen.scenes), chosen.pixels)


if __name__ == "__main__":
    main()
