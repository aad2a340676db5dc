"""The worst occluder: a search that finds a weak spot that is known, and says no more than it has seen."""

import json
import zlib
from math import pi
from types import SimpleNamespace

import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets.synthetic import world
from posewright.occlusion import Occluder
from posewright.occlusion.fills import black
from posewright.robustness import people_for
from posewright.robustness.attacks.search import HELD_OUT, SMALLEST, Search, Spot, grid, similarity
from posewright.robustness.numbers.cases import cross_fitted, worst_keypoint
from posewright.robustness.numbers.right import rule_for
from posewright.robustness.numbers.worst import curve, nearest, worst, write_worst
from posewright.robustness.pages.body import FIGURE, density, on_figure
from posewright.robustness.pages.worst_page import cases_sheet, write_worst_page
from posewright.scene import Person
from posewright.skeleton import COCO, LSP

DRAWS = 100


class Weak:
    """Find everybody, until one certain pixel of the crop turns black: then say nonsense; count the looks."""

    skeleton = COCO

    def __init__(self, people, place=(0.6, 0.4)):
        self.people, self.looks = people, 0
        self.spots = [one.box[:2] + np.array(place) * (one.box[2:] - one.box[:2]) for one in people]

    def __call__(self, pixels, boxes):
        self.looks += 1
        n = next(n for n, one in enumerate(self.people) if np.array_equal(one.box, boxes[0]))
        x, y = np.rint(self.spots[n]).astype(int)
        truth = self.people[n].truth.keypoints
        before = self.people[n].crop.pixels[y, x]
        gone = not pixels[y, x].any() and before.any()
        return [Person(truth + 1000 if gone else truth, scores=np.full(len(truth), 0.5), score=0.5)]


@pytest.fixture(scope="module")
def people():
    return people_for(None, world(5, 3, size=(160, 128), people=(1, 2)))


@pytest.fixture(scope="module")
def found(people):
    return worst(Weak(people), people, Search(radius=30, looks=120), draws=DRAWS)


def test_it_finds_the_weak_spot(people, found):
    weak = Weak(people)
    for case in found.cases:
        n = next(n for n, one in enumerate(people) if one is case.person)
        assert case.loss[case.best] == pytest.approx(1)
        assert np.hypot(*(case.spot[:2] - np.rint(weak.spots[n]))) <= case.spot[2]
    assert found.numbers["worst"].value == pytest.approx(1)
    assert found.numbers["right_worst"].value == 0
    assert found.numbers["right"].value == 1


def test_the_worst_is_never_less_than_what_was_measured_beside_it(found):
    for case in found.cases:
        assert case.loss[case.best] == np.nanmax(case.loss)
        assert case.loss[case.best] >= np.nanmax(case.at_keypoints)
    n = found.numbers
    assert n["worst"].value >= n["own_keypoint"].value >= n["keypoint"].value
    assert found.numbers["worst - own_keypoint"].low >= 0


def test_nearby_is_what_looks_lose_that_were_held_out(people, found):
    """Each is moved by 2 to 4 % of the box; where it still lies on the weak spot all is lost, elsewhere nothing."""
    weak, lost = Weak(people), []
    for case in found.cases:
        n = next(n for n, one in enumerate(people) if one is case.person)
        side = np.sqrt(np.prod(case.person.box[2:] - case.person.box[:2]))
        away = np.hypot(*(case.nearby.spots[:, :2] - case.spot[:2]).T)
        assert len(away) == HELD_OUT
        assert ((away >= 0.02 * side - 1e-9) & (away <= 0.04 * side + 1e-9)).all()
        at = np.rint(weak.spots[n])
        lost.append([np.hypot(*(spot[:2] - at)) <= spot[2] for spot in case.nearby.spots])
        np.testing.assert_allclose(case.loss_nearby, lost[-1], atol=1e-9)
    weight = [case.asked.sum() for case in found.cases]
    assert found.numbers["nearby"].value == pytest.approx(np.average(np.mean(lost, 1), weights=weight))
    assert found.numbers["right_nearby"].value == pytest.approx(1 - found.numbers["nearby"].value)


