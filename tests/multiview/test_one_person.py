"""One of several people, found in views of cameras whose places are unknown."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.cli import main
from posewright.geometry import Camera
from posewright.multiview.calibrate import place_cameras
from posewright.multiview.calibrations import write_rig
from posewright.multiview.detections.tables import write_npz
from posewright.multiview.one_person import followed, one_person


def shuffled(views, rng):
    """Put the people of each view and frame in any order, as detectors do; returns also who stands where (V, F, P)."""
    order = rng.permuted(np.broadcast_to(np.arange(views.people), (*views.xy.shape[:2], views.people)), axis=-1)
    xy = np.take_along_axis(views.xy, order[..., None, None], axis=2)
    return replace(views, xy=xy, scores=np.take_along_axis(views.scores, order[..., None], axis=2)), order


@pytest.fixture
def two(made, rng):
    """A rig, and views of two people: one walks the other's way backwards, at another place."""
    rig, walk = made.ring(3), made.walk(90)
    views = made.filmed(rig, np.stack([walk, walk[::-1] - [600, 0, 0]], axis=1), 1.0, rng)
    return rig, views, shuffled(views, rng)[0]


def test_the_same_one_is_taken_in_all_views(two):
    rig, views, mixed = two
    kept = one_person(rig, mixed)
    same = [[np.array_equal(kept.xy[v, :, 0], views.xy[v, :, p]) for p in (0, 1)] for v in range(3)]
    assert same in ([[True, False]] * 3, [[False, True]] * 3)
    assert "(cam_0 2, cam_1 2, cam_2 2), the one who agrees best" in kept.notes[-1]
    bare = {n: Camera(c.K, np.eye(3), np.zeros(3), c.distortion) for n, c in rig.cameras.items()}
    placed = place_cameras(replace(rig, cameras=bare), mixed)
    assert placed.error.max() < 1.5
    for name, camera in rig.cameras.items():
        true = camera.R @ rig.cameras["cam_0"].R.T
        turn = np.trace(placed.rig.cameras[name].R @ true.T)
        assert np.degrees(np.arccos(np.clip((turn - 1) / 2, -1, 1))) < 0.5


def test_one_alone_is_left_as_is(capture):
    rig, views, _ = capture
    assert one_person(rig, views) is views


def test_people_are_followed_through_gaps(two):
    _, views, mixed = two
    xy = mixed.xy[0].copy()
    xy[30:35] = np.nan
    tracks = followed(xy, mixed.scores[0])
    assert len(tracks) == 2
    for track in tracks:
        assert any(np.array_equal(track.xy[40:], views.xy[0, 40:, p]) for p in (0, 1))
        assert np.isnan(track.xy[30:35]).all()
    xy[30:60] = np.nan
    assert len(followed(xy, mixed.scores[0])) == 4


def test_who_moves_alike_is_refused_in_one_line(made, rng, tmp_path, capsys):
    """Turned about a point, the same motion is what the cameras, turned back, would see of the other one."""
    rig = made.ring(3)
    views = made.filmed(rig, np.stack([made.walk(90), made.walk(90, 2.0)], axis=1), 1.0, rng)
    write_npz(tmp_path / "v.npz", shuffled(views, rng)[0])
    write_rig(str(tmp_path / "c.toml"), rig)
    how = ["--intrinsics", str(tmp_path / "c.toml"), "--scale", "height=1.7", "--out", str(tmp_path / "placed.toml")]
    assert main(["multiview", "calibrate", str(tmp_path / "v.npz"), *how]) == 2
    said = capsys.readouterr().err
    assert "who is who cannot be told" in said
    assert said.count("\n") == 1
    assert not (tmp_path / "placed.toml").exists()


def test_a_view_of_nobody_is_refused(two):
    rig, _, mixed = two
    xy = mixed.xy.copy()
    xy[1, 3:] = np.nan
    with pytest.raises(ValueError, match=r"^cam_1: shows nobody for long enough"):
        one_person(rig, replace(mixed, xy=xy))
