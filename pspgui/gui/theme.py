"""The look of the window, in one place: colours, text sizes, one small style sheet.

Greys are neutral so that colour belongs to the image and the classes; there is one accent, kept
away from the blue and orange that mean evidence. Widgets read `current_theme()` when they paint
and repaint on `QEvent.PaletteChange`, so a change of theme needs no signals. GUI thread only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QLabel, QWidget

from pspgui.places import resources

GRID_PX = 8
TEXT_PX = 13
QUIET_PX = 11
ICON_PX = 18
_PROPERTY = "pspgui_theme"


@dataclass(frozen=True)
class Theme:
    """Colours as `#rrggbb`: surfaces from back to front, text, the accent, and evidence ends.

    `base` lies behind everything, `panel` under the docks, `field` inside inputs, `raised` on
    buttons; `line` separates. `sources` are the parts of the evidence bar in the order
    local, levels from coarse to fine, constant: one family told apart by lightness.
    """

    name: str
    base: str
    panel: str
    field: str
    raised: str
    hover: str
    selected: str
    line: str
    text: str
    quiet: str
    disabled: str
    accent: str
    on_accent: str
    canvas: str
    warning: str
    neutral: str
    negative: str
    positive: str
    local: str
    levels: tuple[str, ...]
    constant: str

    @property
    def is_dark(self) -> bool:
        """Whether text is lighter than the ground."""
        return self.name == "dark"


DARK = Theme(
    name="dark", base="#1f2023", panel="#27282c", field="#1f2023", raised="#323338",
    hover="#303136", selected="#37393f", line="#3a3b40", text="#e4e4e7", quiet="#9a9ba2",
    disabled="#66676d", accent="#5cbcab", on_accent="#10211e", canvas="#18191b",
    warning="#e0a458", neutral="#3b3c42", negative="#5aa9f5", positive="#f59a3c",
    local="#d5d6dc", levels=("#5a5cae", "#7b74cb", "#a08fdd", "#c9b3ee"), constant="#74757c",
)  # fmt: skip

LIGHT = Theme(
    name="light", base="#ececee", panel="#f7f7f8", field="#ffffff", raised="#ffffff",
    hover="#eeeef0", selected="#e2e3e7", line="#d4d5da", text="#1f2023", quiet="#66676e",
    disabled="#a6a7ad", accent="#0f7a6c", on_accent="#ffffff", canvas="#dcdde0",
    warning="#9a5b00", neutral="#e9e9ec", negative="#1c63b5", positive="#c25a00",
    local="#4a4b52", levels=("#37357f", "#5a53ab", "#8277cb", "#aca2e0"), constant="#a3a4ab",
)  # fmt: skip

THEMES = (DARK, LIGHT)


def current_theme() -> Theme:
    """Return the theme last applied to the application; dark before that."""
    app = QApplication.instance()
    name = app.property(_PROPERTY) if app is not None else None
    return LIGHT if name == LIGHT.name else DARK


def system_theme() -> Theme:
    """Return the theme the desktop asks for; dark when it does not say."""
    hints = QGuiApplication.styleHints()
    return LIGHT if hints.colorScheme() == Qt.ColorScheme.Light else DARK


def choose_theme(app: QApplication, choice: str) -> Theme:
    """Apply "dark", "light" or "system" (anything else counts as "system"); return the theme."""
    theme = next((t for t in THEMES if t.name == choice), None)
    hints = QGuiApplication.styleHints()
    # The hint also colours what the desktop draws for us, such as title bars.
    if theme is None:
        hints.unsetColorScheme()
        theme = system_theme()
    else:
        dark = Qt.ColorScheme.Dark if theme.is_dark else Qt.ColorScheme.Light
        hints.setColorScheme(dark)
    apply_theme(app, theme)
    return theme


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Give the application the Fusion style, the theme's palette, text size and style sheet."""
    app.setProperty(_PROPERTY, theme.name)
    if app.style().name().lower() != "fusion":
        app.setStyle("Fusion")
    font = tabular(app.font())
    font.setPixelSize(TEXT_PX)
    app.setFont(font)
    app.setPalette(palette_of(theme))
    app.setStyleSheet(_style_sheet(theme))