class Fickle(Weak):
    """Say nonsense of one look in ten, whatever it shows: there is no weak place, only unlucky pixels."""

    def __call__(self, pixels, boxes):
        n = next(n for n, one in enumerate(self.people) if np.array_equal(one.box, boxes[0]))
        gone = zlib.crc32(pixels.tobytes()) % 10 == 0 and not np.array_equal(pixels, self.people[n].crop.pixels)
        truth = self.people[n].truth.keypoints
        return [Person(truth + 1000 * gone, scores=np.full(len(truth), 0.5), score=0.5)]


def test_a_search_that_found_luck_alone_is_told_by_looks_nearby(people):
    many = [one for _ in range(8) for one in people]
    found = worst(Fickle(many), many, Search(radius=30, looks=60, seed=4), draws=1).numbers
    assert found["worst"].value > 0.95
    assert found["anywhere"].value == pytest.approx(0.1, abs=0.04)
    assert found["nearby"].value == pytest.approx(0.1, abs=0.06)  # three standard errors


def test_the_keypoint_is_measured_where_it_was_not_chosen():
    """17 keypoints that all truly cost 5 points: the worst of 20 people reads too high there, not in the other half."""
    rng, plain, fitted = np.random.default_rng(1), [], []
    for seed in range(200):
        losses = rng.normal(0.05, 0.15, (20, 17))
        cases = [SimpleNamespace(at_keypoints=row, asked=np.ones(17, bool), unit=n) for n, row in enumerate(losses)]
        at = cross_fitted(cases, seed)
        assert len(set(at)) <= 2
        plain.append(losses[:, worst_keypoint(cases)].mean())
        fitted.append(losses[np.arange(20), at].mean())
    assert np.mean(plain) > 0.09
    assert np.mean(fitted) == pytest.approx(0.05, abs=3 * np.std(fitted) / np.sqrt(200))


def test_of_one_picture_there_is_no_keypoint_to_measure(people, tmp_path):
    alone = worst(Weak(people[:1]), people[:1], Search(looks=6), draws=20)
    assert np.isnan(alone.numbers["keypoint"].value)
    assert "there are no halves" in alone.protocol["keypoint"]
    assert "cross-fitted" not in write_worst_page(alone, tmp_path).read_text()
    assert json.loads(write_worst(alone, tmp_path).read_text())["numbers"]["keypoint"]["value"] is None


