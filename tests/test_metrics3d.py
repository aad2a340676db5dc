"""What must hold of metrics of poses in space, of their files, and of trust in them."""

import subprocess
import sys

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from posewright.cli import main
from posewright.datasets.points import read_centres, read_poses, write_centres, write_poses
from posewright.metrics.threed.alignment import procrustes
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.pck3d import pck3d
from posewright.metrics.threed.poses import Poses, one_sequence
from posewright.metrics.threed.pss import find_centres, kinds_of, pss
from posewright.metrics.threed.sequences import over_sequences, paired_over_sequences
from posewright.skeleton import COCO, H36M, Skeleton


def drawn(rng, count, sequences=6, actions=2, skeleton=H36M):
    """Draw poses about the size of people, in sequences of one action each."""
    number = rng.integers(sequences, size=count)
    names, done = number.astype(np.str_), (number % actions).astype(np.str_)
    return Poses(rng.normal(0, 400, (count, len(skeleton), 3)), skeleton, names, np.char.add("act", done))


def shaken(poses, rng, by=50.0):
    return Poses(poses.xyz + rng.normal(0, by, poses.xyz.shape), poses.skeleton, poses.sequence, poses.action)


def test_what_each_distance_does_not_see(rng):
    truth = drawn(rng, 40)
    turns = Rotation.random(40, rng).as_matrix()
    moved = truth.xyz + rng.normal(0, 1000, (40, 1, 3))
    scaled = 1.3 * moved
    turned = scaled @ turns
    seen = {name: mpjpe(Poses(xyz, H36M, truth.sequence, truth.action), truth)
            for name, xyz in (("moved", moved), ("scaled", scaled), ("turned", turned))}  # fmt: skip
    assert seen["moved"]["MPJPE"] < 1e-9
    assert seen["scaled"]["MPJPE"] > 10 > 1e-9 > seen["scaled"]["NMPJPE"]
    assert seen["turned"]["NMPJPE"] > 10 > 1e-9 > seen["turned"]["PMPJPE"]


def test_a_mirrored_pose_is_not_aligned_away(rng):
    truth = drawn(rng, 20)
    found = procrustes(truth.xyz * (-1, 1, 1), truth.xyz)
    assert np.allclose(np.linalg.det(found.rotation), 1)
    assert (found.residual > 0.01).all()


def test_structure_sees_turns_but_neither_size_nor_place(rng):
    truth = drawn(rng, 200)
    centres = find_centres(truth, (7,))
    same = Poses(3 * truth.xyz + 500, H36M, truth.sequence, truth.action)
    assert pss(same, truth, centres)["PSS@7"] == 1
    turned = Poses(truth.xyz * (-1, -1, 1), H36M, truth.sequence, truth.action)
    assert pss(turned, truth, centres)["PSS@7"] < 0.6
    assert (np.bincount(kinds_of(truth, centres.centres[7]), minlength=7) > 0).all()


@pytest.mark.parametrize("metric", [mpjpe, pck3d])
def test_numbers_are_had_again_without_a_sequence(metric, rng):
    truth = drawn(rng, 60)
    predicted = shaken(truth, rng)
    score = metric(predicted, truth)
    kept = truth.sequence != "2"
    without = metric(*(Poses(p.xyz[kept], H36M, p.sequence[kept], p.action[kept]) for p in (predicted, truth)))
    again = score.again(np.array([[1.0, 1, 0, 1, 1, 1]]))
    assert {name: pytest.approx(value[0], nan_ok=True) for name, value in again.items()} == dict(without)
    assert again.keys() == score.keys()


def test_a_keypoint_that_is_not_found_is_said_and_is_wrong(rng):
    truth = drawn(rng, 10)
    some = shaken(truth, rng)
    some.xyz[3, 5] = np.nan
    some.xyz[4, 0] = np.nan  # a pose without its root cannot be compared
    score, shares = mpjpe(some, truth), pck3d(some, truth, within=1e6)
    assert score["found"] == pytest.approx((8 * 17 + 16 + 0) / 170)
    assert np.isfinite(score["MPJPE"])
    assert shares["PCK"] == pytest.approx((170 - 1 - 17) / 170)
    truth.xyz[3, 5] = np.nan
    assert pck3d(some, truth, within=1e6)["PCK"] == pytest.approx((169 - 17) / 169)


def test_hips_stand_in_for_a_pelvis(rng):
    truth = one_sequence(rng.normal(0, 400, (5, 17, 3)), COCO)
    assert np.allclose(truth.centred[:, [11, 12]].sum(1), 0)
    with pytest.raises(ValueError, match="neither a pelvis"):
        assert one_sequence(np.zeros((1, 1, 3)), Skeleton("nose", ("nose",), ())).root.any()


