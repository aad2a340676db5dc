"""Labels by geometry, training on depths, and lifting, on people whose place in space is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from posewright.augment.epipolar import chained, consecutive, labelled, sized, weighted
from posewright.augment.jitter import Jitter
from posewright.codecs.depth import lifted, root_of, with_depths
from posewright.codecs.integral import Integral
from posewright.datasets.labels import with_labels, write_labels
from posewright.datasets.records import DataError
from posewright.estimators.lifting import lift, lift_scenes
from posewright.geometry import Camera
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.poses import one_sequence
from posewright.recipes.epipolar_pose import H36M_AS_MPII, in_view, space_error
from posewright.scene import HIDDEN, SEEN, Person, Scene, translated
from posewright.skeleton import COCO, H36M, MPII
from posewright.train.loader import Batches
from posewright.verbs.label import label_views

K = np.array([[1145.0, 0, 512], [0, 1143.0, 515], [0, 0, 1]])
NAMES = ("54138969", "55011271", "58860488", "60457274")


def ring(count=4, lens=(0.0,) * 5):
    """Stand cameras around the origin, as Human3.6M's: neighbours are not next to each other in the list."""
    cameras = []
    for angle in np.deg2rad([45, 135, -45, -135])[:count]:
        center = np.array([4500 * np.cos(angle), 4500 * np.sin(angle), 1500])
        forward = (np.array([0, 0, 900.0]) - center) / np.linalg.norm(center - (0, 0, 900))
        right = np.cross(forward, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(forward, right), forward])
        cameras.append(Camera(K, R, -R @ center, np.array(lens)))
    return cameras


ORDER = (0, 1, 3, 2)


def people(rng, count, skeleton=H36M):
    """Draw people about the size of people, here and there in the room."""
    body = rng.normal(0, (200, 200, 400), (1, len(skeleton), 3)) + rng.normal(0, 60, (count, len(skeleton), 3))
    return body + rng.uniform((-800, -800, 900), (800, 800, 900), (count, 3))[:, None]


def instants_of(points, cameras, skeleton=H36M):
    """Photograph people (N, K, 3), one an instant."""
    views = []
    for n, xyz in enumerate(points):
        instant = []
        for name, camera in zip(NAMES, cameras, strict=False):
            px = camera.project(xyz)
            box = np.concatenate([px.min(0), px.max(0)])
            person = Person(px, np.full(len(skeleton), SEEN, np.uint8), points3d=xyz, box=box, id="S1")
            instant.append(Scene("none", skeleton, (person,), (1000, 1002), camera, f"S1/Walking/{name}/{n}"))
        views.append(tuple(instant))
    return views


def seen(points, cameras):
    return np.stack([camera.project(points.reshape(-1, 3)) for camera in cameras])


@pytest.mark.parametrize("lens", [(0.0,) * 5, (-0.2, 0.2, 0.001, -0.001, 0.0)])
def test_exact_places_give_exact_points(rng, lens):
    cameras, points = ring(lens=lens), people(rng, 4)
    found = consecutive(cameras, seen(points, cameras), ORDER)
    assert_allclose(found, points.reshape(-1, 3), atol=1e-3)
    best, weights = weighted(cameras, seen(points, cameras))
    assert_allclose(best, points.reshape(-1, 3), atol=1e-3)
    assert (weights > 0.6).all()


def test_cameras_are_found_by_what_they_see_but_for_the_size(rng):
    cameras, points = ring(), people(rng, 10)
    unplaced = [replace(camera, R=np.eye(3), t=np.zeros(3)) for camera in cameras]
    rig = chained(unplaced, seen(points, cameras), ORDER)
    found = consecutive(rig, seen(points, cameras), ORDER).reshape(points.shape)
    score = mpjpe(one_sequence(found, H36M), one_sequence(cameras[0].view(points), H36M))
    assert score["NMPJPE"] < 0.01
    assert score["MPJPE"] > 100  # in units of the way between two cameras
    limbs = H36M.limb_indices
    length = np.median(np.linalg.norm(points[:, limbs[:, 0]] - points[:, limbs[:, 1]], axis=-1), axis=0).sum()
    true = found * sized(found, H36M, length)
    assert mpjpe(one_sequence(true, H36M), one_sequence(cameras[0].view(points), H36M))["MPJPE"] < 0.01


def test_views_without_a_common_point_leave_the_distance_free(rng):
    cameras, points = ring(), people(rng, 6)
    xy = seen(points, cameras)
    half = xy.shape[1] // 2
    xy[0, half:] = np.nan
    xy[3, :half] = np.nan
    with pytest.raises(ValueError, match="their distance is free"):
        chained(cameras, xy, ORDER)


