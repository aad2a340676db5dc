"""Cameras, two-view geometry and triangulation against the original authors' and OpenCV's answers."""

import json

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from posewright.geometry import Camera
from posewright.geometry import epipolar as ep
from posewright.geometry import triangulation as tri
from posewright.geometry.lens import distort, undistort


def cameras_of(data_dir, subject, ids, lens):
    file = json.loads((data_dir / "h36m_cameras.json").read_text())
    inner = [file["intrinsics"][name] for name in ids]
    outer = {str(camera["id"]): camera for camera in map(dict, _listed(file["extrinsics"][subject], ids))}
    return [
        Camera(k["calibration_matrix"], outer[name]["R"], np.ravel(outer[name]["t"]), k["distortion"], lens)
        for name, k in zip(ids, inner, strict=True)
    ]


def _listed(extrinsics, ids):
    return [{"id": name, **extrinsics[name]} for name in ids]


def cases_of(vector):
    return sorted({key.split("_")[1] for key in vector if key.startswith("input_") and key.split("_")[1].isdigit()})


@pytest.mark.parametrize(("lens", "key"), [("h36m", "output_h36m_distorted"), ("opencv", "output_opencv_distorted")])
def test_projection(reference, data_dir, lens, key):
    vector = reference("project_points")
    cameras = cameras_of(data_dir, str(vector["input_subject"]), vector["input_camera_ids"], lens)
    for v, camera in enumerate(cameras):
        assert_allclose(camera.project(vector["input_world"]), vector[key][v], rtol=1e-9, atol=1e-7)
        assert_allclose(camera.view(vector["input_world"]), vector["output_camera"][v], atol=1e-7)
        pinhole = Camera(camera.K, camera.R, camera.t)
        assert_allclose(pinhole.project(vector["input_world"]), vector["output_opencv_undistorted"][v], atol=1e-7)


def test_the_data_set_follows_its_own_lens(reference, data_dir):
    vector = reference("project_points")
    for n, (subject, name) in enumerate(zip(vector["input_real_subject"], vector["input_real_camera"], strict=True)):
        camera = cameras_of(data_dir, str(subject), [str(name)], "h36m")[0]
        assert np.abs(camera.project(vector["input_real_world"][n]) - vector["output_real_pixels"][n]).max() < 1e-4


@pytest.mark.parametrize("numbers", [(-0.2, 0.1, 0.001, -0.002), (0.1, -0.2, 0.001, 0.002, 0.05),
                                     (0.3, 0.02, 0.001, -0.001, 0.01, 0.2, 0.03, -0.02)])  # fmt: skip
def test_opencv_lens_is_opencvs(numbers, rng):
    rays = rng.uniform(-0.6, 0.6, (50, 2))
    points = np.column_stack([rays, np.ones(50)])
    theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), np.array(numbers))[0][:, 0]
    assert_allclose(distort(rays, numbers), theirs, atol=1e-12)
    assert_allclose(undistort(theirs, numbers), rays, atol=1e-9)


def test_fisheye_is_opencvs(rng):
    rays, numbers = rng.uniform(-2, 2, (50, 2)), np.array([0.02, -0.01, 0.003, -0.0005])
    points = np.column_stack([rays, np.ones(50)])[:, None]
    theirs = cv2.fisheye.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), numbers)[0][:, 0]
    assert_allclose(distort(rays, numbers, "fisheye"), theirs, atol=1e-12)
    assert_allclose(undistort(theirs, numbers, "fisheye"), rays, atol=1e-8)


def test_eight_point_and_ransac(reference):
    vector = reference("fundamental_ransac")
    told = {case["case"]: case for case in json.loads(str(vector["meta"]))["cases"]}
    for case in cases_of(vector):
        x1, x2, threshold = vector[f"input_{case}_x1"], vector[f"input_{case}_x2"], told[case]["threshold_px"]
        rounded = [x.astype(np.float32).astype(np.float64) for x in (x1, x2)]
        assert_allclose(ep.eight_point(*rounded), vector[f"output_{case}_F_8point"], atol=1e-6)
        F, inliers = ep.fundamental_ransac(x1, x2, threshold)
        right = ~vector[f"input_{case}_outlier"]
        K1, K2 = vector[f"input_{case}_K1"], vector[f"input_{case}_K2"]
        rays = [Camera(K, np.eye(3), np.zeros(3)).rays(x[inliers]) for K, x in ((K1, x1), (K2, x2))]
        found = ep.motion(ep.essential(F, K1, K2), *rays)
        turned = np.trace(found.R.T @ vector[f"output_{case}_R_true"])
        error = np.degrees(np.arccos(np.clip((turned - 1) / 2, -1, 1)))
        assert error <= 1.2 * told[case]["refit"]["rotation_error_deg"] + 1e-3, case
        assert (inliers & ~right).sum() <= told[case]["outliers_kept_refit"] + 2