def test_intervals_are_over_sequences(rng):
    """Frames of a sequence share an error; 95 of 100 intervals should hold 0, and frames drawn singly would not."""
    held = chance = 0
    for _ in range(100):
        truth = drawn(rng, 60, sequences=6)
        shared = rng.normal(0, 10, 6)[truth.sequence.astype(int)]
        errors = [np.zeros(truth.xyz.shape), np.zeros(truth.xyz.shape)]
        errors[0][:, 1:, 0], errors[1][:, 1:, 0] = (30 + shared)[:, None], 30
        a, b = (mpjpe(Poses(truth.xyz + e, H36M, truth.sequence, truth.action), truth) for e in errors)
        interval = over_sequences(a)["MPJPE"]
        held += interval.low <= 30 * 16 / 17 <= interval.high
        chance += paired_over_sequences(a, b)["MPJPE"].p < 0.05
    assert 88 <= held <= 100
    assert chance <= 12


def test_what_rests_on_one_sequence_has_no_interval(rng):
    truth = drawn(rng, 400, sequences=25, actions=25)
    score = mpjpe(shaken(truth, rng), truth)
    found = over_sequences(score, draws=200)
    assert found["MPJPE"].low < score["MPJPE"] < found["MPJPE"].high
    assert np.isnan(found["MPJPE/act3"].low)
    assert np.isnan(paired_over_sequences(score, mpjpe(shaken(truth, rng), truth), draws=200)["MPJPE/act3"].p)


def test_files_come_back(tmp_path, rng):
    poses = drawn(rng, 120)
    again = read_poses(write_poses(tmp_path / "p.npz", poses))
    np.testing.assert_array_equal(again.xyz, poses.xyz)
    assert again.skeleton is H36M
    assert (again.sequence == poses.sequence).all()
    centres = find_centres(poses, (5,), made_of="drawn ones")
    back = read_centres(write_centres(tmp_path / "c.npz", centres))
    assert (back.hash, back.made_of) == (centres.hash, "drawn ones")


def test_frames_of_several_people_and_other_units(tmp_path, rng):
    xyz = rng.normal(0, 0.4, (5, 2, 17, 3))
    np.savez(tmp_path / "p.npz", xyz=xyz, keypoints=np.array(H36M.keypoints), unit="m", sequence=np.arange(5))
    poses = read_poses(tmp_path / "p.npz")
    np.testing.assert_allclose(poses.xyz[3], 1000 * xyz[1, 1])
    assert list(poses.sequence[:2]) == ["0 person 1", "0 person 2"]


NAMES = {"keypoints": np.array(H36M.keypoints)}


@pytest.mark.parametrize(("arrays", "message"), [
    ({}, "has no array xyz"),
    ({"xyz": np.zeros((3, 17))}, r"must be \(N, K, 3\)"),
    ({"xyz": np.zeros((3, 17, 3))}, "does not name its 17 keypoints"),
    ({"xyz": np.ones((3, 17, 3)), "keypoints": np.array(H36M.keypoints[:16])}, "16 names for 17"),
    ({"xyz": np.random.default_rng(0).normal(size=(3, 17, 3)), **NAMES}, "must say their unit"),
    ({"xyz": np.ones((3, 17, 3)), **NAMES, "unit": "inch"}, "unit: must be mm"),
    ({"xyz": np.ones((3, 17, 3)), **NAMES, "action": np.array(["a"])}, "action: must be 3"),
    ({"xyz": np.full((3, 17, 3), "a")}, "must be numbers"),
])  # fmt: skip
def test_bad_files_are_one_line(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=message) as error:
        read_poses(tmp_path / "bad.npz")
    assert str(error.value).startswith(str(tmp_path))
    assert "\n" not in str(error.value)


def test_poses_must_be_as_many(rng):
    with pytest.raises(ValueError, match="5 predicted poses and 6 true ones"):
        mpjpe(drawn(rng, 5), drawn(rng, 6))


def test_the_verb_scores_points(tmp_path, rng, capsys):
    truth = drawn(rng, 150, sequences=8)
    for name, poses in (("truth", truth), ("a", shaken(truth, rng)), ("b", shaken(truth, rng, 80))):
        write_poses(tmp_path / f"{name}.npz", poses)
    files = [str(tmp_path / f"{name}.npz") for name in ("a", "b")]
    asked = ["score", *files, "--truth", str(tmp_path / "truth.npz"), "--out", str(tmp_path / "out"), "--draws", "100"]
    assert main(asked) == 0
    said = capsys.readouterr().out
    for word in ("PMPJPE", "NPCK", "PSS@50", "second - first", "Student's t over 8 sequences"):
        assert word in said
    assert read_centres(tmp_path / "out" / "centres.npz").hash in said
    page = (tmp_path / "out" / "report.html").read_text()
    for word in ("the worst poses", "Kinds of pose", "second - first", "<svg"):
        assert word in page
    assert main([*asked, "--metric", "oks_ap"]) == 2
    assert "there are mpjpe, pck3d, pss" in capsys.readouterr().err


def test_scoring_points_needs_no_torch():
    code = "import sys, posewright.verbs.score_points; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
