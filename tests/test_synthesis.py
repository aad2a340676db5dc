"""Synthesis: wrong poses are wrong in the five ways, as often as they should be, and never where nothing is known."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.augment.synthesis import OTHERS, RATES, Synthesis, synthesise, synthesised, with_neighbours
from posewright.datasets.synthetic import world
from posewright.metrics.diagnosis.kinds import KINDS, Kind, diagnose
from posewright.scene import Person, Scene, aim, take
from posewright.skeleton import COCO, LSP

AREA = 100.0 * 200
WRIST, NOSE = COCO.index("left_wrist"), COCO.index("nose")
WRISTS = [WRIST, COCO.mirror[WRIST]]
HIDDEN = [1, 2, 3, 4, 11, 13]
"""Whom these are absent from has 11 keypoints, one more than those who are wrong more often."""


@pytest.fixture
def person(rng):
    """Keypoints so far apart that every kind has its place."""
    return rng.permutation(np.stack(np.meshgrid(np.arange(5), np.arange(4)), -1).reshape(-1, 2))[:17] * 400.0


def reached(similarity, k=WRIST):
    return np.sqrt(-2 * AREA * (2 * COCO.sigmas[k]) ** 2 * np.log(similarity))


def drawn(person, rng, count=3000, k=WRIST, **more):
    """Return places of a keypoint (count, 2), or of several (count, N, 2)."""
    return np.array([synthesise(person, AREA, COCO, rng, **more)[k] for _ in range(count)])


def kinds_of(places, person, neighbour, k):
    """Return the shares of good, jitter, inversion, swap and miss, by who is near."""

    def near(place):
        return np.linalg.norm(places - place, axis=-1)

    other = COCO.mirror[k]
    good, close = near(person[k]) <= reached(0.85, k), near(person[k]) <= reached(0.5, k)
    inverted = near(person[other]) <= 2 * reached(0.5, k)
    swapped = np.minimum(near(neighbour[k]), near(neighbour[other])) <= reached(0.5, k)
    missed = ~(close | inverted | swapped)
    return np.array([good, close & ~good, inverted, swapped, missed]).mean(1)


def test_a_wrist_is_wrong_as_often_as_the_rates_say(person, rng):
    """An inversion lies around the other wrist where that has been put, so within twice the reach of where it was."""
    neighbour = np.add(person, (0, 5000))
    rates = RATES["wrist"]
    for labelled, absent in ((11, HIDDEN), (10, [NOSE, *HIDDEN])):
        pose = person.copy()
        pose[absent] = np.nan
        swap = rates.swap[labelled <= 10]
        miss = rates.miss[2 if labelled > 10 else 1]
        jitter = rates.jitter[labelled > 10]
        wanted = [1 - jitter - miss - rates.inversion - swap, jitter, rates.inversion, swap, miss]
        places = drawn(pose, rng, 1500, WRISTS, neighbours=[neighbour])
        found = [kinds_of(places[:, side], pose, neighbour, k) for side, k in enumerate(WRISTS)]
        np.testing.assert_allclose(np.mean(found, 0), wanted, atol=0.03)


def test_kinds_without_a_place_give_way_to_the_others(person, rng):
    alone = np.full_like(person, np.nan)
    alone[WRIST] = 0
    places = np.linalg.norm(drawn(alone, rng), axis=-1)
    rates = RATES["wrist"]
    rest = 1 - rates.inversion - rates.swap[0]
    assert (places <= reached(0.5)).mean() == pytest.approx(1 - rates.miss[0] / rest, abs=0.03)
    assert places.max() <= reached(0.1)


def test_what_is_absent_stays_so_unless_an_estimate_stands_in(person, rng):
    person[NOSE] = np.nan
    assert np.isnan(drawn(person, rng, 20, NOSE)).all()
    estimate = np.full_like(person, np.nan)
    estimate[NOSE] = -3000
    found = drawn(person, rng, 20, NOSE, estimated=estimate)
    assert (np.linalg.norm(found - estimate[NOSE], axis=-1) <= reached(0.1, NOSE)).all()
    assert np.isnan(synthesise(np.full((17, 2), np.nan), AREA, COCO, rng)).all()


def test_a_place_is_nearer_to_what_it_is_meant_for(person, rng):
    """With a neighbour 1 px to the right: whoever is near and on the right of the middle is swapped."""
    person[HIDDEN] = np.nan
    away = drawn(person, rng, neighbours=[np.add(person, (1, 0))]) - person[WRIST]
    near = np.linalg.norm(away, axis=-1) <= reached(0.85)
    good = 1 - RATES["wrist"].swap[0] - RATES["wrist"].jitter[1] - RATES["wrist"].miss[2] - RATES["wrist"].inversion
    assert (near & (away[:, 0] < 0.5)).mean() == pytest.approx(good, abs=0.03)
    assert 0.01 < (near & (away[:, 0] > 0.5)).mean() < RATES["wrist"].swap[0]


def test_keypoints_that_coco_lacks_have_rates_too(rng):
    made = synthesise(rng.uniform(0, 200, (14, 2)), AREA, LSP, rng, sigmas=np.full(14, 0.05))
    assert np.isfinite(made).all()
    assert "head_top" not in RATES
    assert sum([OTHERS.jitter[0], OTHERS.miss[0], OTHERS.inversion, OTHERS.swap[1]]) < 1
    with pytest.raises(ValueError, match="give sigmas"):
        synthesise(rng.uniform(0, 200, (14, 2)), AREA, replace(LSP, sigmas=None), rng)


def test_neighbours_are_those_whose_boxes_overlap():
    boxes = [[0, 0, 100, 100], [0, 80, 100, 180], [0, 90, 100, 190], [500, 0, 600, 100]]
    people = [Person(np.full((17, 2), 50.0), box=np.array(box, float), id=n, area=1.0) for n, box in enumerate(boxes)]
    people += [replace(people[0], crowd=True, id=9), Person(np.full((17, 2), np.nan), box=people[0].box, id=8)]
    split = with_neighbours([Scene(np.zeros((8, 8, 3), np.uint8), COCO, tuple(people))])
    assert [[person.id for person in scene.people] for scene in split] == [[0, 1], [1, 0, 2], [2, 1], [3]]
    assert all(person.area == 100.0 * 100 for scene in split for person in scene.people)
    with pytest.raises(ValueError, match="has no box"):
        with_neighbours([Scene(np.zeros((8, 8, 3), np.uint8), COCO, (replace(people[0], box=None),))])
    assert with_neighbours([Scene(np.zeros((8, 8, 3), np.uint8), COCO)]) == []


def test_crops_are_told_poses_of_the_first_person_inside_them(rng):
    (scene,) = with_neighbours(world(1, 3, size=(128, 160), people=(1, 1)))
    box = scene.people[0].box
    crop = take(scene, aim(box, (96, 128)))
    poses = Synthesis()([crop, crop], rng)
    assert poses.shape == (2, 17, 2)
    assert poses.dtype == np.float32
    shown = (np.abs(crop.people[0].keypoints - (47.5, 63.5)) <= (48, 64)).all(-1)
    assert shown.sum() > 12
    np.testing.assert_array_equal(np.isfinite(poses[0, :, 0]), shown)
    assert not np.array_equal(poses[0], poses[1])
    half = take(scene, aim([box[0], box[1], box[2], (box[1] + box[3]) / 2], (96, 48), 1.0))
    outside = half.people[0].labelled & (half.people[0].keypoints[:, 1] > 48)
    assert outside.any()
    assert np.isnan(Synthesis()([half], rng)[0, outside]).all()
    with pytest.raises(ValueError, match="with_neighbours"):
        Synthesis()([replace(crop, people=(replace(crop.people[0], area=None),))], rng)


def test_our_diagnosis_finds_every_kind_in_them():
    """Of people whose area is that of their box, two a picture."""
    truth = [
        replace(scene, people=tuple(replace(p, area=float(np.prod(p.box[2:] - p.box[:2]))) for p in scene.people))
        for scene in world(60, 4, size=(256, 256), people=(2, 2))
    ]
    made = synthesised(truth, seed=1)
    assert all(np.array_equal(a.people[0].keypoints, b.people[0].keypoints, equal_nan=True)
               for a, b in zip(made, synthesised(truth, seed=1), strict=True))  # fmt: skip
    found = diagnose(made, truth)
    counts = np.array([(found.kind == kind).sum() for kind in KINDS])
    assert len(found.kind) > 60
    assert (counts > 0).all()
    assert counts[Kind.GOOD] > counts.sum() / 2
    assert counts[Kind.GOOD] > counts[Kind.JITTER] > counts[Kind.INVERSION]