def test_pictures_of_one_group_are_drawn_together(people):
    scenes = [one.scene for one in people]
    plain, grouped = (
        worst(Fickle(people), people, Search(looks=6), draws=400, groups=groups)
        for groups in (None, [scene // 2 for scene in scenes])
    )
    assert grouped.numbers["worst"].value == plain.numbers["worst"].value
    assert grouped.numbers["worst"].pictures < plain.numbers["worst"].pictures
    assert grouped.protocol["groups"] == len({scene // 2 for scene in scenes})


def test_anywhere_is_the_share_of_the_box_that_the_occluder_must_stand_in(people):
    many = worst(Weak(people), people, Search(radius=18, looks=400), draws=1)
    radius = 18 * people[0].crop.pixels.shape[1] / 192
    inside = [min(1, pi * radius**2 / np.prod(one.box[2:] - one.box[:2])) for one in people]
    weight = [one.truth.labelled.sum() for one in people]
    assert many.numbers["anywhere"].value == pytest.approx(np.average(inside, weights=weight), rel=0.2)


def test_numbers_are_those_of_the_looks(found):
    n, weight = found.numbers, np.array([case.asked.sum() for case in found.cases])
    count = len(COCO)

    def mean(values):
        return float(np.average(values, weights=weight))

    for case in found.cases:
        assert (case.loss[case.best] >= case.loss[:-count]).all()
        for t in (0, case.best, len(case.loss) - 1):
            close = similarity(case.looks.keypoints[t], case.person.truth.keypoints, case.reach)
            before = similarity(case.clean, case.person.truth.keypoints, case.reach)
            if np.isfinite(case.loss[t]):
                assert case.loss[t] == pytest.approx((before - close)[case.asked].mean())
    assert n["anywhere"].value == pytest.approx(mean([case.loss[: case.cells].mean() for case in found.cases]))
    assert n["own_keypoint"].value == pytest.approx(mean([np.nanmax(case.at_keypoints) for case in found.cases]))
    assert n["worst - anywhere"].value == pytest.approx(n["worst"].value - n["anywhere"].value)
    assert n["worst - own_keypoint"].value == pytest.approx(n["worst"].value - n["own_keypoint"].value)
    assert n["hit"].value + n["collateral"].value == pytest.approx(n["worst"].value)
    assert curve(found)[-1] == pytest.approx(np.mean([case.loss[case.best] for case in found.cases]))
    assert (np.diff(curve(found)) >= 0).all()
    assert sum(nearest(found).values()) == len(found.cases)


def test_the_others_alone_leave_out_what_is_covered(people):
    search = Search(of="others", radius=30, looks=120)
    there = worst(Weak(people), people, search, draws=1)
    for case in there.cases:
        counted = case.asked & ~case.looks.covered[case.best]
        assert case.loss[case.best] == pytest.approx(counted.sum() / case.asked.sum())
    assert there.numbers["hit"].value == 0


def test_right_keypoints_can_be_what_is_lost(people):
    found = worst(Weak(people), people, Search(by="right", radius=30, looks=120), draws=1)
    assert {round(v, 9) for case in found.cases for v in case.loss[np.isfinite(case.loss)]} <= {0.0, 1.0}


def test_looks_keep_to_their_budget_and_their_bounds(people):
    weak = Weak(people)
    search = Search(looks=31, radius=10)
    there = worst(weak, people, search, draws=1)
    labelled = sum(int(one.truth.labelled.sum()) for one in people)
    assert weak.looks == len(people) * (1 + 31 + HELD_OUT) + labelled
    for case in there.cases:
        largest = 10 * case.person.crop.pixels.shape[1] / 192
        spots = case.looks.spots[: -len(COCO)]
        assert len(spots) == 31
        assert (spots[:, 2] <= largest * (1 + 1e-12)).all()
        assert (spots[:, 2] >= SMALLEST * largest * (1 - 1e-12)).all()
        assert (spots[:, :2] >= -0.5).all()
        assert (spots[:, :2] <= np.array(case.person.crop.pixels.shape[1::-1])).all()


def test_a_search_goes_on_where_it_was_and_is_not_mixed_with_another(people, tmp_path):
    first = worst(Weak(people), people, Search(looks=16), out=tmp_path, draws=DRAWS)
    for file in ("000001.npz", "000001-nearby.npz"):
        (tmp_path / "looks" / file).unlink()
    weak = Weak(people)
    again = worst(weak, people, Search(looks=16), out=tmp_path, draws=DRAWS)
    assert weak.looks == len(people) + 16 + HELD_OUT + people[1].truth.labelled.sum()
    assert first.numbers == again.numbers
    with pytest.raises(ValueError, match="holds another study, its search differs"):
        worst(weak, people, Search(looks=17), out=tmp_path)
    (tmp_path / "looks" / "000000.npz").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"000000\.npz: not an npz file"):
        worst(weak, people, Search(looks=16), out=tmp_path)


def test_disc_and_square_cover_the_same_area(people):
    crop = people[0].crop
    areas = [Spot(60.0, 80.0, 20.0, shape)(crop, np.random.default_rng()).sum() for shape in ("disc", "square")]
    assert areas == pytest.approx([pi * 400] * 2, rel=0.05)
    covered = Occluder(Spot(60.0, 80.0, 20.0, "square"), black)(crop, np.random.default_rng(0))
    assert not covered.pixels[70:90, 50:70].any()
    np.testing.assert_array_equal(covered.pixels[:, 90:], crop.pixels[:, 90:])


def test_the_grid_has_a_spot_in_every_cell(people, rng):
    one = people[0]
    spots, cell = grid(one, 5.0, 40, rng)
    places = np.floor((spots[:, :2] - np.maximum(one.box[:2], -0.5)) / cell).astype(int)
    assert len({tuple(place) for place in places}) == len(spots) <= 40
    assert len(spots) > 30


def test_similarity_is_oks_of_one_keypoint(people):
    rule = rule_for(COCO, people)
    one, sigmas = people[0], np.array(COCO.sigmas)
    found = one.truth.keypoints + 7.0
    expected = np.exp(-98 / (2 * (2 * sigmas) ** 2) / one.truth.area)
    ours = similarity(found, one.truth.keypoints, rule.reach[0])
    np.testing.assert_allclose(ours[one.truth.labelled], expected[one.truth.labelled], rtol=1e-9)
    assert not ours[~one.truth.labelled].any()


@pytest.mark.parametrize("facing", [1, -1])
def test_places_on_the_body_are_carried_over_to_the_figure(facing, rng):
    xy = np.array([FIGURE[name] for name in LSP.keypoints])
    turned = np.array([[0.6, -0.8], [0.8, 0.6]])
    person = (xy * (facing, 1)) @ turned.T * 40 + (200, 150)
    for name in ("left_wrist", "right_knee", "head_top"):
        at = np.array(FIGURE[name])
        np.testing.assert_allclose(on_figure(person[LSP.index(name)], person, LSP), at, atol=1e-9)
    for _ in range(20):
        at = xy[LSP.index("left_ankle")] + rng.uniform(-0.2, 0.2, 2)
        there = (at * (facing, 1)) @ turned.T * 40 + (200, 150)
        np.testing.assert_allclose(on_figure(there, person, LSP), at, atol=1e-9)
    assert np.isnan(on_figure(person[0], np.full_like(person, np.nan), LSP)).all()


def test_density_counts_places(rng):
    x, y = np.linspace(-3, 3, 121), np.linspace(-3, 3, 121)
    heat = density([rng.uniform(-1, 1, 2) for _ in range(5)] + [np.full(2, np.nan)], x, y, width=0.2)
    assert heat.sum() * 0.05**2 / (2 * pi * 0.2**2) == pytest.approx(5, rel=1e-3)


def test_the_page_and_its_numbers(found, tmp_path):
    content = json.loads(write_worst(found, tmp_path).read_text())
    assert content["numbers"]["worst"]["value"] == found.numbers["worst"].value
    assert len(content["people"]) == len(found.cases)
    for row, case in zip(content["people"], found.cases, strict=True):
        back = case.person.crop.warp.points([row["spot_in_picture"]["x"], row["spot_in_picture"]["y"]])
        np.testing.assert_allclose(back, case.spot[:2], atol=1e-9)
        np.testing.assert_allclose(row["spot_in_picture"]["radius"] * case.person.crop.warp.scale, case.spot[2])
    page = write_worst_page(found, tmp_path).read_text()
    assert "at least this much, a lower bound" in page
    assert page.count("<svg") == 4
    assert (tmp_path / "worst.png").is_file()
    assert cases_sheet(found).std() > 10


def test_the_command_line_searches(tmp_path, capsys):
    run = ["occlude", "worst", "--people", "2", "--looks", "6", "--out", f"{tmp_path}/w", "--draws", "20"]
    assert main(run) == 0
    assert "worst - anywhere" in capsys.readouterr().out
    assert json.loads((tmp_path / "w" / "worst.json").read_text())["protocol"]["search"]["looks"] == 6
    for wrong, said in ((["--looks", "1"], "looks must be 2 or more"), (["--radius", "0"], "radius must be px above 0"),
                        (["--people", "0"], "must be 1 or more"), (["--shape", "star"], "shape"),
                        (["--looks", "7"], "holds another study")):  # fmt: skip
        assert main([*run, *wrong]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
