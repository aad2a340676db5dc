"""The refinement unit learns what is wrong with somebody's poses, and is kept in a file."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.poses import one_sequence
from posewright.skeleton import H36M
from posewright.train.refinement import load_unit, train_refinement
from posewright.train.state import CheckpointError


@pytest.fixture(scope="module")
def poses():
    """Poses of a few kinds, and the same bent and shaken in a way that can be learnt."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(0, 300, (4, 17, 3))
    truth = kinds[rng.integers(4, size=512)] + rng.normal(0, 20, (512, 17, 3))
    bent = 0.7 * truth + 100 * np.sin(np.arange(51)).reshape(17, 3) + rng.normal(0, 20, (512, 17, 3))
    return one_sequence(bent, H36M), one_sequence(truth, H36M)


@pytest.fixture(scope="module")
def unit(poses):
    return train_refinement(*poses, epochs=40, width=128)


def test_it_learns(unit, poses):
    before, after = mpjpe(poses[0], poses[1])["MPJPE"], mpjpe(unit(poses[0]), poses[1])["MPJPE"]
    assert after < 0.6 * before


def test_the_same_seed_gives_the_same_unit(poses):
    one, other = (train_refinement(*poses, epochs=1, seed=3, width=32) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True))


def test_it_is_kept_whole(unit, poses, tmp_path):
    again = load_unit(unit.save(tmp_path / "unit.pt"))
    np.testing.assert_array_equal(again(poses[0]).xyz, unit(poses[0]).xyz)
    torch.save({"network": {}}, tmp_path / "none.pt")
    with pytest.raises(CheckpointError, match="no refinement unit"):
        load_unit(tmp_path / "none.pt")


def test_a_pose_that_lacks_a_keypoint_stays_as_it_is(unit, poses):
    some = replace(poses[0], xyz=poses[0].xyz.copy())
    some.xyz[1, 4] = np.nan
    refined = unit(some)
    np.testing.assert_array_equal(refined.xyz[1], some.centred[1])
    assert not np.allclose(refined.xyz[0], some.centred[0])
    assert np.allclose(refined.xyz[:, 0], 0)


def test_poses_must_fit(poses):
    with pytest.raises(ValueError, match="must be as many"):
        train_refinement(replace(poses[0]), poses[1].only(H36M.keypoints[:16]))
    few = [replace(p, xyz=p.xyz[:9], sequence=p.sequence[:9], action=p.action[:9]) for p in poses]
    with pytest.raises(ValueError, match="9 whole poses"):
        train_refinement(*few)
