"""How much memory there is, on machines and in containers."""

from __future__ import annotations

import pytest

from pspgui.inference.memory import MemoryFiles, available_bytes, forecast_bytes
from pspgui.labels.classes import CAMVID
from pspgui.models.deeplabv3 import DeepLabV3Spec
from pspgui.models.dilated_fcn import DilatedFCNSpec
from pspgui.models.pspnet import PSPNetSpec
from pspgui.models.pspnet_upsample import PSPUpsampleSpec

GIB = 1 << 30


def system(tmp_path, **files):
    """Write files, `__` in names for `/`, and return where they are."""
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(text))
    return MemoryFiles(tmp_path / "proc", tmp_path / "cgroup")


def meminfo(free):
    return f"MemTotal: 99999999 kB\nMemFree: 1 kB\nMemAvailable: {free // 1024} kB\n"


def test_the_machine_says_what_is_available(tmp_path):
    assert available_bytes("cpu", system(tmp_path, proc__meminfo=meminfo(8 * GIB))) == 8 * GIB


def test_where_nothing_is_said_nothing_is_known(tmp_path):
    assert available_bytes("cpu", system(tmp_path)) is None
    assert available_bytes("cpu", system(tmp_path, proc__meminfo="MemTotal: 1 kB\n")) is None


def test_a_container_of_version_2_allows_less(tmp_path):
    files = {"proc__meminfo": meminfo(8 * GIB), "cgroup__memory.current": 3 * GIB}

    limited = system(tmp_path / "a", **files, **{"cgroup__memory.max": 4 * GIB})
    unlimited = system(tmp_path / "b", **files, **{"cgroup__memory.max": "max\n"})
    overdrawn = system(tmp_path / "c", **files, **{"cgroup__memory.max": 2 * GIB})
    roomy = system(tmp_path / "d", **files, **{"cgroup__memory.max": 64 * GIB})

    found = [available_bytes("cpu", s) for s in (limited, unlimited, overdrawn, roomy)]
    assert found == [GIB, 8 * GIB, 0, 8 * GIB]


def test_cached_files_of_a_container_count_as_free(tmp_path):
    files = {
        "cgroup__memory.max": 4 * GIB,
        "cgroup__memory.current": 3 * GIB,
        "cgroup__memory.stat": f"anon 5\ninactive_file {2 * GIB}\nactive_file 7\n",
    }

    assert available_bytes("cpu", system(tmp_path, **files)) == 3 * GIB


def test_a_container_of_version_1_allows_less(tmp_path):
    files = {"proc__meminfo": meminfo(8 * GIB), "cgroup__memory__memory.usage_in_bytes": GIB}

    limit = "cgroup__memory__memory.limit_in_bytes"
    limited = system(tmp_path / "a", **files, **{limit: f"{3 * GIB}\n"})
    unlimited = system(tmp_path / "b", **files, **{limit: 9223372036854771712})

    assert available_bytes("cpu", limited) == 2 * GIB
    assert available_bytes("cpu", unlimited) == 8 * GIB


def test_the_lowest_limit_above_a_group_holds(tmp_path):
    files = {
        "proc__self__cgroup": "12:cpu,cpuacct:/x\n0::/user.slice/app.scope\n",
        "cgroup__user.slice__memory.max": 2 * GIB,
        "cgroup__user.slice__memory.current": GIB,
        "cgroup__user.slice__app.scope__memory.max": 5 * GIB,
        "cgroup__user.slice__app.scope__memory.current": GIB,
    }
    assert available_bytes("cpu", system(tmp_path / "a", **files)) == GIB

    escaping = files | {"proc__self__cgroup": "0::/../../etc\n", "cgroup__memory.max": 3 * GIB,
                        "cgroup__memory.current": GIB}  # fmt: skip
    assert available_bytes("cpu", system(tmp_path / "b", **escaping)) == 2 * GIB


# What opening an image took at its peak beyond the network, by the process's resident memory:
# bytes a pixel, measured at 641 x 801 with 11 classes.
MEASURED = [
    (PSPNetSpec(classes=CAMVID, backbone="resnet50", output_stride=8), 652),
    (PSPNetSpec(classes=CAMVID, backbone="resnet18", output_stride=8), 262),
    (PSPUpsampleSpec(classes=CAMVID, backbone="resnet50"), 1784),
    (PSPUpsampleSpec(classes=CAMVID, backbone="resnet18"), 1077),
    (DeepLabV3Spec(classes=CAMVID), 490),
    (DeepLabV3Spec(classes=CAMVID, aspp_channels=512, project_kernel=3), 799),
    (DeepLabV3Spec(classes=CAMVID, backbone="mobilenet_v3_large", output_stride=16), 121),
    (DilatedFCNSpec(classes=CAMVID, convolutions=2, concat_input=True), 652),
]


@pytest.mark.parametrize(("spec", "measured"), MEASURED)
def test_the_forecast_covers_what_was_measured(spec, measured):
    assert measured <= forecast_bytes(spec, (641, 801)) / (641 * 801) < 3 * measured
