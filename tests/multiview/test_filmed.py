"""Views that are videos or folders of pictures: looked at once, kept, and gone on with."""

import shutil

import numpy as np
import pytest

from posewright.cli import main
from posewright.multiview.tracks import read_points


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    assert main(["draw", "world", "--views", "3", "--count", "3", "--out", str(folder / "world")]) == 0
    return folder / "world"


def test_folders_of_pictures_become_points_and_are_looked_at_once(world, tmp_path, capsys):
    cameras = [str(world / f"cam_{n}") for n in range(3)]
    words = ["multiview", "triangulate", str(world / "calibration.toml"), *cameras, "--poses", str(tmp_path / "poses")]
    assert main([*words, "--out", str(tmp_path / "p.npz")]) == 0
    assert capsys.readouterr().out.count("in 3 pictures") == 3
    points, truth = read_points(tmp_path / "p.npz"), np.load(world / "truth.npz")
    knee = points.skeleton.keypoints.index("left_knee")
    true = truth["xyz"][:, 0, list(truth["keypoints"]).index("left_knee")]
    assert np.nanmedian(np.linalg.norm(points.xyz[:, 0, knee] - true, axis=-1)) < 150
    before = (tmp_path / "poses" / "cam_1" / "predictions.json").stat().st_mtime_ns
    assert main([*words, "--out", str(tmp_path / "q.npz")]) == 0
    assert "in 3 pictures" not in capsys.readouterr().out
    assert (tmp_path / "poses" / "cam_1" / "predictions.json").stat().st_mtime_ns == before


def test_bad_views_are_one_line(world, tmp_path, capsys):
    for n in range(2):
        (tmp_path / f"{n}" / "cam").mkdir(parents=True)
        shutil.copy(world / "cam_0" / "000000.png", tmp_path / f"{n}" / "cam")
    words = ["multiview", "check", str(world / "calibration.toml"), "--poses", str(tmp_path / "poses")]
    assert main([*words, str(tmp_path / "0" / "cam"), str(tmp_path / "1" / "cam")]) == 2
    assert (
        capsys.readouterr().err
        == "posewright: two views have the name cam; give videos or folders that differ by theirs\n"
    )
    (tmp_path / "cam_9.mp4").write_bytes(b"no video")
    assert main([*words, str(tmp_path / "cam_9.mp4")]) == 2
    assert "no picture of it can be read" in capsys.readouterr().err
