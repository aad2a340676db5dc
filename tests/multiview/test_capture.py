"""Late cameras, cameras that were moved, people in several views, cameras placed by people, filters and gaps."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from posewright.geometry import Camera
from posewright.geometry.bundle import adjust
from posewright.geometry.frame import canonical
from posewright.geometry.solve import fit, observe
from posewright.multiview.calibrate import place_cameras
from posewright.multiview.capture import points_of
from posewright.multiview.checks import check_cameras, check_views
from posewright.multiview.explain import verdict, write_explanation
from posewright.multiview.misfit import place_anew
from posewright.multiview.people import match_people
from posewright.multiview.points import PointReason, ViewReason, turned_points
from posewright.multiview.scale import scaled, upright
from posewright.multiview.smoothing import filled, filtered
from posewright.multiview.suspects import leave_each_out, refitted
from posewright.multiview.sync import find_offsets, shifted
from posewright.multiview.tracking import track_people
from posewright.multiview.triangulate import triangulate_views


def moved(rig, name, degrees, mm):
    camera = rig.cameras[name]
    R = Rotation.from_euler("y", degrees, degrees=True).as_matrix() @ camera.R
    bumped = Camera(camera.K, R, -R @ (camera.center + np.array([mm, 0, 0])), camera.distortion, camera.lens)
    return replace(rig, cameras={**rig.cameras, name: bumped})


@pytest.mark.parametrize("late", [0.0, 2.0, -3.4, 0.5])
def test_a_late_camera_is_found_to_a_tenth_of_a_frame(made, rng, late):
    rig, truth = made.ring(4), made.walk(150)
    time = np.arange(150)
    views = made.filmed(rig, truth)
    xy = views.xy.copy()
    for k in np.ndindex(17, 2):
        xy[2, :, 0, k[0], k[1]] = np.interp(time - late, time, views.xy[2, :, 0, k[0], k[1]])
    views = replace(views, xy=xy + rng.normal(0, 1.5, xy.shape))
    found = find_offsets(rig, views)
    expected = np.array([0, 0, late, 0])
    assert np.abs(found.late - expected).max() < 0.1
    assert np.abs(found.late - expected)[2] < 4 * found.sigma[2] + 0.02
    back = triangulate_views(rig, shifted(views, found.sure))
    error = np.linalg.norm(back.xyz[5:-5, 0] - truth[5:-5], axis=-1)
    assert np.nanmean(error) < 13


def test_who_stands_still_tells_no_offset(made, rng):
    rig = made.ring(3)
    still = np.tile(made.walk(1), (40, 1, 1))
    views = made.filmed(rig, still, 1.0, rng)
    with pytest.raises(ValueError, match="moves enough"):
        find_offsets(rig, views)


def test_a_bumped_camera_is_named_and_placed_anew(capture):
    rig, views, truth = capture
    assert leave_each_out(rig, views).suspect is None
    bumped = moved(rig, "cam_1", 1.0, 30.0)
    assert leave_each_out(bumped, views).suspect == "cam_1"
    again, said = refitted(bumped, views, ["cam_1"])
    assert "cam_1" in said
    right = np.mean(np.linalg.norm(triangulate_views(rig, views).xyz[:, 0] - truth, axis=-1))
    error = np.mean(np.linalg.norm(triangulate_views(again, views).xyz[:, 0] - truth, axis=-1))
    assert error < 1.05 * right
    assert_allclose(again.cameras["cam_0"].R, rig.cameras["cam_0"].R)


def test_explaining_says_which_camera_was_moved(capture, tmp_path):
    rig, views, _ = capture
    wrong = moved(rig, "cam_1", 1.0, 30)
    points = points_of(wrong, views)
    assert verdict(points)[0].startswith("cam_1 disagrees: the others fit to 1.8 px without it")
    assert "cam_1 disagrees" in write_explanation(tmp_path, points, "made up").read_text()
    assert verdict(points_of(wrong, views, refit=["cam_1"])) == []


def test_people_are_matched_and_followed(made, rng):
    rig = made.ring(4)
    people = np.stack([made.walk(40, phase) for phase in (0.0, 2.1, 4.2)], axis=1)
    views = made.filmed(rig, people, 2.0, rng)
    xy, order = views.xy.copy(), np.array([[rng.permutation(3) for _ in range(40)] for _ in range(4)])
    for v, f in np.ndindex(4, 40):
        xy[v, f] = views.xy[v, f, order[v, f]]
    xy[1, 5:20, 0] = np.nan
    points = track_people(triangulate_views(rig, match_people(rig, replace(views, xy=xy))))
    assert points.xyz.shape[1] == 3
    apart = np.linalg.norm(points.xyz[:, :, None] - people[:, None], axis=-1).mean((0, 3))
    assert sorted(apart.argmin(1)) == [0, 1, 2]
    assert apart.min(1).max() < 15


def test_who_is_seen_by_one_camera_is_unmatched(made, rng):
    rig, truth = made.ring(4), made.walk(20)
    both = made.filmed(rig, np.stack([truth, made.walk(20, 2.5)], axis=1), 2.0, rng)
    xy = both.xy.copy()
    xy[1:, :, 1] = np.nan
    xy[0, :, 0] = np.nan
    points = track_people(triangulate_views(rig, match_people(rig, replace(both, xy=xy))))
    assert points.xyz.shape[1] == 1
    assert (points.views[..., 0] == ViewReason.UNMATCHED).mean() > 0.9
    assert np.nanmean(np.linalg.norm(points.xyz[:, 0] - truth, axis=-1)) < 20


def test_bundle_adjustment_finds_the_cameras(made, rng):
    rig, truth = made.ring(4), made.walk(40)
    views = made.filmed(rig, truth, 1.0, rng)
    bent = moved(moved(rig, "cam_1", 2.0, 100.0), "cam_2", -1.5, -80.0)
    frame = canonical(list(bent.cameras.values()))
    seen = observe(frame.cameras, views.xy.reshape(4, -1, 2))
    start = fit(seen, seen.known, 1.0)
    found = adjust(seen, seen.known, np.ones(seen.known.shape), start.xyz, np.array([False, True, True, False]))
    for n, name in ((1, "cam_1"), (2, "cam_2")):
        assert_allclose(found.R[n], rig.cameras[name].R, atol=5e-3)
    after = frame.back(found.xyz)
    assert np.linalg.norm(after - truth.reshape(-1, 3), axis=-1).mean() < 8


def test_cameras_are_placed_by_people(made, rng):
    rig, truth = made.ring(4), made.walk(150)
    views = made.filmed(rig, truth, 2.0, rng)
    bare = replace(rig, cameras={n: Camera(c.K, np.eye(3), np.zeros(3), c.distortion) for n, c in rig.cameras.items()})
    placed, said = scaled(place_cameras(bare, views), views.skeleton, "bone=left_hip,right_hip=0.26")
    placed, _ = upright(placed, views.skeleton)
    assert "0.26" in said
    assert placed.rig.up == "z"
    centers = [np.stack([c.center for c in r.cameras.values()]) for r in (placed.rig, rig)]
    apart = [np.linalg.norm(c[:, None] - c, axis=-1) for c in centers]
    assert_allclose(apart[0], apart[1], rtol=0.03)
    assert (np.abs(apart[0] - apart[1])[0] < 4 * placed.places + 0.02 * apart[1][0])[1:].all()
    heights = triangulate_views(placed.rig, views).xyz[..., 10, 2]
    assert np.nanmedian(heights) == pytest.approx(1600, abs=120)


@pytest.mark.parametrize(
    "how", ["height=0", "tall=1.8", "bone=left_hip=0.4", "bone=left_hip,nose=0.4", "cameras=a,b=3"]
)
def test_a_scale_that_says_nothing_is_refused(made, rng, how):
    rig, truth = made.ring(3), made.walk(60)
    placed = place_cameras(rig, made.filmed(rig, truth, 1.0, rng))
    with pytest.raises(ValueError, match=r"--scale|no camera|no keypoint"):
        scaled(placed, made.filmed(rig, truth).skeleton, how)


def test_views_of_nothing_in_common_place_no_cameras(made, rng):
    rig, views = made.ring(3), made.filmed(made.ring(3), made.walk(20), 1.0, rng)
    with pytest.raises(ValueError, match="share"):
        place_cameras(rig, replace(views, xy=rng.uniform(0, 1000, views.xy.shape)))
    with pytest.raises(ValueError, match="share"):
        place_cameras(rig, replace(views, xy=views.xy[:, :3], scores=views.scores[:, :3]))


def test_the_filter_cuts_off_where_it_says(capture):
    rig, views, _ = capture
    points = triangulate_views(rig, views)
    time = np.arange(3000) / 100
    for hz, gain in ((1.0, 1.0), (6.0, 1 / np.sqrt(2)), (20.0, 0.0)):
        wave = np.sin(2 * np.pi * hz * time)
        xyz = np.tile(wave[:, None, None, None], (1, 1, 17, 3))
        reason = np.zeros(xyz.shape[:-1], np.uint8)
        smooth = filtered(replace(points, xyz=xyz, reason=reason, fps=100.0), 6.0).xyz[500:-500, 0, 0, 0]
        assert np.sqrt(2 * (smooth**2).mean()) == pytest.approx(gain, abs=0.02)
    with pytest.raises(ValueError, match="cut-off"):
        filtered(points, 20.0)
    with pytest.raises(ValueError, match="--fps"):
        filtered(replace(points, fps=None), 6.0)


def test_gaps_are_filled_and_say_so(capture):
    rig, views, _ = capture
    xy = views.xy.copy()
    xy[:, 10:13, 0, 3] = xy[:, 30:50, 0, 3] = xy[:, :2, 0, 3] = np.nan
    points = triangulate_views(rig, replace(views, xy=xy))
    done = filled(points, 10)
    assert (done.reason[10:13, 0, 3] == PointReason.FILLED).all()
    assert np.isnan(done.covariance[10:13, 0, 3]).all()
    assert_allclose(done.xyz[11, 0, 3], (points.xyz[9, 0, 3] + points.xyz[13, 0, 3]) / 2)
    assert np.isnan(done.xyz[30:50, 0, 3]).all()
    assert np.isnan(done.xyz[:2, 0, 3]).all()
    assert_allclose(filtered(done, 6.0).xyz[10:13, 0, 3], done.xyz[10:13, 0, 3])


def test_turning_points_turns_their_covariance(capture):
    rig, views, _ = capture
    points = triangulate_views(rig, views)
    turned = turned_points(points, "y")
    assert_allclose(turned.xyz[..., 1], points.xyz[..., 2])
    assert_allclose(turned.covariance[..., 1, 1], points.covariance[..., 2, 2])
    with pytest.raises(ValueError, match="--world-up"):
        turned_points(replace(points, up=None), "y")


def test_checks_name_what_is_wrong(capture):
    rig, views, _ = capture
    assert check_cameras(rig) == []
    assert check_views(rig, views, triangulate_views(rig, views)).warnings == []
    small = replace(rig, sizes=dict.fromkeys(rig.cameras, (500, 500)))
    said = check_views(small, views, triangulate_views(small, views)).warnings
    assert any("another size" in line for line in said)
    cameras = dict(rig.cameras)
    cameras["cam_1"] = cameras["cam_0"]
    assert any("same place" in line for line in check_cameras(replace(rig, cameras=cameras)))
    folding = replace(cameras["cam_2"], distortion=[-2.0, 0, 0, 0, 0])
    assert any("folds" in line for line in check_cameras(replace(rig, cameras={**rig.cameras, "cam_2": folding})))
    R = rig.cameras["cam_3"].R * [[-1], [1], [-1]]
    away = replace(rig.cameras["cam_3"], R=R, t=-R @ rig.cameras["cam_3"].center)
    assert any("looks away" in line for line in check_cameras(replace(rig, cameras={**rig.cameras, "cam_3": away})))
    upside = replace(rig, up="-z")
    said = check_views(upside, views, triangulate_views(upside, views)).warnings
    assert any("upside down" in line for line in said)


def test_the_figures_to_beat(reference):
    """On the peers' own files: the goals of the field's comparison, per frame and without smoothing."""
    from posewright.multiview.rig import Rig
    from posewright.multiview.views import Views
    from posewright.skeleton import H36M

    file = reference("multiview_triangulate")
    names = tuple(f"cam_{n}" for n in range(4))
    cameras = zip(file["input_K"], file["input_R"], file["input_t"], file["input_distortion"], strict=True)
    rig = Rig({name: Camera(*numbers) for name, numbers in zip(names, cameras, strict=True)})
    for condition, goal in (
        ("noise2", 11.4),
        ("hetero", 10.8),
        ("outliers5", 12.5),
        ("swap_cam2", 11.5),
        ("combined", 14.5),
    ):
        xy, score = (file[f"input_{what}_{condition}"].astype(np.float64)[:, :, None] for what in ("xy", "score"))
        points = triangulate_views(rig, Views(names, H36M, xy, score))
        assert np.nanmean(np.linalg.norm(points.xyz[:, 0] - file["truth"], axis=-1)) <= goal, condition
        if condition in ("swap_cam2", "combined"):
            named = (points.views == ViewReason.SWAPPED).any((1, 2))
            assert (named[:, 2] == file["input_swap_frames"]).mean() > 0.99
            assert not named[:, [0, 1, 3]].any()


def test_a_calibration_that_is_bad_as_a_whole_is_said_to_be(capture):
    rig, views, _ = capture
    good = place_anew(rig, views)
    assert good is not None
    assert not good.bad
    loose = rig
    for name, degrees, mm in (("cam_1", 1.0, 60), ("cam_2", -1.0, -60), ("cam_3", 1.5, 60)):
        loose = moved(loose, name, degrees, mm)
    assert leave_each_out(loose, views).suspect is None
    said = [line for line in check_views(loose, views, triangulate_views(loose, views)).warnings if "anew" in line]
    assert len(said) == 1
    assert said[0].startswith("the cameras' places do not fit the people")
    bad = place_anew(loose, views)
    assert bad.anew == pytest.approx(good.anew, rel=0.1)
    assert verdict(points_of(loose, views))[0].startswith("the cameras' places do not fit the people")
    assert verdict(points_of(rig, views)) == []
    assert place_anew(rig, replace(views, xy=views.xy[:, :8], scores=views.scores[:, :8])) is None
