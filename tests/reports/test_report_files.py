"""Reports: their numbers add up, their text is escaped, they are readable, and twice the same."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from every_kind import predictor
from oracles import picture
from PIL import Image

from pspgui.evidence import evidence_of, opened
from pspgui.labels.classes import table
from pspgui.reports.contents import Contents, context_of, facts_of, heading_of, pin_of, placed
from pspgui.reports.files import KINDS, check_path, report_bytes, write_report

PIXELS = [(20, 33), (0, 69)]
AWKWARD = "a <script>alert('1')</script> & $x_1$ 道路"


def one_pin(evidence, number, pixel, reading):
    found = evidence.at(pixel, None, reading)

    def cells(source):
        return placed(opened(evidence, pixel, source, found.target), evidence.activations)

    return pin_of(str(number), found, evidence.at(pixel, found.target), cells)


def contents_of(name, reading="split", pixels=PIXELS):
    found = predictor(name)
    image = picture(45, 70)
    known = found.set_image(image)
    evidence, labels = evidence_of(known, found.weights), found.predict(known).labels
    names = [AWKWARD, "road", "tree", "sky"]
    classes = table(*((n, (60 * i, 90, 200 - 40 * i)) for i, n in enumerate(names)))
    return Contents(
        title=f"{AWKWARD}.png", pixels=image, labels=labels, table=classes,
        pins=tuple(one_pin(evidence, i, p, reading) for i, p in enumerate(pixels, start=1)),
        facts=facts_of("a.png", b"content", (45, 70), found.spec, Path("w"), "digest", "cpu",
                       reading, "zero"),
        command=f"pspgui explain '{AWKWARD}'", context=context_of(evidence),
        spec='{"a": "<b>"}', notes=("A note & more.",),
    )  # fmt: skip


@pytest.fixture(scope="module")
def contents():
    return contents_of("pspnet")


@pytest.fixture(scope="module")
def page(contents):
    return report_bytes(contents, "html").decode()


class Reader(HTMLParser):
    """Collects tags, amounts by pin, and text."""

    def __init__(self):
        super().__init__()
        self.tags, self.amounts, self.sums, self.logits, self.text = [], {}, [], [], []
        self.pin = None

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.pin = given.get("data-pin", self.pin)
        if "data-value" in given:
            self.amounts.setdefault(self.pin, []).append(float(given["data-value"]))
        if "data-sum" in given:
            self.sums.append(float(given["data-sum"]))
        if "data-logit" in given:
            self.logits.append(float(given["data-logit"]))

    def handle_data(self, text):
        self.text.append(text)


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


def test_numbers_in_the_page_add_up_to_the_logit(contents, page):
    found = read(page)

    assert list(found.amounts) == ["1", "2"]
    for pin, values, total, logit in zip(
        contents.pins, found.amounts.values(), found.sums, found.logits, strict=True
    ):
        assert logit == pin.found.logit
        assert sum(values) == pytest.approx(total, abs=1e-6)
        assert total == pytest.approx(logit, abs=1e-5)
        reachable = [s.value for s in pin.found.sources if s.reachable]
        assert values == [pin.found.constant, *reachable]


def test_text_is_escaped_and_nothing_comes_from_outside(contents, page):
    found = read(page)

    assert "<script>" not in page
    assert {tag for tag, _ in found.tags}.isdisjoint({"script", "link", "iframe", "object"})
    sources = [given["src"] for _, given in found.tags if "src" in given]
    assert sources and all(s.startswith("data:image/svg+xml;base64,") for s in sources)
    assert all("href" not in given for _, given in found.tags)
    text = "".join(found.text)
    for wanted in (AWKWARD, "digest", "A note & more.", '{"a": "<b>"}', "SHA-256"):
        assert wanted in text
    assert contents.context.whole.sentence() in text
    for _, given in found.tags:
        if "alt" in given:
            assert unescape(given["alt"])


def test_drawings_in_the_page_are_drawings(page):
    for encoded in re.findall(r"base64,([^\"]+)", page):
        root = ET.fromstring(base64.b64decode(encoded))
        assert root.tag.endswith("svg")
        assert not root.findall(".//{http://www.w3.org/2000/svg}script")


@pytest.mark.parametrize("kind", [k[1:] for k in KINDS])
def test_the_same_contents_give_the_same_bytes(contents, kind):
    one = replace(contents, pins=contents.pins[:1])

    assert report_bytes(one, kind) == report_bytes(one, kind)


def test_pictures_can_be_read_and_are_not_empty(contents, tmp_path):
    write_report(contents, tmp_path / "a.PNG")
    with Image.open(tmp_path / "a.PNG") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] > 1500
    assert pixels.std(axis=(0, 1)).min() > 10
    svg = ET.fromstring(report_bytes(contents, "svg"))
    assert svg.findall(".//{http://www.w3.org/2000/svg}image")
    assert not svg.findall(".//{http://purl.org/dc/elements/1.1/}date")


def test_a_pdf_has_a_page_for_all_and_one_for_each_pin_and_its_fonts(contents):
    written = report_bytes(contents, "pdf")

    assert written.startswith(b"%PDF-")
    assert written.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type /Page\b", written)) == 1 + len(contents.pins)
    assert b"/FontFile2" in written
    assert b"CreationDate" not in written


@pytest.mark.parametrize(
    ("name", "reading"),
    [("pspnet", "ablate"), ("pspnet", "ig"), ("pspnet", "shapley"), ("deeplab", "split"),
     ("dilated", "ablate"), ("fcn", "split"), ("stages", "split"), ("upsample", "split")],
)  # fmt: skip
def test_every_network_and_reading_is_drawn(name, reading):
    contents = contents_of(name, reading, PIXELS[:1])

    page = report_bytes(contents, "html").decode()

    found = read(page)
    assert sum(found.amounts["1"]) == pytest.approx(found.logits[0], abs=1e-3)
    alone = contents.pins[0].found.reading == "ablate" and name == "pspnet"
    assert ("each bin silenced alone" in page) == alone == ("data-alone" in page)
    assert reading in page


def test_parts_that_do_not_add_up_are_said_plainly(contents):
    missing = replace(contents.pins[0], residual=0.02)

    page = report_bytes(replace(contents, pins=(missing, contents.pins[1])), "html").decode()

    assert "do not add up to the logit: +2.0e-02" in page
    assert page.count("do not add up") == 1


def test_a_heading_says_where_and_what(contents):
    assert heading_of(contents.pins[0], contents.table).startswith("Pin 1 at 33,20: ")


@pytest.mark.parametrize("name", ["a.txt", "a", "a.html.gz"])
def test_another_suffix_is_refused_in_a_sentence(name, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.html, \.pdf, \.png or \.svg"):
        check_path(tmp_path / name)


def test_drawing_leaves_the_librarys_settings_alone(contents):
    import matplotlib
    from matplotlib._pylab_helpers import Gcf

    before = dict(matplotlib.rcParams)
    report_bytes(contents, "svg")

    assert dict(matplotlib.rcParams) == before
    assert not Gcf.figs  # pyplot's own, which would keep every figure
