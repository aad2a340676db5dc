"""What a score cannot tell: every warning where it is due, with its numbers, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.metrics import oks_ap, sigma_band, warnings
from posewright.scene import HIDDEN, SEEN, Person, Scene
from posewright.skeleton import AIC, COCO, H36M, LSP, MPII


def scenes(rng, skeleton=COCO, count=60, noise=3.0, **fields):
    """Return predicted and true scenes of one person each, about which there is nothing to warn of."""
    truth, predicted = [], []
    for place in range(count):
        side = (40.0, 80.0, 200.0)[place % 3]
        xy = rng.uniform(0, side, (len(skeleton), 2))
        visible = np.where(np.arange(len(skeleton)) % 2, HIDDEN, SEEN).astype(np.uint8)
        person = Person(xy, visible, box=np.array([0, 0, side, side]), area=0.6 * side**2)
        truth.append(Scene("", skeleton, (replace(person, **fields),), id=place))
        found = Person(xy + rng.normal(0, noise, xy.shape), score=float(rng.random()))
        predicted.append(Scene("", skeleton, (found,), id=place))
    return predicted, truth


def only(said):
    assert len(said) == 1, said
    assert "\n" not in said[0]
    return said[0]


def test_nothing_is_said_where_nothing_is_doubtful(rng):
    predicted, truth = scenes(rng)
    assert warnings(truth, predicted, few=20) == []
    assert warnings(truth, few=20) == []
    assert warnings(*reversed(scenes(rng, AIC, noise=0.7)), few=20) == []


def test_sigmas_that_are_a_guess(rng):
    truth = scenes(rng, LSP)[1]
    assert "guess for all 14 keypoints of lsp" in only(warnings(truth, few=20))
    assert warnings(truth, sigmas=np.full(14, 0.05), few=20) == []
    mpii = only(warnings(scenes(rng, MPII)[1], few=20))
    assert "not the data set's own" in mpii
    assert "MMPose" in mpii
    guessed, strange = warnings(scenes(rng, H36M)[1], few=20)
    assert "guess for all 17" in guessed
    assert "3 of these have no namesake with a published sigma: pelvis, spine, thorax" in strange
    assert "17.6 % of the labelled keypoints" in strange


def changed(truth, change):
    """Return the scenes with the fields of their one person changed: change(place, person) -> fields."""
    return [
        replace(scene, people=(replace(scene.people[0], **change(place, scene.people[0])),))
        for place, scene in enumerate(truth)
    ]


def test_areas_that_are_missing_or_a_box(rng):
    predicted, truth = scenes(rng)
    some = changed(truth, lambda place, person: {"area": None if place % 4 else person.area})
    said = only(warnings(some, predicted, few=10))
    assert "75.0 % of 60 people have no area, 1 of the box's stands in" in said
    assert "of the 15 with both, the area is 0.60 of the box's (0.60 to 0.60)" in said
    none = changed(truth, lambda *_: {"area": None})
    assert "none has both" in only(warnings(none, box_area=0.53, few=10))
    boxes = changed(truth, lambda _, person: {"area": float(np.prod(person.box[2:]))})
    assert "100.0 % of the areas are the box's own" in only(warnings(boxes, few=10))
    flat = changed(truth, lambda place, person: {"area": 0.0 if place < 3 else person.area})
    assert "3 of 60 people have an area of 0" in only(warnings(flat, few=10))


def test_visibility_that_is_not_told(rng):
    truth = scenes(rng)[1]
    silent = changed(truth, lambda place, person: {"visible": None if place < 15 else person.visible})
    assert "25.0 % of 60 people do not tell" in only(warnings(silent, few=20))
    seen = changed(truth, lambda *_: {"visible": np.full(17, SEEN, np.uint8)})
    assert "no keypoint of 60 people is marked hidden" in only(warnings(seen, few=20))


def test_groups_of_a_few(rng):
    ear = np.arange(17) == COCO.index("right_ear")

    def without_ear(place, person):
        gone = ear & (place == 0)
        return {
            "keypoints": np.where(gone[:, None], np.nan, person.keypoints),
            "visible": np.where(gone, 0, person.visible).astype(np.uint8),
        }

    said = only(warnings(changed(scenes(rng)[1], without_ear), few=60))
    assert said.endswith("medium people 20, large people 20, right_ear 59")


def test_a_score_that_saturates(rng):
    predicted, truth = scenes(rng, noise=0.0)
    near_one, alike = warnings(truth, predicted, few=20)
    assert "AP is 1.000, within 0.05 of 1" in near_one
    assert "100.0 % of the 60 matches at OKS 0.5 hold at 0.95 too" in alike


def test_too_many_predictions_and_equal_scores(rng):
    predicted, truth = scenes(rng)
    many = [replace(s, people=s.people + tuple(replace(s.people[0], score=float(x)) for x in rng.random(21)))
            for s in predicted[:2]]  # fmt: skip
    assert "4 of 102 predictions, in 2 scenes, are beyond the 20" in only(
        warnings(truth, [*many, *predicted[2:]], few=20)
    )
    equal = [replace(s, people=(replace(s.people[0], score=0.5),)) for s in predicted]
    said = only(warnings(truth, equal, few=20))
    assert "100.0 % of 60 predictions share their score" in said
    forward = oks_ap(equal, truth)["AP"]
    unnamed = [[replace(s, id=None) for s in side] for side in (equal[::-1], truth[::-1])]
    assert f"AP is {forward:.4f}, and {oks_ap(*unnamed)['AP']:.4f} with the file backwards" in said
    assert forward != oks_ap(*unnamed)["AP"]


def test_the_band_is_the_score_with_other_sigmas(rng):
    predicted, truth = scenes(rng)
    band, sigmas = sigma_band(predicted, truth), np.array(COCO.sigmas)
    assert [band[f"AP/sigmas_x{name}"] for name in ("0.5", "1", "2")] == [
        oks_ap(predicted, truth, sigmas * factor)["AP"] for factor in (0.5, 1, 2)
    ]
    assert band["AP/sigmas_x0.5"] < band["AP/sigmas_x1"] < band["AP/sigmas_x2"]
    weights = rng.integers(0, 3, (3, len(truth))).astype(float)
    for factor, name in ((0.5, "0.5"), (2, "2")):
        expected = oks_ap(predicted, truth, sigmas * factor).again(weights)["AP"]
        np.testing.assert_allclose(band.again(weights)[f"AP/sigmas_x{name}"], expected)


def test_errors_are_those_of_the_score(rng):
    predicted, truth = scenes(rng)
    with pytest.raises(ValueError, match="paired by position"):
        warnings(truth, predicted[:-1])
    with pytest.raises(ValueError, match="neither area nor box"):
        warnings(scenes(rng, area=None, box=None)[1])
