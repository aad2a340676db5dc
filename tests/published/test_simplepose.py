"""SimplePose's targets and grouping against the authors' code."""

import numpy as np
import pytest

from posewright.codecs.bottom_up.affinity_fields import limb_places
from posewright.codecs.bottom_up.simplepose import SIMPLEPOSE, bands_along, tops
from posewright.codecs.bottom_up.simplepose_grouping import connect, find_peaks, grow
from posewright.codecs.bottom_up.whole import Everyone


@pytest.mark.parametrize("case", [1, 2])
def test_targets(reference, case):
    vector = reference("simplepose_targets")
    joints = vector[f"input_case{case}_joints"].astype(np.float64)
    people = Everyone(joints[..., :2], joints[..., 2] < 2)
    theirs = vector[f"output_case{case}"]
    maps = tops(people, (64, 64), 4, 9.0)
    np.testing.assert_allclose(maps, theirs[30:48], rtol=0, atol=1e-6)
    np.testing.assert_allclose(maps.max(0), theirs[49], rtol=0, atol=1e-6)
    limbs = bands_along(people, limb_places(SIMPLEPOSE), (64, 64), 4, 7.0)
    np.testing.assert_allclose(limbs, theirs[:30], rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", [1, 2])
def test_grouping(reference, case):
    vector = reference("simplepose_grouping")
    maps = np.ascontiguousarray(np.moveaxis(vector[f"input_case{case}_maps"].astype(np.float32), -1, 0))
    peaks = find_peaks(maps[30:48])
    np.testing.assert_array_equal([len(one) for one in peaks], vector[f"output_case{case}_counts"])
    theirs = vector[f"output_case{case}_candidates"]
    np.testing.assert_allclose(np.concatenate(peaks), theirs[:, :3], rtol=0, atol=1e-5)
    found = connect(peaks, limb_places(SIMPLEPOSE), maps[:30], maps.shape[1])
    rows = np.array([(limb, *one) for limb, each in enumerate(found) for one in each])
    theirs = vector[f"output_case{case}_connections"]
    np.testing.assert_array_equal(rows[:, :3], theirs[:, :3])
    np.testing.assert_allclose(rows[:, 3:], theirs[:, [3, 6]], rtol=0, atol=1e-5)
    people, totals = grow(peaks, limb_places(SIMPLEPOSE), found)
    theirs = vector[f"output_case{case}_people"]
    np.testing.assert_array_equal(people, theirs[:, :18, 0])
    np.testing.assert_allclose(totals, theirs[:, 18, 0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(1 - 1 / totals, vector[f"output_case{case}_scores"], rtol=0, atol=1e-5)
