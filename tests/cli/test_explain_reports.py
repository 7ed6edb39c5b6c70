"""`pspgui explain` with reports, many points and checks."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from pspgui.cli.explain_points import read_points


@pytest.fixture
def explained(command, weights):
    """Run `pspgui explain` with the small model."""

    def call(*options):
        return command("explain", *options, "--weights", weights)

    return call


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", ["html", "pdf", "png", "svg"])
def test_a_report_is_written_and_says_how_to_make_it_again(explained, images, tmp_path, suffix):
    out = tmp_path / f"out.{suffix}"

    code, told, err = explained(
        images[0], "--at", "40,30", "--at", "5,6", "--report", out, "--reading", "ig"
    )

    assert (code, err) == (0, "")
    assert str(out) in told
    assert out.stat().st_size > 10_000
    if suffix == "html":
        page = out.read_text(encoding="utf-8")
        for words in ("--at 40,30 --at 5,6", "--reading ig", "--weights", "Image SHA-256"):
            assert words in page


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--at", "40,30", "--report", "a.txt"], "must end in"),
        (["--at", "400,30", "--report", "a.png"], "outside the image"),
        (["--report", "a.png"], "--at X,Y says which"),
        (["--at", "1,2", "--report", "a.png", "--check"], "exclude each other"),
        (["--at", "1,2", "--check", "--open", "local"], "exclude each other"),
        (["--at", "1,2", "--points", "p.csv"], "leave --at and --region out"),
        (["--points", "p.csv"], "goes with the folder of its images"),
        (["--at", "1,2", "--csv", "a.csv", "--check"], "exclude each other"),
        ([], "--at X,Y says which"),
        (["--region", "1,2,3"], "is not X0,Y0,X1,Y1"),
        (["--region", "5,2,5,9"], "has no pixel"),
        (["--region", "5,2,500,9"], "outside the image"),
        (["--region", "5,2,9,9", "--check"], "leave --check out"),
        (["--check", "--reading", "split"], "leave --reading out"),
        (["--check", "--reading", "ablate"], "leave --reading out"),
        (["--check", "--class", "Car"], "leave --class and --versus out"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(explained, images, options, reason):
    code, out, err = explained(images[0], *options)

    assert (code, out, err.count("\n")) == (1, "", 1)
    assert reason in err


def test_a_report_that_cannot_be_written_is_said_in_one_line(explained, images, tmp_path):
    blocked = written(tmp_path / "file", "")

    code, _, err = explained(images[0], "--at", "1,2", "--report", blocked / "a.svg")

    assert (code, err.count("\n")) == (1, 1)
    assert "was not saved" in err


def test_many_points_are_told_a_line_each_and_bad_lines_by_number(explained, images, tmp_path):
    one, two = images[0].name, images[1].name
    points = written(
        tmp_path / "points.csv",
        "image,x,y,class,versus\n"
        f"{one},40,30,,\n{two},1,2,Road,\n{one},4000,30,,\n{one},x,2,,\n"
        f"gone.png,1,2,,\n{two},1,2,Rode,\n\n{one},2,3,Road,Tree\n",
    )
    table = tmp_path / "out.csv"

    code, out, err = explained(images[0].parent, "--points", points, "--json", "--csv", table)

    found = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [(f["line"], f["image"]) for f in found] == [(2, one), (9, one), (3, two)]
    assert [f["target"] for f in found[1:]] == ["margin over Tree", "logit"]
    for f in found:
        total = f["constant"] + sum(s["value"] for s in f["sources"])
        assert total == pytest.approx(f["logit"], abs=1e-4)
    assert [f"line {n}:" in err for n in (4, 5, 6, 7)] == [True] * 4
    assert err.count("\n") == 5 and err.endswith(f"{table} written\n")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    by_pin = {}
    for row in rows:
        by_pin[row["pin"]] = by_pin.get(row["pin"], 0.0) + float(row["value"])
    assert list(by_pin) == ["2", "9", "3"]
    for f in found:
        assert by_pin[str(f["line"])] == pytest.approx(f["logit"], abs=1e-4)


def test_every_image_is_read_once(explained, images, tmp_path, monkeypatch):
    from pspgui.inference.predictor import Predictor

    read, plain = [], Predictor.set_image
    monkeypatch.setattr(
        Predictor, "set_image", lambda self, *a, **k: read.append(a[1]) or plain(self, *a, **k)
    )
    lines = "".join(f"{image.name},{x},3\n" for x in range(3) for image in images)
    points = written(tmp_path / "points.csv", f"Image, X ,Y\n{lines}")

    code, out, _ = explained(images[0].parent, "--points", points)

    assert code == 0
    assert len(out.splitlines()) == 3 * len(images)
    assert sorted(read) == [str(image) for image in images]


def test_an_image_too_large_is_left_out_and_one_seen_reduced_told(
    explained, images, tmp_path, monkeypatch
):
    from dataclasses import replace

    from pspgui.inference.errors import ImageTooLargeError
    from pspgui.inference.predictor import Predictor

    plain = Predictor.set_image

    def set_image(self, pixels, name, *more):
        if name == str(images[0]):
            raise ImageTooLargeError("the image is too large")
        return replace(plain(self, pixels, name, *more), reduction=2)

    monkeypatch.setattr(Predictor, "set_image", set_image)
    lines = "".join(f"{image.name},1,3\n" for image in images[:2])
    points = written(tmp_path / "points.csv", f"image,x,y\n{lines}")

    code, out, err = explained(images[0].parent, "--points", points)

    assert code == 1
    assert len(out.splitlines()) == 1 and images[1].name in out
    assert "line 2: the image is too large" in err
    assert "1/2 of its size" in err


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"image,x\na.png,1\n", "no column y"), (b"", "no column image, x, y"),
     (b"\xff\xfe\x00", "not UTF-8")],
)  # fmt: skip
def test_a_file_without_points_is_refused(tmp_path, content, reason):
    path = tmp_path / "points.csv"
    path.write_bytes(content)

    with pytest.raises(ValueError, match=reason):
        list(read_points(path, lambda line, why: None))


def test_several_pixels_are_told_one_after_another(explained, images, tmp_path):
    code, out, _ = explained(
        images[0], "--at", "1,2", "--at", "3,4", "--json", "--csv", tmp_path / "a.csv"
    )

    assert code == 0
    assert len([json.loads(line) for line in out.splitlines()]) == 2
    assert (tmp_path / "a.csv").read_text().startswith("image,pin,x,y")


@pytest.mark.parametrize("option", ["--report", "--csv"])
def test_a_folder_made_for_a_file_is_named_with_it(explained, images, tmp_path, option):
    out = tmp_path / "tables" / "today" / ("out.html" if option == "--report" else "out.csv")
    ask = (images[0], "--at", "1,2", option, out)

    code, told, err = explained(*ask)
    assert (code, err) == (0, "")
    assert told.endswith(f"{out} written; its folder {out.parent} is new\n")

    assert explained(*ask)[1].endswith(f"{out} written\n")


def test_a_region_is_the_mean_of_its_pixels(explained, images, tmp_path):
    options = ("--class", "Road", "--json")
    found = json.loads(explained(images[0], "--region", "10,20,12,21", *options)[1])
    pixels = [
        json.loads(line)
        for line in explained(images[0], "--at", "10,20", "--at", "11,20", *options)[1].splitlines()
    ]

    assert (found["pixels"], found["y"]) == (2, 20)
    assert found["logit"] == pytest.approx(sum(p["logit"] for p in pixels) / 2, abs=1e-5)
    local = [p["sources"][0]["value"] for p in pixels]
    assert found["sources"][0]["value"] == pytest.approx(sum(local) / 2, abs=1e-5)
    out = tmp_path / "a.html"
    assert explained(images[0], "--region", "10,20,30,40", "--report", out)[0] == 0
    assert "400 px" in out.read_text(encoding="utf-8")
    told = json.loads(explained(images[0], "--region", "10,20,12,21", "--open", "1x1:1,1",
                                *options)[1])  # fmt: skip
    cells = told["opened"]
    assert cells["constant"] + np.sum(cells["values"]) == pytest.approx(
        told["sources"][1]["value"], abs=1e-5
    )


def test_whole_levels_are_told_by_shapley(explained, images):
    found = json.loads(explained(images[0], "--at", "1,2", "--reading", "shapley", "--json")[1])

    assert len(found["sources"]) == 5
    total = found["constant"] + sum(s["value"] for s in found["sources"])
    assert total == pytest.approx(found["logit"], abs=1e-4)


def test_checks_are_told_as_a_table_and_as_json(explained, images):
    code, out, _ = explained(images[0], "--check", "--pixels", "5")
    lines = [line for line in out.splitlines() if line.startswith(("PASS", "FAIL", "—"))]
    assert len(lines) == 10
    assert code == ("FAIL" in "".join(lines))
    assert "equality to autograd" in out

    code, out, _ = explained(images[0], "--check", "--pixels", "5", "--json")
    found = json.loads(out)
    exact = [c for c in found["checks"] if "limit" in c["numbers"] and "worst" in c["numbers"]]
    assert len(exact) == 5
    assert all(c["passed"] for c in exact)
    assert found["passed"] == (code == 0)


def test_a_check_that_fails_is_the_exit_code(explained, images, monkeypatch):
    from pspgui.evidence.psp import PSPEvidence

    plain = PSPEvidence.at

    def wrong(self, *arguments, **options):
        from dataclasses import replace

        found = plain(self, *arguments, **options)
        return replace(found, local=found.local + 1.0)

    monkeypatch.setattr(PSPEvidence, "at", wrong)

    code, out, _ = explained(images[0], "--check", "--pixels", "3")

    assert code == 1
    assert "FAIL" in out
    assert "failed: completeness, split" in out
