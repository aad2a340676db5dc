"""The demo: one page that needs nothing from elsewhere, and a study beside it."""

import json
import re

import numpy as np
import pytest

from posewright import demo, picture
from posewright.codecs.distribution import Distribution
from posewright.datasets.synthetic import world
from posewright.estimators.runtimes.network import Network
from posewright.estimators.top_down import TopDown
from posewright.fields import Heatmaps
from posewright.picture import PictureError
from posewright.report.page import Section, write_page
from posewright.robustness import read_study
from posewright.skeleton import LSP

CODEC = Distribution(LSP, (64, 64))


def brightness(pixels):
    """Answer with maps that follow the picture: keypoint k where the picture looks most like tone 18 k."""
    small = pixels.reshape(len(pixels), 16, 4, 16, 4, 3).mean((2, 4, 5))
    tones = 18.0 * np.arange(14)[None, :, None, None]
    return [Heatmaps(-np.abs(small[:, None] - tones).astype(np.float32) / 9)]


@pytest.fixture
def estimator():
    return TopDown(Network(brightness, CODEC, protocol={"weights": "0123abcd"}), CODEC)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(demo, "PICTURES", 4)
    monkeypatch.setattr(demo, "PEOPLE", 4)
    monkeypatch.setattr(demo, "SHOWN", 2)
    monkeypatch.setattr(demo, "DRAWS", 20)


def test_the_page_shows_the_photograph_first_and_everything_it_names_is_there(tmp_path, estimator, small):  # noqa: ARG001
    photo = tmp_path / "me & you.png"
    picture.write(photo, world(1, 5)[0].pixels())
    page = demo.write_demo(tmp_path / "out", estimator, [photo])
    text = page.read_text(encoding="utf-8")
    titles = re.findall("<h2>(.*?)</h2>", text)
    assert titles[0] == "me &amp; you.png"
    assert titles[1:4] == ["Groups", "Estimates", "Scores"]
    assert titles[4].startswith("One keypoint covered")
    assert titles[5].startswith("Discs of 18 px")
    assert titles[-2:] == ["The study", "What next"]
    assert (tmp_path / "out" / "study" / "report.html").is_file()
    for name in re.findall('src="(?!data:)(.*?)"', text):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert "0123abcd" in text
    assert not list((tmp_path / "out").rglob(".*"))


def test_the_files_beside_the_page_carry_numbers_and_protocol(tmp_path, estimator, small):  # noqa: ARG001
    demo.write_demo(tmp_path, estimator)
    (written,) = json.loads((tmp_path / "scores.json").read_text())["files"]
    assert list(written["metrics"]) == ["pck", "oks_ap"]
    for told in written["metrics"].values():
        assert told["protocol"]["data"] == "synthetic world, seed 2026, 1 or 2 people a picture"
        assert told["protocol"]["weights"] == "0123abcd"
        assert all(one["value"] is None or 0 <= one["value"] <= 1 for one in told["scores"].values())
    found = read_study(tmp_path / "study")
    assert found.protocol["people"] == 4
    assert {attack.radius for attack in found.attacks if attack.kind == "radii"} == {6, 10, 14, 18}
    assert len([attack for attack in found.attacks if attack.kind == "keypoints"]) == len(LSP)
    assert (tmp_path / "world" / "annotations.json").is_file()


def test_a_photo_that_is_none_is_refused_before_anything_is_written(tmp_path, estimator):
    with pytest.raises(PictureError, match="no such file"):
        demo.write_demo(tmp_path / "out", estimator, [tmp_path / "nobody.jpg"])
    assert not (tmp_path / "out").exists()


def test_a_page_escapes_what_it_is_given(tmp_path):
    section = Section("<b>", "a & b", ["x y.png"], [("<i>", "1")], [("<u>", "2")], ["ls > out"])
    text = write_page(tmp_path / "p.html", "<t>", "<lead>", [("<tile>", "<0>")], [section]).read_text()
    for raw in ("<b></h2>", "<i>", "<u>", "<t>", "<lead>", "<tile>", "<0>", "ls > out"):
        assert raw not in text
    assert 'src="x%20y.png"' in text