def palette_of(theme: Theme) -> QPalette:
    """Return the Qt palette of a theme, its disabled group included."""
    roles = QPalette.ColorRole
    colours = {
        roles.Window: theme.panel, roles.WindowText: theme.text, roles.Base: theme.field,
        roles.AlternateBase: theme.panel, roles.Text: theme.text, roles.Button: theme.raised,
        roles.ButtonText: theme.text, roles.BrightText: theme.text,
        roles.ToolTipBase: theme.raised, roles.ToolTipText: theme.text,
        roles.PlaceholderText: theme.quiet, roles.Highlight: theme.accent,
        roles.HighlightedText: theme.on_accent, roles.Link: theme.accent,
        roles.LinkVisited: theme.accent, roles.Mid: theme.line, roles.Midlight: theme.hover,
        roles.Dark: theme.line, roles.Light: theme.selected, roles.Shadow: theme.base,
        roles.Accent: theme.accent,
    }  # fmt: skip
    palette = QPalette()
    for role, colour in colours.items():
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.disabled))
    return palette


def tabular(font: QFont) -> QFont:
    """Return a copy of the font whose figures all have one width, where the font can do that."""
    copy = QFont(font)
    if hasattr(copy, "setFeature"):
        copy.setFeature(QFont.Tag("tnum"), 1)
    return copy


def text_font(widget: QWidget) -> QFont:
    """Return the normal text font with tabular figures."""
    return _sized(widget, TEXT_PX)


def quiet_font(widget: QWidget) -> QFont:
    """Return the quiet smaller font with tabular figures."""
    return _sized(widget, QUIET_PX)


def heading_font(widget: QWidget) -> QFont:
    """Return the font of headings: the normal size, half bold."""
    return _made(widget.font().family(), TEXT_PX, QFont.Weight.DemiBold)


def _sized(widget: QWidget, pixels: int) -> QFont:
    return _made(widget.font().family(), pixels, QFont.Weight.Normal)


@lru_cache(maxsize=64)
def _made(family: str, pixels: int, weight: QFont.Weight) -> QFont:
    # Made once: panels ask for their fonts at every repaint.
    font = tabular(QFont(family))
    font.setPixelSize(pixels)
    font.setWeight(weight)
    return font


class QuietLabel(QLabel):
    """A label in the quiet smaller text, that follows a change of theme."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setFont(quiet_font(self))
        self._recolour()

    def changeEvent(self, event: QEvent) -> None:
        """Take the quiet colour of the new theme when the application's style sheet changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._recolour()

    def _recolour(self) -> None:
        palette = QPalette(self.palette())
        wanted = QColor(current_theme().quiet)
        if palette.color(QPalette.ColorRole.WindowText) != wanted:
            palette.setColor(QPalette.ColorRole.WindowText, wanted)
            self.setPalette(palette)


def quiet(widget: QWidget) -> QColor:
    """Set the widget's quiet font and return the quiet text colour of the current theme."""
    widget.setFont(quiet_font(widget))
    return QColor(current_theme().quiet)


def heading(text: str, parent: QWidget | None = None) -> QLabel:
    """Return a heading without a box."""
    label = QLabel(text, parent)
    label.setFont(heading_font(label))
    return label


def _marks(theme: Theme) -> str:
    """Return the rules for the small marks that a style sheet can only take from files."""
    folder = resources() / "icons"
    rules = (
        ("chevron-down", 'QComboBox::down-arrow {{ image: url("{url}"); width: 10px; }}'),
        ("chevron-down", 'QToolButton::menu-indicator {{ image: url("{url}"); width: 10px;'
         " subcontrol-position: right center; right: 6px; }}"),
        ("chevron-down", 'QToolButton::menu-arrow {{ image: url("{url}"); width: 10px; }}'),
        ("chevron-up", 'QAbstractSpinBox::up-arrow {{ image: url("{url}"); width: 8px; }}'),
        ("chevron-down", 'QAbstractSpinBox::down-arrow {{ image: url("{url}"); width: 8px; }}'),
        ("check", 'QCheckBox::indicator:checked {{ image: url("{url}"); }}'),
        ("close", 'QDockWidget {{ titlebar-close-icon: url("{url}"); }}'),
        ("float", 'QDockWidget {{ titlebar-normal-icon: url("{url}"); }}'),
    )
    paths = ((folder / f"{name}-{theme.name}.svg", rule) for name, rule in rules)
    return "\n".join(rule.format(url=path.as_posix()) for path, rule in paths if path.is_file())


