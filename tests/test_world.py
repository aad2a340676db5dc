"""The synthetic world tells the truth: what its pictures show is what it says."""

import hashlib
import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posewright.datasets.synthetic import WORLD, instant, scene, scenes, world
from posewright.datasets.synthetic.body import Cones, body, random_shape
from posewright.datasets.synthetic.pose import ACTIVITIES, SEGMENTS, motion_pose, random_pose
from posewright.datasets.synthetic.surface import Blocks, cone_bounds, surface
from posewright.geometry import Camera, triangulate
from posewright.scene import ABSENT, HIDDEN, SEEN, Cause
from posewright.skeleton import COCO, H36M, LSP, SKELETONS

HERE = Path(__file__).parent
SKIN_DEEP = [WORLD.index(n) for n in ("nose", "left_eye", "right_eye", "left_ear", "right_ear", "head_top")]
"""Keypoints at the surface, whose pixel may be just beside the person."""


@pytest.fixture(scope="module")
def drawn():
    return world(40, seed=7, skeleton=WORLD)


@pytest.fixture(scope="module")
def alone():
    return world(40, seed=8, skeleton=WORLD, people=(1, 1))


def everybody(scenes):
    return [(s, p) for s in scenes for p in s.people]


def pixel(keypoint):
    return tuple(np.floor(keypoint[::-1] + 0.5).astype(int))


def test_keypoints_are_the_projected_points(drawn):
    for one, person in everybody(drawn):
        known = person.labelled
        np.testing.assert_allclose(one.camera.project(person.points3d)[known], person.keypoints[known], atol=1e-9)
        assert np.isfinite(person.points3d).all()


def test_visibility_follows_the_cause(drawn):
    causes = set()
    for one, person in everybody(drawn):
        xy = one.camera.project(person.points3d)
        outside = ((xy < -0.5) | (xy >= np.array(one.size) - 0.5)).any(1)
        np.testing.assert_array_equal(outside, person.cause == Cause.OUTSIDE)
        np.testing.assert_array_equal(outside, person.visible == ABSENT)
        np.testing.assert_array_equal(outside, np.isnan(person.keypoints).any(1))
        np.testing.assert_array_equal(person.cause == Cause.SEEN, person.visible == SEEN)
        causes |= set(person.cause.tolist())
    assert causes == set(Cause)


def test_masks_are_disjoint_and_boxes_tight(drawn):
    for one in drawn:
        masks = np.array([p.mask for p in one.people])
        assert masks.shape[1:] == one.image.shape[:2]
        assert masks.sum(0).max() <= 1
        for person in one.people:
            rows, columns = np.nonzero(person.mask)
            tight = [columns.min() - 0.5, rows.min() - 0.5, columns.max() + 0.5, rows.max() + 0.5]
            np.testing.assert_array_equal(person.box, tight)
            assert person.area == len(rows)


def test_a_seen_joint_lies_on_its_person(alone):
    for _, person in everybody(alone):
        near = np.pad(person.mask, 1)
        for k in np.flatnonzero(person.visible == SEEN):
            y, x = pixel(person.keypoints[k])
            found = near[y : y + 3, x : x + 3] if k in SKIN_DEEP else person.mask[y, x]
            assert found.any(), WORLD.keypoints[k]


def test_a_hidden_keypoint_lies_on_what_hides_it(drawn):
    for one, person in everybody(drawn):
        others = np.any([p.mask for p in one.people if p is not person] + [np.zeros_like(person.mask)], axis=0)
        for k in np.flatnonzero(person.visible == HIDDEN):
            own, other = (mask[pixel(person.keypoints[k])] for mask in (person.mask, others))
            assert (own, other) == {
                Cause.SELF: (True, False),
                Cause.PERSON: (False, True),
                Cause.OBJECT: (False, False),
            }[person.cause[k]], WORLD.keypoints[k]


def test_the_far_side_is_hidden_by_the_near_one(alone):
    """Of a face that looks away nothing is seen; one that looks into the camera does not hide itself."""
    away, towards = 0, []
    face = [WORLD.index(n) for n in ("nose", "left_eye", "right_eye")]
    for one, person in everybody(alone):
        nose, head = one.camera.view(person.points3d[[face[0], WORLD.index("head")]])
        facing = (head - nose) @ head / np.linalg.norm(head - nose) / np.linalg.norm(head)
        if facing < -0.6:
            assert not (person.visible[face] == SEEN).any()
            away += 1
        if facing > 0.8:
            towards.append((person.cause[face] == Cause.SELF).any())
    assert away > 2
    assert np.mean(towards) < 0.25, "only a hand or a knee before the face hides it"