def test_ransac_refuses_what_opencv_silently_does_otherwise(rng):
    with pytest.raises(ValueError, match="at least 15"):
        ep.fundamental_ransac(rng.normal(size=(14, 2)), rng.normal(size=(14, 2)))


def test_essential_and_motion(reference):
    vector = reference("essential_pose")
    for case in cases_of(vector):
        K1, K2 = vector[f"input_{case}_K1"], vector[f"input_{case}_K2"]
        E = ep.essential(vector[f"input_{case}_F"], K1, K2)
        theirs = vector[f"output_{case}_E"]
        sign = np.sign((E * theirs).sum())
        assert_allclose(sign * E / np.linalg.norm(E), theirs / np.linalg.norm(theirs), atol=1e-9)
        R, t = ep.motions(E)
        for r, s in zip(vector[f"output_{case}_candidate_R"], vector[f"output_{case}_candidate_t"], strict=True):
            assert (np.abs(R - r).max((1, 2)) + np.abs(t - s).max(1)).min() < 1e-6
        rays = [Camera(K, np.eye(3), np.zeros(3)).rays(vector[f"input_{case}_x{n}"]) for n, K in ((1, K1), (2, K2))]
        found = ep.motion(E, *rays)
        assert_allclose(found.R, vector[f"output_{case}_R"], atol=1e-6)
        assert_allclose(found.t, vector[f"output_{case}_t"], atol=1e-6)
        assert sorted(found.front) == sorted(vector[f"output_{case}_in_front"])
        assert_allclose(found.points, vector[f"output_{case}_points"], rtol=1e-6, atol=1e-6)


def test_linear_triangulation(reference):
    vector = reference("triangulate_dlt")
    for case in cases_of(vector):
        P = np.stack([vector[f"input_{case}_P1"], vector[f"input_{case}_P2"]])
        xy = np.stack([vector[f"input_{case}_x1"], vector[f"input_{case}_x2"]])
        assert_allclose(tri.dlt(P, xy), vector[f"output_{case}_linear_eigen"], rtol=1e-6, atol=1e-6)
        assert_allclose(tri.linear_least_squares(P, xy), vector[f"output_{case}_linear_ls"], rtol=1e-6, atol=1e-5)
        X, status = tri.iterative_least_squares(P, xy)
        assert_allclose(X, vector[f"output_{case}_iterative_ls"], rtol=1e-6, atol=1e-4)
        assert (status == vector[f"output_{case}_iterative_status"]).all()


def test_status_behind_the_cameras(reference):
    vector = reference("triangulate_dlt")
    P = np.stack([vector["input_behind_P1"], vector["input_behind_P2"]])
    X, status = tri.iterative_least_squares(P, np.stack([vector["input_behind_x1"], vector["input_behind_x2"]]))
    assert (status == vector["output_behind_status"]).all()
    assert_allclose(X, vector["output_behind_iterative_ls"], rtol=1e-6, atol=1e-4)


def test_polynomial_triangulation(reference):
    vector = reference("triangulate_polynomial")
    for case in cases_of(vector):
        P = np.stack([vector[f"input_{case}_P1"], vector[f"input_{case}_P2"]])
        xy = np.stack([vector[f"input_{case}_x1"], vector[f"input_{case}_x2"]])
        F = ep.fundamental_from_cameras(*P)
        for scale in (1.0, -1e4):
            one, two = tri.nearest_matches(scale * F, *xy)
            assert_allclose(one, vector[f"output_{case}_corrected1"], atol=1e-6)
            assert_allclose(two, vector[f"output_{case}_corrected2"], atol=1e-6)
        assert_allclose(tri.polynomial(P, xy), vector[f"output_{case}_points"], rtol=1e-6, atol=1e-6)


def test_vector_median(reference):
    vector = reference("vector_median")
    for count in (3, 4, 6):
        point, place = tri.vector_median(vector[f"input_{count}"])
        assert (place == vector[f"output_{count}_index"]).all()
        assert_allclose(point, vector[f"output_{count}_point"], atol=1e-12)
    poses = np.where(vector["input_pose_valid"][..., None], vector["input_pose"], np.nan)
    point, place = tri.vector_median(np.moveaxis(poses, 0, 1))
    assert (place == vector["output_pose_index"]).all()
    assert_allclose(point, vector["output_pose"], atol=1e-12)