def _style_sheet(t: Theme) -> str:
    """Return the one style sheet: only what the palette and Fusion cannot say."""
    families = (_window_rules, _button_rules, _field_rules, _choice_rules, _sliding_rules)
    return "".join(rules(t) for rules in families)


def _window_rules(t: Theme) -> str:
    """Return the rules of the window, its menus and its docks."""
    return f"""
    QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.line};
               padding: 4px; }}
    QMainWindow, QStatusBar, QMenuBar {{ background: {t.base}; }}
    QMainWindow::separator {{ background: {t.base}; width: 4px; height: 4px; }}
    QMainWindow::separator:hover {{ background: {t.accent}; }}
    QStatusBar {{ border-top: 1px solid {t.line}; }}
    QStatusBar::item {{ border: 0; }}
    QMenuBar::item {{ padding: 4px 8px; background: transparent; }}
    QMenuBar::item:selected {{ background: {t.selected}; border-radius: 4px; }}
    QMenu {{ background: {t.panel}; border: 1px solid {t.line}; padding: 4px; }}
    QMenu::item {{ padding: 5px 24px 5px 12px; border-radius: 4px; }}
    QMenu::icon {{ padding-left: 8px; }}
    QMenu::item:selected {{ background: {t.selected}; }}
    QMenu::item:disabled {{ color: {t.disabled}; }}
    QMenu::separator {{ height: 1px; background: {t.line}; margin: 4px 8px; }}
    QDockWidget {{ font-weight: 600; }}
    QDockWidget::close-button, QDockWidget::float-button {{
        border: 0; border-radius: 4px; padding: 0; background: transparent; }}
    QDockWidget::close-button:hover, QDockWidget::float-button:hover {{
        background: {t.selected}; }}
    QMainWindow > QTabBar {{ font-size: {QUIET_PX}px; }}
    QMainWindow > QTabBar::tab {{ background: {t.base}; color: {t.quiet}; border: 0;
                                 border-top: 2px solid {t.base}; padding: 6px 5px; }}
    QMainWindow > QTabBar::tab:hover {{ color: {t.text}; }}
    QMainWindow > QTabBar::tab:selected {{ background: {t.panel}; color: {t.text};
                                          border-top-color: {t.accent}; }}
    QDockWidget::title {{ background: {t.panel}; padding: 8px 8px 4px 16px; text-align: left; }}
    """


def _button_rules(t: Theme) -> str:
    """Return the rules of the toolbar and of buttons."""
    return f"""
    QToolBar {{ background: {t.base}; border: 0; border-bottom: 1px solid {t.line};
               padding: 3px 8px; spacing: 2px; }}
    QToolBar::separator {{ background: {t.line}; width: 1px; margin: 6px 6px; }}
    QToolButton {{ border: 0; border-radius: 4px; padding: 5px; background: transparent; }}
    QToolButton:hover {{ background: {t.hover}; }}
    QToolButton:checked, QToolButton:pressed {{ background: {t.selected}; }}
    QToolButton:focus {{ outline: none; border: 1px solid {t.accent}; padding: 4px; }}
    QToolButton[popupMode="2"] {{ padding-right: 20px; }}
    QToolButton[popupMode="1"] {{ padding-right: 16px; }}
    QToolButton::menu-button {{ border: 0; width: 14px; background: transparent; }}
    QToolButton#qt_toolbar_ext_button {{ padding: 0; min-width: 18px; }}
    QPushButton {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 4px;
                  padding: 5px 14px; }}
    QPushButton:hover {{ background: {t.selected}; }}
    QPushButton:pressed {{ background: {t.hover}; }}
    QPushButton:focus {{ border-color: {t.accent}; }}
    QPushButton:disabled {{ color: {t.disabled}; }}
    QPushButton:default, QPushButton[primary="true"] {{
        background: {t.accent}; color: {t.on_accent}; border-color: {t.accent}; }}
    QPushButton:default:disabled, QPushButton[primary="true"]:disabled {{
        background: {t.raised}; color: {t.disabled}; border-color: {t.line}; }}
    QPushButton[primary="true"]:focus {{ border-color: {t.text}; }}
    """


