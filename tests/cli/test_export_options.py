"""What `--split` and its companions mean."""

from __future__ import annotations

import pytest

from pspgui.cli.export_options import export_options


def test_a_split_is_a_name_or_a_share():
    assert export_options() == (None, export_options("val")[1])
    assert export_options("val")[0] == "val"
    name, options = export_options("0.8", group="sequence", images="link", first_value=1)
    assert name is None and options.train_share == 0.8 and options.group == "sequence"
    assert options.images == "link" and options.first_value == 1


@pytest.mark.parametrize("split", ["0", "1", "1.5", "-0.2", "nan", "inf", "80"])
def test_a_share_lies_between_nothing_and_all(split):
    with pytest.raises(ValueError, match=r"above 0 and below 1, such as 0\.8"):
        export_options(split)


@pytest.mark.parametrize("split", [None, "val"])
def test_groups_need_a_share(split):
    with pytest.raises(ValueError, match="--group sequence needs a share"):
        export_options(split, group="sequence")