@pytest.mark.parametrize("unit", [1.0, 0.1, 0.001, 1000.0])
@pytest.mark.parametrize("origin", [0.0, 5e4])
def test_triangulation_does_not_depend_on_the_unit_or_the_origin(unit, origin, rng):
    """Of points that no place explains wholly, where the answer is a compromise."""
    views = world(1, seed=3, views=4, skeleton=WORLD)[0]
    cameras = [view.camera for view in views]
    true = rng.normal(0, 500, (20, 3)) + np.array([0, 0, 900])
    points = np.stack([camera.project(true) for camera in cameras])
    points += rng.normal(0, 5, points.shape)
    shift = np.full(3, origin)
    moved = [replace(c, t=(c.t - c.R @ shift) * unit) for c in cameras]
    expected = (triangulate(cameras, points) + shift) * unit
    np.testing.assert_allclose(triangulate(moved, points), expected, rtol=1e-6, atol=1e-6 * unit)


def test_views_triangulate_back():
    for views in world(3, seed=3, views=4, skeleton=WORLD):
        assert len(views) == 4
        for ident in {p.id for one in views for p in one.people}:
            seen = [(one.camera, p) for one in views for p in one.people if p.id == ident]
            found = triangulate([camera for camera, _ in seen], np.array([p.keypoints for _, p in seen]))
            for _, person in seen:
                known = np.isfinite(found[:, 0])
                np.testing.assert_allclose(found[known], person.points3d[known], atol=1e-6)


def test_the_first_view_is_the_scene():
    np.testing.assert_array_equal(instant(5, 2, views=3)[0].image, scene(5, 2).image)


def digest(seed, start, count):
    total = hashlib.sha256()
    for i in range(start, start + count):
        one = scene(seed, i)
        total.update(one.image.tobytes())
        for p in one.people:
            total.update(p.keypoints.tobytes() + p.mask.tobytes() + p.box.tobytes())
    return total.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process():
    code = "import test_world; print(test_world.digest(11, 3, 4))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=HERE)
    assert other.stdout.strip() == digest(11, 3, 4)
    assert digest(12, 3, 1) != digest(11, 3, 1)


def test_a_scene_does_not_depend_on_the_others():
    few, many = world(1, seed=4), world(3, seed=4)
    np.testing.assert_array_equal(few[0].image, many[0].image)
    for lazy, one in zip(itertools.islice(scenes(4, start=1), 2), many[1:], strict=True):
        np.testing.assert_array_equal(lazy.image, one.image)


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda s: s.name)
def test_every_skeleton_of_the_house_maps_by_name(skeleton):
    assert (WORLD.to(skeleton) >= 0).all() or skeleton.name == "penn_action"
    person = scene(0, 3, skeleton=skeleton, people=(1, 1)).people[0]
    assert len(person) == len(skeleton)


def test_lsp_has_all_of_its_keypoints():
    whole = [p for p in (scene(0, i, skeleton=LSP).people[0] for i in range(20)) if p.labelled.all()]
    assert len(whole) > 5
    assert all(len(p) == 14 for p in whole)


def test_left_and_right_are_those_of_the_person():
    """Of a person who faces the camera upright, the left shoulder is on the right of the picture."""
    left, right, nose, ear = (COCO.index(n) for n in ("left_shoulder", "right_shoulder", "nose", "left_ear"))
    facing = 0
    for one in world(100, seed=2, people=(1, 1)):
        for p in one.people:
            across = p.points3d[right] - p.points3d[left]
            up = p.points3d[nose] - (p.points3d[left] + p.points3d[right]) / 2
            ahead = np.cross(up, across)
            middle = one.camera.center - p.points3d[ear]
            upright = up[2] > 0.8 * np.linalg.norm(up)
            if upright and ahead @ middle > 0.8 * np.linalg.norm(ahead) * np.linalg.norm(middle):
                assert one.camera.project(p.points3d[left])[0] > one.camera.project(p.points3d[right])[0]
                facing += 1
    assert facing > 2


def test_motion_keeps_the_directions_of_bones(rng):
    joints = np.array([[0, 0, 950], [110, 0, 950], [110, 80, 550], [110, 0, 150], [-110, 0, 950], [-110, 0, 540],
                       [-110, -20, 130], [0, 0, 1190], [0, 10, 1430], [0, 20, 1540], [0, 20, 1650], [-190, 0, 1400],
                       [-200, 0, 1120], [-200, 120, 900], [190, 0, 1400], [420, 0, 1420],
                       [600, 0, 1600]], float)  # fmt: skip
    posed = body(random_shape(rng), motion_pose(joints, rng))
    found = posed.keypoints[WORLD.to(H36M)]
    for a, b in ((1, 2), (2, 3), (14, 15), (15, 16)):
        bend = np.array([np.subtract(*j[[b, a]]) for j in (joints, found)])
        height = bend[:, 2] / np.linalg.norm(bend, axis=1)
        other = found[b + (3 if a < 4 else -3)] - found[a + (3 if a < 4 else -3)]
        assert min(abs(height[0] - height[1]), abs(height[0] - other[2] / np.linalg.norm(other))) < 1e-9
    picture = scene(0, 0, motion=joints[None])
    assert picture.image.shape == (256, 256, 3)


