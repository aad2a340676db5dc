"""Cameras calibrated by boards that were drawn before cameras that are known."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from posewright import picture
from posewright.cli import main
from posewright.geometry import Camera
from posewright.multiview.board import board_by, find_board
from posewright.multiview.calibrations import read_rig

sys.path.insert(0, str(Path(__file__).parent))
import boards

SIZE, SEED = (480, 360), 3
CHARUCO, CHESSBOARD = "charuco:5x4:150:113", "chessboard:6x3:80"


def row_of(count=3):
    """Cameras beside each other that look at (0, 0, 900)."""
    cameras = {}
    for n in range(count):
        center = np.array([700.0 * (n - 1), -1800, 900 + 100 * n])
        ahead = (np.array([0, 0, 900]) - center) / np.linalg.norm(np.array([0, 0, 900]) - center)
        right = np.cross(ahead, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(ahead, right), ahead])
        K = np.array([[520.0 + 8 * n, 0, 238], [0, 522 + 8 * n, 183], [0, 0, 1]])
        cameras[f"cam_{n}"] = Camera(K, R, -R @ center, [-0.12, 0.05, 0.001, -0.002, 0])
    return cameras


def filmed(folder, board, cameras, frames, rng):
    """Draw pictures of a board into a folder a camera."""
    rays = {name: boards.rays_of(camera, SIZE) for name, camera in cameras.items()}
    for f in range(frames):
        R, t = boards.tilted(rng, (0, 0, 900), board)
        for name, camera in cameras.items():
            path = folder / name / f"{f:03d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.write(path, boards.photograph(board, camera, SIZE, R, t, rays[name]))
    return [str(folder / name) for name in cameras]


@pytest.fixture(scope="module")
def charuco(tmp_path_factory):
    folder = tmp_path_factory.mktemp("charuco")
    cameras = row_of()
    return cameras, filmed(folder, board_by(CHARUCO), cameras, 16, np.random.default_rng(SEED)), folder


@pytest.mark.parametrize(("text", "px"), [(CHARUCO, 0.25), (CHESSBOARD, 0.5)])
def test_corners_are_found_in_their_order(text, px):
    board, camera = board_by(text), row_of(1)["cam_0"]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        R, t = boards.tilted(rng, (0, 0, 900), board)
        if seed == 2:
            R, t = R @ np.diag([-1.0, -1, 1]), t + R @ (2 * board.points.mean(0))
        found = find_board(board, boards.photograph(board, camera, SIZE, R, t))
        true = camera.project(board.points @ R.T + t)
        assert np.isfinite(found).all()
        assert np.abs(found - true).max() < px


def test_cameras_are_calibrated_by_a_charuco_board(charuco, tmp_path, capsys):
    cameras, paths, _ = charuco
    how = ["--from", "board", "--board", CHARUCO, "--floor", "1", "--out", str(tmp_path / "c.toml")]
    assert main(["multiview", "calibrate", *paths, *how]) == 0
    said = capsys.readouterr().out.splitlines()
    found = read_rig(str(tmp_path / "c.toml"))
    assert found.up == "z"
    assert found.sizes["cam_0"] == SIZE
    rows = {line.split()[0]: line.split() for line in said[2:5]}
    for name, true in cameras.items():
        camera, row = found.cameras[name], rows[name]
        sigma = float(row[4])
        assert abs(camera.K[0, 0] - true.K[0, 0]) < 4 * sigma
        assert 0.3 < sigma < 2.5
        assert np.abs(camera.K[:2, 2] - true.K[:2, 2]).max() < 6
        assert float(row[-1]) < 0.12
    apart = [c.center - cs["cam_0"].center for cs in (found.cameras, cameras) for c in list(cs.values())[1:]]
    for n in (0, 1):
        miss = np.linalg.norm(apart[n]) - np.linalg.norm(apart[n + 2])
        assert abs(miss) < 8
    rng, board = np.random.default_rng(SEED), board_by(CHARUCO)
    R, t = [boards.tilted(rng, (0, 0, 900), board) for _ in range(2)][1]
    for name, true in cameras.items():
        in_front = np.diag([1.0, -1, -1]) @ R.T @ (true.center - t)
        assert np.linalg.norm(found.cameras[name].center - in_front) < 0.01 * np.linalg.norm(in_front)


def test_given_intrinsics_are_kept_and_the_uncertainty_is_right(charuco, tmp_path, capsys):
    from posewright.multiview.calibrations import write_rig
    from posewright.multiview.rig import Rig

    cameras, paths, _ = charuco
    inner = Rig({name: Camera(c.K, np.eye(3), np.zeros(3), c.distortion) for name, c in cameras.items()})
    write_rig(str(tmp_path / "inner.toml"), inner)
    how = ["--from", "board", "--board", CHARUCO, "--intrinsics", str(tmp_path / "inner.toml")]
    assert main(["multiview", "calibrate", *paths, *how, "--out", str(tmp_path / "c.toml")]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:5]]
    found = read_rig(str(tmp_path / "c.toml")).cameras
    first = cameras["cam_0"]
    for n in (1, 2):
        true = first.R @ (cameras[f"cam_{n}"].center - first.center)
        miss = np.linalg.norm(found[f"cam_{n}"].center - found["cam_0"].center - true)
        sigma = float(rows[n][-3])
        assert 0 < sigma < 1
        assert miss < 4 * sigma
    np.testing.assert_allclose(found["cam_1"].K, cameras["cam_1"].K)


def test_two_cameras_and_a_chessboard(tmp_path):
    cameras = dict(list(row_of().items())[:2])
    paths = filmed(tmp_path, board_by(CHESSBOARD), cameras, 9, np.random.default_rng(1))
    how = ["--from", "board", "--board", CHESSBOARD, "--out", str(tmp_path / "c.toml")]
    assert main(["multiview", "calibrate", *paths, *how]) == 0
    found = read_rig(str(tmp_path / "c.toml")).cameras
    apart = [np.linalg.norm(cs["cam_0"].center - cs["cam_1"].center) for cs in (found, cameras)]
    assert apart[0] == pytest.approx(apart[1], rel=0.017)
    for name, camera in cameras.items():
        assert found[name].K[0, 0] == pytest.approx(camera.K[0, 0], rel=0.02)


BAD = {
    "a board that is none": (["--board", "chess:7x4"], "--board must be"),
    "markers that are none": (["--board", "charuco:5x4:150:113:DICT_NONE"], "no markers"),
    "a marker larger than its square": (["--board", "charuco:5x4:60:68"], "--board must be"),
    "no board": ([], "needs --board"),
    "a scale": (["--board", CHARUCO, "--scale", "height=1.7"], "no --scale"),
    "the same upside down": (["--board", "chessboard:6x4:60"], "upside down"),
    "another board": (["--board", "charuco:5x4:150:113:DICT_6X6_50"], "in none of its pictures"),
    "no such floor": (["--board", CHARUCO, "--floor", "99"], "--floor 99"),
    "intrinsics of others": (["--board", CHARUCO, "--intrinsics", "OTHERS"], "pictures are of"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_boards_are_one_line(charuco, tmp_path, capsys, case, made):
    from posewright.multiview.calibrations import write_rig

    others = made.ring(3)
    write_rig(str(tmp_path / "others.toml"), replace(others, cameras={f"x{n}": c for n, c in others.cameras.items()}))
    words = [str(tmp_path / "others.toml") if w == "OTHERS" else w for w in BAD[case][0]]
    out = tmp_path / "c.toml"
    assert main(["multiview", "calibrate", *charuco[1], "--from", "board", *words, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert BAD[case][1] in said
    assert said.count("\n") == 1
    assert not out.exists()


def test_too_few_pictures_are_refused(charuco, tmp_path, capsys):
    few = tmp_path / "cam_0"
    few.mkdir()
    for n in (1, 2, 3):
        (few / f"{n}.png").write_bytes((Path(charuco[1][0]) / f"{n:03d}.png").read_bytes())
    how = ["--from", "board", "--board", CHARUCO, "--out", str(tmp_path / "c.toml")]
    assert main(["multiview", "calibrate", str(few), *how]) == 2
    assert "6 or more" in capsys.readouterr().err


def test_pictures_of_other_instants_are_refused(charuco, tmp_path, capsys):
    for v, path in enumerate(charuco[1][:2]):
        (tmp_path / f"cam_{v}").mkdir()
        for n in range(1, 15):
            source = Path(path) / f"{n if v == 0 else (n * 5) % 15 or 3:03d}.png"
            (tmp_path / f"cam_{v}" / f"{n}.png").write_bytes(source.read_bytes())
    how = ["--from", "board", "--board", CHARUCO, "--out", str(tmp_path / "c.toml")]
    assert main(["multiview", "calibrate", str(tmp_path / "cam_0"), str(tmp_path / "cam_1"), *how]) == 2
    assert "at the same time" in capsys.readouterr().err
