"""Laws of triangulation, and what it does to outliers, exchanged sides, low scores and missing views."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from posewright.geometry import triangulate
from posewright.multiview.points import USED, PointReason, ViewReason
from posewright.multiview.triangulate import Rules, exchanges, triangulate_views


def error_of(points, truth):
    return np.linalg.norm(points.xyz[:, 0] - truth, axis=-1)


@pytest.mark.parametrize("lens", ["opencv", "h36m", "fisheye"])
@pytest.mark.parametrize("count", [2, 3, 7])
def test_triangulate_after_project_is_identity(made, lens, count):
    truth, rig = made.walk(5), made.ring(count, lens)
    points = triangulate_views(rig, made.filmed(rig, truth))
    assert np.nanmax(error_of(points, truth)) < 1e-4
    assert points.found.all()
    cameras = list(rig.cameras.values())
    assert_allclose(triangulate(cameras, [c.project(truth[0]) for c in cameras]), truth[0], atol=1e-5)


@pytest.mark.parametrize("change", ["unit", "origin", "order"])
def test_answers_do_not_change_with_the_worlds_frame(capture, change):
    rig, views, _ = capture
    before = triangulate_views(rig, views)
    scale, shift, names = 1.0, np.zeros(3), list(rig.cameras)
    if change == "unit":
        scale = 0.001
    elif change == "origin":
        shift = np.array([1e4, -2e4, 3e3])
    else:
        names = names[::-1]
    cameras = {n: replace(rig.cameras[n], t=(rig.cameras[n].t - rig.cameras[n].R @ shift) * scale) for n in names}
    order = [list(rig.cameras).index(n) for n in names]
    moved = replace(views, cameras=tuple(names), xy=views.xy[order], scores=views.scores[order])
    after = triangulate_views(replace(rig, cameras=cameras), moved)
    assert_allclose(after.xyz / scale - shift, before.xyz, atol=1e-5)
    assert_allclose(after.covariance / scale**2, before.covariance, rtol=1e-6, atol=1e-8)
    assert (after.views == before.views[..., order]).all()


@pytest.mark.parametrize("known", [True, False])
def test_the_covariance_is_right(made, known, rng):
    truth, rig = made.walk(150), made.ring(4)
    points = triangulate_views(rig, made.filmed(rig, truth, 2.0, rng), Rules(sigma=2.0 if known else None))
    error = points.xyz[:, 0] - truth
    square = np.einsum("fki,fkij,fkj->fk", error, np.linalg.inv(points.covariance[:, 0]), error)
    assert abs(square.mean() - 3) < 0.2


def test_a_wrong_camera_never_harms_more_than_its_absence(capture, rng):
    rig, views, truth = capture
    names = list(rig.cameras)
    three = triangulate_views(
        rig.only(names[:3]), replace(views, cameras=views.cameras[:3], xy=views.xy[:3], scores=views.scores[:3])
    )
    xy = views.xy.copy()
    xy[3] += rng.uniform(-300, 300, xy[3].shape)
    four = triangulate_views(rig, replace(views, xy=xy))
    assert np.nanmean(error_of(four, truth)) < 1.02 * np.nanmean(error_of(three, truth))
    assert (four.views[..., 3] == ViewReason.OUTLIER).mean() > 0.95


def test_outliers_are_named_and_left_out(capture, rng):
    rig, views, truth = capture
    wrong = rng.random(views.xy.shape[:-1]) < 0.05
    xy = views.xy + wrong[..., None] * 80.0
    points = triangulate_views(rig, replace(views, xy=xy))
    assert np.nanmean(error_of(points, truth)) < 1.25 * np.mean(error_of(triangulate_views(rig, views), truth))
    named = np.moveaxis(points.views == ViewReason.OUTLIER, -1, 0)
    alone = wrong & (wrong.sum(0) == 1)
    assert named[alone].mean() > 0.97
    assert named[~wrong & (wrong.sum(0) == 0)].mean() < 0.01


def test_exchanged_sides_are_found_and_undone(capture):
    rig, views, truth = capture
    xy, scores = views.xy.copy(), views.scores.copy()
    frames = np.arange(10, 40, 3)
    xy[2, frames] = xy[2, frames][:, :, views.skeleton.mirror]
    points = triangulate_views(rig, replace(views, xy=xy, scores=scores))
    assert exchanges(points).tolist() == [[f, 0, 2] for f in frames]
    assert_allclose(points.xyz, triangulate_views(rig, views).xyz, atol=1e-6)
    paired = views.skeleton.mirror != np.arange(17)
    assert (points.views[frames][:, 0, paired, 2] == ViewReason.SWAPPED).all()
    assert np.nanmean(error_of(points, truth)) < 20


def test_every_view_and_point_has_its_reason(capture):
    rig, views, _ = capture
    xy, scores = views.xy.copy(), views.scores.copy()
    xy[0, 5, 0, 3] = np.nan
    scores[1, 5, 0, 3] = 0.1
    xy[[0, 1, 2], 6, 0, 4] = np.nan
    xy[0, 7, 0, 5] += [400, -300]
    xy[1, 7, 0, 5] = xy[2, 7, 0, 5] = np.nan
    points = triangulate_views(rig, replace(views, xy=xy, scores=scores))
    assert points.views[5, 0, 3].tolist()[:2] == [ViewReason.ABSENT, ViewReason.LOW_SCORE]
    assert points.reason[6, 0, 4] == PointReason.TOO_FEW
    assert points.reason[7, 0, 5] == PointReason.TOO_FEW
    assert points.views[7, 0, 5].tolist() == [
        ViewReason.OUTLIER,
        ViewReason.ABSENT,
        ViewReason.ABSENT,
        ViewReason.OUTLIER,
    ]
    gone = points.reason != PointReason.OK
    assert np.isnan(points.xyz[gone]).all()
    assert np.isfinite(points.xyz[~gone]).all()
    assert (np.isin(points.views, USED).sum(-1)[~gone] >= 2).all()


def test_rays_that_are_nearly_parallel_give_no_point(made):
    truth, rig = made.walk(4), made.ring(2)
    first = rig.cameras["cam_0"]
    beside = replace(first, t=first.t + np.array([20.0, 0, 0]))
    pair = replace(rig, cameras={"cam_0": first, "cam_1": beside})
    points = triangulate_views(pair, made.filmed(pair, truth))
    assert (points.reason == PointReason.PARALLEL).all()


def test_one_camera_and_other_cameras_are_refused(capture):
    rig, views, _ = capture
    one = replace(views, cameras=views.cameras[:1], xy=views.xy[:1], scores=views.scores[:1])
    with pytest.raises(ValueError, match="two or more"):
        triangulate_views(rig.only(["cam_0"]), one)
    with pytest.raises(ValueError, match="cameras"):
        triangulate_views(rig.only(["cam_0", "cam_1"]), views)


def test_noise_that_scores_tell_of_is_learnt(made, rng):
    truth, rig = made.walk(150), made.ring(4)
    views = made.filmed(rig, truth)
    sigma = np.exp(rng.uniform(np.log(0.5), np.log(8), views.scores.shape))
    views = replace(views, xy=views.xy + rng.normal(size=views.xy.shape) * sigma[..., None], scores=np.exp(-sigma / 6))
    learnt = triangulate_views(rig, views)
    flat = triangulate_views(rig, replace(views, scores=np.full_like(views.scores, 0.9)))
    assert np.nanmean(error_of(learnt, truth)) < 0.75 * np.nanmean(error_of(flat, truth))