def test_labels_by_all_views_weigh_what_they_do_not_know(rng):
    """Twenty wild places in one view: the median of pairs suffers, all views drop them and count the point less."""
    cameras, points = ring(), people(rng, 20)
    xy = seen(points, cameras) + rng.normal(0, 2, (4, 340, 2))
    wild = rng.choice(340, 20, replace=False)
    xy[1, wild] += rng.uniform(100, 200, (20, 2))
    truth = points.reshape(-1, 3)
    median = np.linalg.norm(consecutive(cameras, xy, ORDER) - truth, axis=-1)
    best, weights = weighted(cameras, xy)
    away = np.linalg.norm(best - truth, axis=-1)
    assert away[wild].mean() < 25 < 40 < median[wild].mean()
    assert away.mean() < median.mean()
    assert weights[wild].mean() < np.delete(weights, wild).mean()


@pytest.mark.parametrize(("known", "sure"), [(True, False), (True, True), (False, False), (False, True)])
def test_every_view_is_taught_in_its_own_frame(rng, known, sure):
    cameras, points = ring(), people(rng, 8)
    views = instants_of(points, cameras)
    taught = labelled(views, ORDER, known, 3000.0, sure)
    assert len(taught) == 32
    for n, scene in enumerate(taught):
        person = scene.people[0]
        assert_allclose(person.keypoints, cameras[n % 4].project(points[n // 4]), atol=0.05)
        true = cameras[n % 4].view(points[n // 4])
        if known:
            assert_allclose(person.points3d, true, atol=0.05)
        else:
            score = mpjpe(one_sequence(person.points3d[None], H36M), one_sequence(true[None], H36M))
            assert score["NMPJPE"] < 0.05
        assert_allclose(scene.camera.R, np.eye(3))
        assert ((person.scores > 0.5) & (person.scores <= 1)).all()


def test_what_is_hidden_in_a_view_is_not_used_there(rng):
    cameras, points = ring(), people(rng, 1)
    (instant,) = instants_of(points, cameras)
    spoilt = [replace(s, people=(replace(s.people[0], visible=s.people[0].visible.copy()),)) for s in instant]
    for view in (0, 1, 3):
        spoilt[view].people[0].keypoints[5] += 300
        spoilt[view].people[0].visible[5] = HIDDEN
    taught = labelled([tuple(spoilt)], ORDER)
    assert all(np.isnan(scene.people[0].points3d[5]).all() for scene in taught)
    assert all(scene.people[0].scores[5] == 0 for scene in taught)
    assert_allclose(taught[0].people[0].points3d[6], cameras[0].view(points[0, 6]), atol=1e-3)


@dataclass(frozen=True)
class Oracle:
    """Answer with what is true of a scene, in the skeleton's own keypoints."""

    skeleton: object

    def many(self, images, _boxes=None):
        for scene in images:
            people = scene.people
            yield [Person(one.keypoints, scores=np.ones(len(one)), score=1.0, box=one.box) for one in people]


def test_labels_are_kept_in_a_file_and_learnt_from(tmp_path, rng):
    cameras, points = ring(), people(rng, 6)
    scenes = [scene for instant in instants_of(points, cameras) for scene in instant]
    taught = label_views(scenes, Oracle(H36M))
    assert [scene.id for scene in taught][:4] == [f"S1/Walking/{NAMES[v]}/0" for v in (0, 1, 3, 2)]
    file = write_labels(tmp_path / "labels.npz", taught, "an oracle")
    learnt = with_labels(scenes, file, H36M)
    assert len(learnt) == 24
    (one,) = in_view(learnt[:1])
    assert_allclose(one.people[0].points3d, cameras[0].view(points[0]), atol=1e-2)
    assert_allclose(one.people[0].scores, 1)
    with pytest.raises(DataError, match="wanted are those of mpii"):
        with_labels(scenes, file, MPII)
    with pytest.raises(DataError, match="labels none of the scenes"):
        with_labels([replace(scenes[0], id="S1/Sitting/54138969/0")], file, H36M)
    with pytest.raises(DataError, match="make it with posewright label"):
        with_labels(scenes, tmp_path / "none.npz", H36M)
    with pytest.raises(ValueError, match="too few to learn from"):
        label_views(scenes[:4], Oracle(H36M), known=False)
    with pytest.raises(ValueError, match="to tell depths from"):
        label_views(scenes, Oracle(COCO))


def test_batches_carry_depths_and_weights_through_every_view(rng):
    """What a crop's label says, its camera and the root's distance make the point again, however the crop is turned."""
    cameras, points = ring(), people(rng, 2)
    scenes = []
    for n in range(2):
        person = Person(cameras[n].project(points[n]), points3d=points[n], scores=rng.uniform(0.2, 1, 17))
        scenes.append(Scene(np.zeros((1002, 1000, 3), np.uint8), H36M, (person,), camera=cameras[n], id=f"S1/a/{n}/0"))
    scenes = in_view(scenes)
    codec = Integral(H36M)
    jitter = Jitter(scale=0.2, turn=30.0, turn_chance=1.0, mirror=0.5, half_body=0.0, uniform=True)
    batches = Batches(scenes, codec, jitter, 2, aim=Integral.around)
    mirrored = 0
    for epoch in range(6):
        _, target = batches.batch(epoch, 0)
        z = np.sort(target.places[..., 2], -1)
        for place in range(2):
            true = [np.sort(one.people[0].depths) for one in scenes]
            assert any(np.ptp(z[place][d != 0] / d[d != 0]) < 1e-5 for d in true)
        mirrored += not np.allclose(np.sign(target.places[..., 2]), np.sign([one.people[0].depths for one in scenes]))
        assert set(np.round(np.sort(target.weights.ravel()), 5)) == {
            np.round(np.float32(v), 5) for one in scenes for v in one.people[0].scores
        }
    assert mirrored


def test_there_and_back_with_a_camera(rng):
    camera, points = ring(1, (-0.2, 0.2, 0.001, -0.001, 0.0))[0], people(rng, 1)[0]
    scene = Scene("none", H36M, (Person(camera.project(points), points3d=points),), camera=camera, id="a/b/0")
    (person,) = with_depths(scene).people
    found = lifted(person, camera, camera.view(points[0])[2], 0)
    assert_allclose(found, camera.view(points), atol=1e-6)
    behind = replace(scene, people=(Person(np.zeros((17, 2)), points3d=points + 1e5 * (camera.center - points[0])),))
    assert with_depths(behind).people == ()
    with pytest.raises(ValueError, match="has no camera"):
        with_depths(replace(scene, camera=None))
    with pytest.raises(ValueError, match="no depths"):
        lifted(Person(np.zeros((17, 2))), camera, 1.0, 0)
    with pytest.raises(ValueError, match="to tell depths from"):
        root_of(COCO)


@dataclass(frozen=True)
class Deep(Oracle):
    """Answer with true depths as well, as a perfect network would."""

    def many(self, images, _boxes=None):
        for scene in images:
            yield [Person(one.keypoints, depths=one.depths, box=one.box) for one in scene.people]

    def __call__(self, image, _boxes=None):
        return next(self.many([image]))


@dataclass(frozen=True)
class Flat(Oracle):
    """Answer like a network that knows the picture alone."""

    def __call__(self, image, _boxes=None):
        return next(self.many([image]))


def test_a_perfect_network_has_no_error_in_space(rng):
    cameras, points = ring(), people(rng, 3)
    truth = [scene for instant in instants_of(points, cameras) for scene in instant]
    found = list(lift_scenes(Deep(H36M), truth))
    assert space_error(found, truth)["MPJPE"] < 1e-6


def test_a_picture_alone_gives_the_pose_at_a_guessed_size(rng):
    """Far from the camera perspective is weak, and what is guessed is right but for the size."""
    camera = Camera(np.diag([8000.0, 8000, 1]), np.eye(3), np.array([0, 0, 60_000.0]))
    points = rng.normal(0, 400, (17, 3))
    scene = Scene("none", H36M, (Person(camera.project(points), points3d=points),), camera=camera)
    (person,) = lift(Deep(H36M), with_depths(scene))
    score = mpjpe(one_sequence(person.points3d[None], H36M), one_sequence(points[None], H36M))
    assert score["NMPJPE"] < 15
    with pytest.raises(ValueError, match="no depths"):
        lift(Flat(H36M), with_depths(scene))


def test_human36m_speaks_mpii_by_the_upper_neck():
    scene = Scene("none", H36M_AS_MPII, (Person(np.arange(34.0).reshape(17, 2)),))
    (one,) = translated([scene], MPII)
    order = [3, 2, 1, 4, 5, 6, 0, 8, 9, 10, 16, 15, 14, 11, 12, 13]
    assert_allclose(one.people[0].keypoints[:, 0], 2 * np.array(order))