def test_real_motion_makes_scenes(data_dir):
    one = scene(0, 1, motion=data_dir / "cmu_mocap.npz")
    assert one.people
    np.testing.assert_array_equal(one.image, scene(0, 1, motion=str(data_dir / "cmu_mocap.npz")).image)


@pytest.mark.parametrize("activity", ACTIVITIES)
def test_every_activity_makes_unit_directions(activity, rng):
    pose = random_pose(rng, activity)
    np.testing.assert_allclose(np.linalg.norm(pose.directions, axis=1), 1)
    for frame in (pose.pelvis, pose.chest, pose.head):
        np.testing.assert_allclose(frame @ frame.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(frame) > 0


def test_sizes_and_settings():
    one = scene(0, 0, size=(320, 200))
    assert one.image.shape == (200, 320, 3)
    assert one.image.dtype == np.uint8
    with pytest.raises(ValueError, match="from <= to"):
        scene(0, 0, people=(3, 2))
    with pytest.raises(ValueError, match=r"poses must be \(N, 17, 3\)"):
        scene(0, 0, motion=np.zeros((3, 16, 3)))


def random_cones(rng, count):
    """Cones of every kind before a camera: long, short, blunt, balls, one end inside the other, squeezed."""
    a = rng.uniform([-500, -500, 1500], [500, 500, 2500], (count, 3))
    b = a + rng.normal(0, 250, (count, 3))
    b[::4] = a[::4]
    ra, rb = rng.uniform(20, 200, (2, count))
    length = np.linalg.norm(b - a, axis=1)
    rb = np.clip(rb, ra - 0.6 * length, ra + 0.6 * length)
    frames = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    metric = (frames / rng.uniform(0.6, 1, (count, 1, 3)) ** 2) @ frames.transpose(0, 2, 1)
    return Cones(a, b, ra, rb, metric)


def outside_cone(cones, i, points):
    """How far points (..., 3) are outside of cone i, by trying the balls that sweep it."""
    s = np.linspace(0, 1, 400)
    balls = cones.a[i] + s[:, None] * (cones.b[i] - cones.a[i])
    way = points[..., None, :] - balls
    square = np.einsum("...i,ij,...j->...", way, cones.metric[i], way)
    return (np.sqrt(square) - (cones.ra[i] + s * (cones.rb[i] - cones.ra[i]))).min(-1)


def outside_block(blocks, i, points):
    return (np.abs((points - blocks.middle[i]) @ blocks.axes[i]) - blocks.half[i]).max(-1)


def test_pixels_show_the_nearest_surface(rng):
    """By brute force: what a pixel shows lies on its solid, and nothing lies before it on the ray."""
    cones = random_cones(rng, 12)
    axes = np.linalg.qr(rng.normal(size=(5, 3, 3)))[0]
    blocks = Blocks(rng.uniform([-600, -600, 1800], [600, 600, 2600], (5, 3)), axes, rng.uniform(20, 250, (5, 3)))
    camera = Camera(np.array([[13.0, 0, 8.5], [0, 13, 6.5], [0, 0, 1]]), np.eye(3), np.zeros(3))
    seen = surface(cones, blocks, camera, (18, 14))
    rays = np.stack(np.broadcast_arrays(seen.x, seen.y[:, None], 1.0), axis=-1)
    assert len(set(seen.shown.ravel().tolist())) > 10
    solids = [(outside_cone, cones, i) for i in range(12)] + [(outside_block, blocks, i) for i in range(5)]
    before = np.minimum(seen.depth, 4000)[..., None] * np.append(np.linspace(0.4, 0.99, 20), 0.999)
    for number, (outside, kind, i) in enumerate(solids):
        here = seen.shown == number
        points = rays[here] * seen.depth[here][:, None]
        np.testing.assert_allclose(outside(kind, i, points), 0, atol=0.02)
        assert outside(kind, i, rays[:, :, None] * before[..., None]).min() > 0


def test_a_solid_behind_the_camera_is_refused(rng):
    cones = random_cones(rng, 2)
    with pytest.raises(ValueError, match="camera's plane"):
        cone_bounds(cones.moved(np.eye(3), np.array([0, 0, -2000])))


def test_joints_bend_the_way_they_do(rng):
    """Legs spread outwards, a knee bends the shin back, a standing person's feet point ahead."""
    for _ in range(50):
        pose = random_pose(rng, "spread")
        own = dict(zip(SEGMENTS, pose.directions @ pose.pelvis, strict=True))
        assert own["left_thigh"][0] < 0.25
        assert own["right_thigh"][0] > -0.25
        assert own["left_thigh"][0] < own["right_thigh"][0]
        for side in ("left", "right"):
            assert own[f"{side}_shank"][1] <= own[f"{side}_thigh"][1] + 1e-9
            assert own[f"{side}_foot"][1] > 0.2
