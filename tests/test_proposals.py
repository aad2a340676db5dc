"""Proposals: boxes are drawn as a detector's lie around the truth, and how they lie is learnt back from examples."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.augment import proposals
from posewright.augment.jitter import Jitter
from posewright.augment.proposals import ALPHAPOSE, Mixture, PoseGuided, SideBySide
from posewright.datasets.synthetic import world
from posewright.recipes.fastpose import fastpose_r50_coco
from posewright.recipes.recipe import Phase
from posewright.scene import Person, each_person, region
from posewright.skeleton import COCO
from posewright.train.loader import Batches

BOX = np.array([10.0, 20, 50, 140])
STILL = Jitter(scale=0.0, turn=0.0, mirror=0.0, half_body=0.0)


def person(box=BOX, keypoints=None):
    return Person(np.full((17, 2), np.nan) if keypoints is None else keypoints, box=box)


def moves(proposal, rng, count=4000, of=None):
    of = of or person()
    return np.array([proposal(of, COCO, rng) - of.box for _ in range(count)]) / np.tile(of.box[2:] - of.box[:2], 2)


def test_sides_move_as_alphapose_found_them(rng):
    drawn = moves(replace(ALPHAPOSE, cut=0.0), rng)
    np.testing.assert_allclose(drawn.mean(0), ALPHAPOSE.means, atol=0.008)
    np.testing.assert_allclose(drawn.std(0), ALPHAPOSE.deviations, rtol=0.05)


def test_cut_boxes_lie_inside_and_keep_their_shape(rng):
    boxes = np.array([replace(ALPHAPOSE, cut=0.3)(person(), COCO, rng) for _ in range(3000)])
    sides = boxes[:, 2:] - boxes[:, :2]
    inside = (boxes[:, :2] >= BOX[:2] - 1e-9).all(1) & (boxes[:, 2:] <= BOX[2:] + 1e-9).all(1)
    cut = inside & np.isclose(sides[:, 0] / sides[:, 1], 40 / 120, rtol=1e-9)
    assert cut.mean() == pytest.approx(0.3, abs=0.03)
    assert sides[cut, 0].min() > 0.7 * 40
    assert np.ptp(boxes[cut, 0]) > 0.2 * 40


def test_a_box_never_turns_inside_out(rng):
    wild = SideBySide((0.0,) * 4, (3.0,) * 4, cut=0.0)
    boxes = np.array([wild(person(), COCO, rng) for _ in range(500)])
    assert (boxes[:, 2:] - boxes[:, :2] >= proposals.LEAST_SIDE - 1e-9).all()
    with pytest.raises(ValueError, match="has no box"):
        wild(person(box=None), COCO, rng)


def test_a_mixture_is_found_again(rng):
    true = Mixture(
        np.array([0.3, 0.7]),
        np.array([[-1.0, 0, 0, 1], [1.0, 0.5, 0, 0]]),
        np.array([np.diag([0.01, 0.04, 0.01, 0.02]), np.diag([0.09, 0.01, 0.01, 0.01])]),
    )
    found = proposals.mixture(np.array([true.drawn(rng) for _ in range(4000)]), 2, rng)
    order = np.argsort(found.shares)
    np.testing.assert_allclose(found.shares[order], true.shares, atol=0.03)
    np.testing.assert_allclose(found.means[order], true.means, atol=0.03)
    np.testing.assert_allclose(found.spreads[order], true.spreads, atol=0.01)


def standing(rng, arms):
    """Draw a person of 17 keypoints at some place and size, with the arms up or down."""
    xy = np.zeros((17, 2))
    xy[[5, 6]], xy[[11, 12]] = [[-0.4, -1], [0.4, -1]], [[-0.3, 0], [0.3, 0]]
    xy[[7, 8, 9, 10]] = [[-0.6, arms - 1], [0.6, arms - 1], [-0.7, 2 * arms - 1], [0.7, 2 * arms - 1]]
    xy[13:] = [[-0.3, 1], [0.3, 1], [-0.3, 2], [0.3, 2]]
    xy[:5] = [0, -1.5]
    return (xy + rng.normal(0, 0.02, xy.shape)) * rng.uniform(20, 60) + rng.uniform(50, 200, 2)


def test_how_boxes_lie_hangs_on_the_pose(rng):
    """A detector that cuts off raised arms, and no others, is found out; people without a torso get its average."""
    truth, detected = [], []
    scene = world(1, seed=0)[0]
    for number in range(400):
        keypoints = standing(rng, -0.5 if number % 2 else 0.5)
        box = np.concatenate([keypoints.min(0), keypoints.max(0)])
        if number % 8 == 0:
            keypoints[[5, 6]] = np.nan
        sides = np.tile(box[2:] - box[:2], 2)
        found = box + rng.normal([0, 0.3 if number % 2 else 0, 0, 0], 0.01) * sides
        truth.append(replace(scene, people=(Person(keypoints, box=box),)))
        detected.append(replace(scene, people=(person(found), person(found + 500))))
    guided = proposals.fitted(truth, detected, rng, atoms=2, gaussians=2)
    raised, lowered = (moves(guided, rng, 300, person(BOX, standing(rng, arms)))[:, 1] for arms in (-0.5, 0.5))
    assert np.abs(raised - 0.3).max() < 0.06
    assert np.abs(lowered).max() < 0.06
    unknown = moves(guided, rng, 600)[:, 1]
    assert (unknown > 0.15).mean() == pytest.approx(0.5, abs=0.1)
    with pytest.raises(ValueError, match="nothing to learn from"):
        proposals.fitted(truth[:1], [replace(scene, people=())], rng)


def test_poses_are_alike_wherever_and_however_large(rng):
    pose = standing(rng, 0.3)
    one, other = proposals.aligned([pose, 3 * pose + 40], COCO)
    np.testing.assert_allclose(one, other, atol=1e-9)
    middles = one[[5, 6]].mean(0), one[[11, 12]].mean(0)
    assert np.linalg.norm(middles[0] - middles[1]) == pytest.approx(1)
    np.testing.assert_allclose(middles[1], 0, atol=1e-12)


def test_atoms_are_the_two_kinds_of_pose(rng):
    poses = proposals.aligned([standing(rng, (-0.5, 0.5)[n % 2]) for n in range(60)], COCO)
    poses[3, 9] = np.nan
    atoms = proposals.atomic(poses, 2, np.random.default_rng(1))
    belongs = proposals.nearest(poses, atoms)
    assert (belongs[::2] == belongs[0]).all()
    assert (belongs[1::2] == 1 - belongs[0]).all()
    assert np.isfinite(atoms).all()


def test_a_view_is_aimed_at_the_proposed_box(rng):
    proposed = np.array([30.0, 30, 70, 90])
    jitter = replace(STILL, proposal=lambda *_: proposed)
    warp = jitter(person(), COCO, (48, 64), rng)
    np.testing.assert_allclose(warp.points(region(proposed)[0]), (23.5, 31.5))


def test_a_phase_may_have_a_jitter_of_its_own():
    """FastPose's boxes are jittered from the 142nd epoch on, and the batches of that epoch alone differ."""
    jitters = fastpose_r50_coco.jitters
    assert len(jitters) == fastpose_r50_coco.epochs == 200
    assert all(jitter.proposal is None for jitter in jitters[:141])
    assert all(jitter.proposal is ALPHAPOSE for jitter in jitters[141:])
    shifted = replace(STILL, shift=0.2)
    recipe = replace(fastpose_r50_coco, jitter=STILL, phases=(Phase(1, 1e-3), Phase(1, 1e-3, jitter=shifted)))
    scenes = each_person(world(4, seed=1, size=(96, 96), people=(1, 1)))
    codec = replace(recipe.codec, size=(48, 64))
    plain = Batches(scenes, codec, STILL, 4)
    phased = Batches(scenes, codec, STILL, 4, jitters=recipe.jitters)
    assert np.array_equal(plain.batch(0, 0)[0], phased.batch(0, 0)[0])
    assert not np.array_equal(plain.batch(1, 0)[0], phased.batch(1, 0)[0])


def test_an_atom_of_nobody_falls_back_to_everybody(rng):
    one = Mixture(np.ones(1), np.zeros((1, 4)), np.eye(4)[None] * 1e-6)
    guided = PoseGuided(np.empty((0, 17, 2)), (one,))
    np.testing.assert_allclose(guided(person(), COCO, rng), BOX, atol=1)
