"""The demo: one page that needs nothing from elsewhere, and a sweep whose numbers can be counted by hand."""

import json
import re
from importlib import import_module

import numpy as np
import pytest

from posewright import demo, picture
from posewright.codecs.distribution import Distribution
from posewright.datasets.synthetic import world
from posewright.demo.figure import curves, losses
from posewright.demo.sweep import RADII, Sweep, crops_of, disc, loss, share, sweep
from posewright.estimators.runtimes.network import Network
from posewright.estimators.top_down import TopDown
from posewright.fields import Heatmaps
from posewright.picture import PictureError
from posewright.report.page import Section, write_page
from posewright.scene import HIDDEN, Crop
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
    monkeypatch.setattr(import_module("posewright.demo.sweep"), "DRAWS", 20)


def untracked(items, total):  # noqa: ARG001
    return items


def test_the_page_shows_the_photograph_first_and_everything_it_names_is_there(tmp_path, estimator, small):  # noqa: ARG001
    photo = tmp_path / "me & you.png"
    picture.write(photo, world(1, 5)[0].pixels())
    page = demo.write_demo(tmp_path / "out", estimator, [photo])
    text = page.read_text(encoding="utf-8")
    titles = re.findall("<h2>(.*?)</h2>", text)
    assert titles[0] == "me &amp; you.png"
    assert titles[1:] == ["Estimates", "Scores", "A first occlusion sweep", "What it looks like", "What next"]
    for name in re.findall('src="(.*?)"', text):
        assert (tmp_path / "out" / name).stat().st_size > 0
    assert "http" not in text
    assert "0123abcd" in text
    assert not list((tmp_path / "out").rglob(".*"))


def test_the_files_beside_the_page_carry_numbers_and_protocol(tmp_path, estimator, small):  # noqa: ARG001
    demo.write_demo(tmp_path, estimator)
    for name in ("scores.json", "scores_oks.json"):
        written = json.loads((tmp_path / name).read_text())
        assert written["protocol"]["data"] == "synthetic world, seed 2026, 1 or 2 people a picture"
        assert written["protocol"]["weights"] == "0123abcd"
        assert all(0 <= value <= 1 or np.isnan(value) or value == -1 for value in written["scores"].values())
    swept = json.loads((tmp_path / "sweep.json").read_text())
    assert swept["protocol"]["people"] == 3, "of the four people drawn one shows no torso to measure by"
    assert swept["PCK by radius"].keys() == {"0", *map(str, RADII)}
    for low, middle, high in (
        (value[1], value[0], value[2]) for each in swept["PCK by radius"].values() for value in each.values()
    ):
        assert 0 <= low <= high <= 1
        assert 0 <= middle <= 1
    assert (tmp_path / "world" / "annotations.json").is_file()


def test_a_photo_that_is_none_is_refused_before_anything_is_written(tmp_path, estimator):
    with pytest.raises(PictureError, match="no such file"):
        demo.write_demo(tmp_path / "out", estimator, [tmp_path / "nobody.jpg"])
    assert not (tmp_path / "out").exists()


def by_hand(asked, clean, covered):
    """A sweep over LSP in which only the first keypoints matter."""

    def wide(hits):
        return np.pad(hits, [(0, 0)] * (hits.ndim - 1) + [(0, 14 - hits.shape[-1])])

    full = np.zeros((1, 14, *clean.shape[:1], 14), bool)
    full[0, : covered.shape[0]] = wide(covered)
    return Sweep(LSP, wide(asked), wide(clean), full)


def test_the_sweep_counts_the_covered_keypoint_apart_from_the_others():
    asked = np.array([[1, 1, 1], [1, 1, 0]], bool)
    clean = np.array([[1, 1, 0], [1, 0, 0]], bool)
    covered = np.array([[[0, 1, 0], [1, 0, 0]], [[1, 0, 0], [1, 0, 0]], [[1, 1, 0], [1, 0, 1]]], bool)
    found = by_hand(asked, clean, covered)
    hits, count = found.itself(found.covered[0])
    np.testing.assert_array_equal(hits[:, :3], [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(count[:, :3], asked)
    hits, count = found.others(found.covered[0])
    np.testing.assert_array_equal(hits[:, :3], [[1, 1, 2], [0, 1, 0]])
    np.testing.assert_array_equal(count[:, :3], [[2, 2, 2], [1, 1, 0]])
    hits, _ = found.itself(found.without())
    np.testing.assert_array_equal(hits[:, :3], clean & asked)
    own, rest = losses(found)
    np.testing.assert_allclose(own[0][:3], [1 / 2, 1 / 2, 0])
    np.testing.assert_allclose(rest[0][:3], [0, 0, 0])
    under, others = curves(found)
    assert under[0][0] == pytest.approx(3 / 5)
    assert under[1][0] == pytest.approx(1 / 5)
    assert others[0][0] == others[1][0] == pytest.approx(5 / 8)


def test_an_interval_holds_its_share_and_narrows_with_more_people(rng):
    few, many = (rng.random((count, 1)) < 0.7 for count in (20, 2000))
    wide, narrow = (share(hits.astype(int), np.ones_like(hits, int), rng) for hits in (few, many))
    for middle, low, high in (wide, narrow):
        assert low[0] < middle[0] < high[0]
    assert narrow[2][0] - narrow[1][0] < (wide[2][0] - wide[1][0]) / 4
    assert narrow[1][0] < 0.7 < narrow[2][0]


def test_a_loss_is_of_the_same_people_so_that_equal_answers_lose_exactly_nothing(rng):
    hits = (rng.random((50, 3)) < 0.5).astype(int)
    for values in loss(hits, hits, np.ones_like(hits), rng):
        np.testing.assert_array_equal(values, 0)


def test_the_sweep_leaves_out_who_is_too_small_and_asks_the_network_of_covered_crops(estimator):
    scenes = world(6, 3, skeleton=LSP)
    crops = crops_of(scenes, estimator, 5)
    assert 0 < len(crops) <= 5
    found = sweep(estimator, crops, untracked)
    assert found.covered.shape == (len(RADII), 14, len(crops), 14)
    assert found.clean.shape == found.asked.shape == (len(crops), 14)
    assert (found.covered != found.clean).any()


def test_a_disc_scales_with_the_crop_and_hides_its_keypoint(estimator):
    crop = next(c for c in crops_of(world(6, 3, skeleton=LSP), estimator, 5) if c.people[0].visible[0] > HIDDEN)
    covered: Crop = disc(crop, LSP.keypoints[0], 18)
    changed = (covered.pixels != crop.pixels).any(-1)
    rows, columns = np.nonzero(changed)
    x, y = crop.people[0].keypoints[0]
    assert changed.any()
    assert np.hypot(columns - x, rows - y).max() <= 18 * 64 / 192
    assert covered.people[0].visible[0] == HIDDEN


def test_a_page_escapes_what_it_is_given(tmp_path):
    section = Section("<b>", "a & b", ["x y.png"], [("<i>", "1")], [("<u>", "2")], ["ls > out"])
    text = write_page(tmp_path / "p.html", "<t>", "<lead>", [("<tile>", "<0>")], [section]).read_text()
    for raw in ("<b></h2>", "<i>", "<u>", "<t>", "<lead>", "<tile>", "<0>", "ls > out"):
        assert raw not in text
    assert 'src="x%20y.png"' in text
