"""The quick order of a folder's images is the order of `natural_key`."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pspgui.imaging.listing import _naturally_sorted, natural_key

names = st.lists(
    st.text(st.sampled_from("aAbB01239._-²é ß/"), min_size=1, max_size=8).map(
        lambda text: text.strip("/.") or "x"
    ),
    max_size=8,
)


@given(names)
def test_texts_sort_as_their_paths_do(found):
    paths = [Path("/d1") / name for name in found]
    texts = [str(path) for path in paths]
    assert _naturally_sorted(texts, len("/d1/")) == [
        str(path) for path in sorted(paths, key=natural_key)
    ]
