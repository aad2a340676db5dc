"""Metrics of poses in space against the original codes', and PSS against the paper's arithmetic."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.cluster.vq import kmeans2

from posewright.metrics.threed.alignment import least_squares_scale, procrustes
from posewright.metrics.threed.mpjpe import joint_errors, mpjpe
from posewright.metrics.threed.pck3d import pck3d
from posewright.metrics.threed.poses import one_sequence
from posewright.metrics.threed.pss import Centres, kinds_of, pss
from posewright.skeleton import H36M


@pytest.fixture
def metrics(reference):
    vector = reference("metrics3d")
    return vector, one_sequence(vector["input_pred"], H36M), one_sequence(vector["input_gt"], H36M)


def test_distances(metrics):
    vector, predicted, truth = metrics
    score = mpjpe(predicted, truth)
    for name in ("MPJPE", "NMPJPE", "PMPJPE"):
        assert score[name] == pytest.approx(float(vector[f"output_{name.lower()}"]), abs=1e-9)
        assert_allclose(
            joint_errors(predicted, truth)[name].mean(-1), vector[f"output_{name.lower()}_per_pose"], rtol=1e-9
        )
    assert_allclose(joint_errors(predicted, truth)["MPJPE"], vector["output_joint_errors"], rtol=1e-9)
    assert_allclose(least_squares_scale(predicted.centred, truth.centred), vector["output_scale"], rtol=1e-9)
    released = dict(zip(vector["output_epipolar_code_names"], vector["output_epipolar_code"], strict=True))
    assert score["MPJPE"] == pytest.approx(released["hm36_17j"], abs=1e-9)
    assert score["PMPJPE_epipolar"] == pytest.approx(released["hm36_17j_align"], abs=1e-6)
    assert score["NMPJPE_epipolar"] == pytest.approx(released["hm36_17j_norm"], abs=1e-6)
    kept = [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15]
    fourteen = np.mean([score[f"MPJPE/{H36M.keypoints[k]}"] for k in kept])
    assert fourteen == pytest.approx(released["hm36_17j_14"], abs=1e-9)


def test_shares(metrics):
    vector, predicted, truth = metrics
    score = pck3d(predicted, truth)
    for ours, theirs in {"PCK": "pck3d", "NPCK": "npck3d", "PPCK": "ppck3d", "AUC": "auc", "NAUC": "nauc"}.items():
        assert 100 * score[ours] == pytest.approx(float(vector[f"output_{theirs}"]), abs=1e-9)


@pytest.mark.parametrize(("name", "scaled"), [("scaled", True), ("rigid", False)])
def test_procrustes(reference, name, scaled):
    vector = reference("procrustes")
    found = procrustes(vector["input_source"], vector["input_target"], scaled)
    assert_allclose(found.points, vector[f"output_{name}_aligned"], atol=1e-8)
    for field in ("rotation", "scale", "translation", "residual"):
        assert_allclose(getattr(found, field), vector[f"output_{name}_{field}"], atol=1e-9, rtol=1e-9)


def test_structure(reference):
    vector = reference("pss")
    predicted, truth = (one_sequence(vector[f"input_{name}"].astype(float), H36M) for name in ("pred", "gt"))
    centres = Centres(H36M, {k: vector[f"input_centres_{k}"] for k in (50, 100)})
    score = pss(predicted, truth, centres)
    for k, means in centres.centres.items():
        assert_array_equal(kinds_of(predicted, means), vector[f"output_{k}_pred_cluster"])
        assert_array_equal(kinds_of(truth, means), vector[f"output_{k}_gt_cluster"])
        assert 100 * score[f"PSS@{k}"] == pytest.approx(float(vector[f"output_{k}_score"]), abs=1e-9)
    assert score.protocol["centres"] == centres.hash


def test_centres_are_found_as_lloyd_does(reference):
    vector = reference("pss")
    means, labels = kmeans2(vector["input_kmeans_points"], vector["input_kmeans_init"], iter=300, minit="matrix")
    assert_allclose(means, vector["output_kmeans_centres"], atol=1e-9)
    assert_array_equal(labels, vector["output_kmeans_labels"])
