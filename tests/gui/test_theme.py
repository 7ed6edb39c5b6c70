"""Theme, colour maps and icons: what can be read, what is symmetric, what follows a change."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QIcon, QImage, QPalette
from PySide6.QtWidgets import QDialog, QPushButton

from pspgui.gui import colours, icons
from pspgui.gui.theme import (
    DARK,
    LIGHT,
    THEMES,
    apply_theme,
    choose_theme,
    current_theme,
    quiet_font,
    text_font,
)


@pytest.fixture
def themed(qapp):
    """Put the dark theme back after the test."""
    yield qapp
    apply_theme(qapp, DARK)


def contrast(first, second):
    """The contrast ratio of WCAG 2."""

    def luminance(colour):
        rgb = np.array(QColor(colour).getRgbF()[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_text_can_be_read_on_every_surface(theme):
    for ground in (theme.base, theme.panel, theme.raised, theme.selected):
        assert contrast(theme.text, ground) >= 7
        assert contrast(theme.quiet, ground) >= 3.9
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.accent, theme.panel) >= 3


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_applying_a_theme_reaches_palette_and_text(themed, theme):
    apply_theme(themed, theme)
    assert current_theme() is theme
    palette = themed.palette()
    assert palette.color(QPalette.ColorRole.WindowText) == QColor(theme.text)
    assert palette.color(QPalette.ColorRole.Window) == QColor(theme.panel)


def test_a_choice_by_name_and_the_system(themed):
    assert choose_theme(themed, "light") is LIGHT
    assert choose_theme(themed, "dark") is DARK
    assert choose_theme(themed, "system") in THEMES


def test_quiet_text_is_smaller(themed, qtbot):
    from PySide6.QtWidgets import QLabel

    label = QLabel()
    qtbot.addWidget(label)
    assert quiet_font(label).pixelSize() < text_font(label).pixelSize()


@pytest.mark.parametrize("theme", THEMES, ids=lambda t: t.name)
def test_evidence_colours_are_neutral_at_zero_and_signed_at_the_ends(theme):
    lut = colours.diverging_lut(theme).astype(int)
    neutral = np.array(QColor(theme.neutral).getRgb()[:3])
    assert np.abs(lut[[127, 128]] - neutral).max() <= 4
    assert lut[0, 2] > lut[0, 0] and lut[-1, 0] > lut[-1, 2]
    assert np.abs(np.diff(lut, axis=0)).max() <= 6

    rgb = colours.signed_rgb(np.array([[-2.0, 0.0, 2.0, 9.0]]), 2.0, theme)[0].astype(int)
    assert (rgb[0] == lut[0]).all() and (rgb[2] == lut[-1]).all() and (rgb[3] == lut[-1]).all()
    assert np.abs(rgb[1] - neutral).max() <= 4


def test_the_sequential_map_grows_lighter_without_steps():
    lut = colours.sequential_lut().astype(float)
    lightness = lut @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) >= -0.5).all() and lightness[-1] > 200 > 40 > lightness[0]
    assert np.abs(np.diff(lut, axis=0)).max() <= 6


def test_values_outside_and_missing_ones_are_clipped():
    lut = colours.sequential_lut()
    rgb = colours.to_rgb(np.array([[-5.0, np.nan, 5.0]]), lut, 0.0, 1.0)[0]
    assert (rgb[0] == lut[0]).all() and (rgb[1] == lut[0]).all() and (rgb[2] == lut[-1]).all()
    assert (colours.to_rgb(np.ones((2, 2)), lut, 1.0, 1.0) == lut[0]).all()


@pytest.mark.parametrize(
    ("value", "limit"), [(0.0, 1.0), (0.97, 1.0), (1.0, 1.0), (1.2, 1.5), (4.1, 5.0), (0.021, 0.03)]
)
def test_scales_end_at_round_numbers(value, limit):
    assert colours.nice_limit(value) == pytest.approx(limit)


def test_icons_take_the_theme_at_the_moment_of_painting(themed):
    eye = icons.icon("mdi6.eye-outline")
    shades = []
    for theme in (DARK, LIGHT):
        apply_theme(themed, theme)
        image = eye.pixmap(QSize(32, 32)).toImage().convertToFormat(QImage.Format.Format_ARGB32)
        drawn = [image.pixelColor(x, y) for x in range(32) for y in range(32)]
        solid = [c for c in drawn if c.alpha() > 240]
        assert 20 < len(solid) < 600
        shades.append(solid[0].lightness())
    assert shades[0] > 200 > 60 > shades[1]


def test_icons_are_sharp_at_twice_the_scale_and_dim_when_disabled(themed):
    apply_theme(themed, DARK)
    eye = icons.icon("eye-outline")
    assert eye.pixmap(QSize(18, 18), 2.0).width() == 36
    image = eye.pixmap(QSize(32, 32), QIcon.Mode.Disabled).toImage()
    drawn = [image.pixelColor(x, y) for x in range(32) for y in range(32)]
    assert {c.name() for c in drawn if c.alpha() == 255} == {DARK.disabled}


def test_an_unknown_icon_is_an_error_that_names_it():
    with pytest.raises(icons.IconError, match="no-such-thing"):
        icons.icon("no-such-thing")


def test_a_button_that_cannot_be_pressed_does_not_look_as_if(qtbot, qapp):
    apply_theme(qapp, DARK)
    dialog = QDialog()
    button = QPushButton("", dialog, default=True)
    button.resize(80, 32)
    qtbot.addWidget(dialog)
    dialog.show()
    colours = []
    for enabled in (True, False):
        button.setEnabled(enabled)
        colours.append(button.grab().toImage().pixelColor(40, 16).name())

    assert colours == [DARK.accent, DARK.raised]
