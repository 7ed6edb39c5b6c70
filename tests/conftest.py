"""What every test stands on: no screen, no network, no one's own settings, no thread left over."""

from __future__ import annotations

import functools
import gc
import os
import sys
import threading
from pathlib import Path

# Before Qt is imported by anything.
os.environ["QT_QPA_PLATFORM"] = "offscreen"
# Before torch is: its threads fight over the few cores of a test machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

# A busy machine is no failure of an identity.
hypothesis_settings.register_profile(
    "pspgui", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile(
    "nightly", parent=hypothesis_settings.get_profile("pspgui"), max_examples=200,
    stateful_step_count=50,
)
hypothesis_settings.load_profile(os.environ.get("PSPGUI_PROFILE", "pspgui"))

# The collector runs on whichever thread allocates, and a widget that a worker frees takes the
# process with it: see pspgui/gui/garbage.py. Here it runs between tests.
gc.disable()

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data and weights beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the reference folder ../shared is not there")
    return SHARED


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory, monkeypatch):
    """Give every test a home of its own, so that it reads and writes no user's files."""
    home = tmp_path_factory.mktemp("home")
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setattr("pspgui.places.user_folder", lambda: home / "pspgui")
    settings = _qt_settings()
    if settings is not None:
        settings.setPath(settings.Format.IniFormat, settings.Scope.UserScope, str(home))
    return home


def _qt_settings():
    """Return QSettings where PySide6 is installed; the command line is tested without it too."""
    try:
        from PySide6.QtCore import QSettings
    except ImportError:
        return None
    return QSettings


@pytest.fixture(autouse=True, scope="session")
def nothing_old_is_garbage():
    """Spare the collector what is imported already."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    """Let the collector see everything again, so that libraries can tell that nothing leaked."""
    gc.unfreeze()
    gc.enable()


@pytest.fixture(autouse=True)
def same_weights():
    """Draw the same random weights in a test, whichever tests ran before in its process.

    And on as many cores: a model that a window loads takes all there are, for all that follows.
    """
    if "torch" in sys.modules:
        import torch  # which waits where another thread is still at it

        torch.manual_seed(0)
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"].partition(",")[0] or 1))


@pytest.fixture(autouse=True, scope="session")
def no_stepping_back():
    """Let the model's threads be no nicer than others, which starves them on a busy machine."""
    try:
        from pspgui.gui import engine_thread
    except ImportError:  # the command line is tested without Qt too
        return
    engine_thread._NICENESS = 0


@pytest.fixture
def qtbot(qtbot):
    """Let whatever is waited for take its time: a busy machine is no failure of the window."""
    for name in ("waitUntil", "waitSignal", "waitExposed"):
        setattr(qtbot, name, functools.partial(getattr(qtbot, name), timeout=60_000))
    return qtbot


@pytest.fixture(autouse=True)
def dialogs_are_answered(monkeypatch):
    """Fail where a dialog asks and nobody answers for a minute: it would wait for ever."""
    widgets = sys.modules.get("PySide6.QtWidgets")
    if widgets is None:
        return
    from PySide6.QtCore import QTimer

    wait = widgets.QDialog.exec

    def wait_a_minute(dialog):
        late = QTimer(singleShot=True, interval=60_000)
        late.timeout.connect(dialog.reject)
        late.start()
        answer = wait(dialog)
        words = dialog.text() if isinstance(dialog, widgets.QMessageBox) else dialog.windowTitle()
        assert late.isActive(), f"nobody answered {type(dialog).__name__}: {words}"
        return answer

    monkeypatch.setattr(widgets.QDialog, "exec", wait_a_minute)


_tests = 0


@pytest.fixture(autouse=True)
def garbage():
    """Collect garbage on this thread, where widgets may be freed; the oldest now and then."""
    global _tests
    yield
    _tests += 1
    gc.collect(2 if _tests % 25 == 0 else 1)


@pytest.fixture
def no_threads_left():
    """Fail a test that leaves a thread running, and name it."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.daemon and t.is_alive()]
    left += [t for t in threading.enumerate() if t not in before and t.name.startswith("pspgui")]
    assert not left, f"threads left running: {[t.name for t in left]}"


@pytest.fixture
def no_qthreads_left():
    """Fail a test that leaves a QThread running: dropping one ends the process."""
    import gc

    import shiboken6
    from PySide6.QtCore import QThread

    yield
    # By type(): isinstance() wakes up the lazy modules of torch, which then warn.
    threads = [t for t in gc.get_objects() if issubclass(type(t), QThread)]
    current = QThread.currentThread()
    running = [t for t in threads if shiboken6.isValid(t) and t.isRunning() and t is not current]
    names = [t.objectName() for t in running]
    for thread in running:
        if hasattr(thread, "close"):
            thread.close()
    assert not running, f"QThreads left running: {names}"
