"""The quick order of a folder's images is the order of `natural_key`."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pspgui.imaging.listing import _plain_key, natural_key

names = st.lists(
    st.text(st.sampled_from("aAbB01239._-²é ß/"), min_size=1, max_size=8).map(
        lambda text: text.strip("/.") or "x"
    ),
    max_size=8,
)


@given(names)
def test_the_plain_key_sorts_as_the_natural_one(found):
    paths = [Path("/d1") / name for name in found]
    texts = [str(path) for path in paths]
    assert sorted(texts, key=_plain_key(len("/d1/"))) == [
        str(path) for path in sorted(paths, key=natural_key)
    ]