def _field_rules(t: Theme) -> str:
    """Return the rules of fields and ticks."""
    return f"""
    QLineEdit, QPlainTextEdit {{
        background: {t.field}; border: 1px solid {t.line}; border-radius: 4px;
                padding: 4px 6px; selection-background-color: {t.accent}; }}
    QLineEdit:focus, QPlainTextEdit:focus {{ border-color: {t.accent}; }}
    QAbstractSpinBox {{ background: {t.field}; border: 1px solid {t.line}; border-radius: 4px;
        padding: 3px 4px; selection-background-color: {t.accent}; }}
    QAbstractSpinBox:focus {{ border-color: {t.accent}; }}
    QAbstractSpinBox:disabled {{ color: {t.disabled}; background: transparent; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
        subcontrol-origin: border; width: 16px; border: 0; background: transparent; }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; top: 2px; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; bottom: 2px; }}
    QCheckBox, QRadioButton {{ spacing: 8px; }}
    QCheckBox::indicator, QRadioButton::indicator {{ width: 14px; height: 14px;
        background: {t.field}; border: 1px solid {t.quiet}; border-radius: 3px; }}
    QRadioButton::indicator {{ border-radius: 8px; }}
    QCheckBox::indicator:hover, QRadioButton::indicator:hover,
    QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {t.accent}; }}
    QCheckBox::indicator:checked {{ background: {t.accent}; border-color: {t.accent}; }}
    QRadioButton::indicator:checked {{ width: 6px; height: 6px; border: 5px solid {t.accent};
        background: {t.on_accent}; }}
    QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{
        border-color: {t.line}; background: transparent; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QDialogButtonBox, QMessageBox {{ button-layout: 0; }}
    """


def _choice_rules(t: Theme) -> str:
    """Return the rules of boxes to choose from, and of the marks that files hold."""
    return f"""
    QComboBox {{ background: {t.raised}; border: 1px solid {t.line}; border-radius: 4px;
                padding: 4px 6px; }}
    QComboBox::drop-down {{ border: 0; width: 20px; }}
    {_marks(t)}
    QComboBox:hover {{ background: {t.selected}; }}
    QComboBox:focus {{ border-color: {t.accent}; }}
    QComboBox:disabled {{ color: {t.quiet}; background: transparent; }}
    QComboBox QAbstractItemView {{ background: {t.panel}; border: 1px solid {t.line};
        selection-background-color: {t.selected}; selection-color: {t.text}; }}
    """


def _sliding_rules(t: Theme) -> str:
    """Return the rules of what slides and scrolls."""
    return f"""
    QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {t.line}; }}
    QSlider::sub-page:horizontal {{ height: 4px; border-radius: 2px; background: {t.quiet}; }}
    QSlider::handle:horizontal {{ width: 12px; height: 12px; margin: -4px 0; border-radius: 6px;
        background: {t.text}; }}
    QSlider::handle:horizontal:hover, QSlider::handle:horizontal:focus {{
        background: {t.accent}; }}
    QAbstractItemView {{ border: 0; outline: none; background: {t.panel}; }}
    QScrollArea {{ border: 0; background: transparent; }}
    QProgressBar {{ background: {t.line}; border: 0; border-radius: 2px; max-height: 4px; }}
    QProgressBar::chunk {{ background: {t.accent}; border-radius: 2px; }}
    QScrollBar {{ background: transparent; border: 0; }}
    QScrollBar:vertical {{ width: 10px; }}
    QScrollBar:horizontal {{ height: 10px; }}
    QScrollBar::handle {{ background: {t.line}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:hover {{ background: {t.disabled}; }}
    QScrollBar::handle:vertical {{ min-height: 32px; }}
    QScrollBar::handle:horizontal {{ min-width: 32px; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """
