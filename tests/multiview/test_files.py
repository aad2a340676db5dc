"""Calibrations, keypoints and points in files: what was written is read, real files agree, bad ones are one line."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from posewright.multiview.calibrations import KINDS, READ_ONLY, read_intrinsics, read_rig, write_rig
from posewright.multiview.detections import read_views
from posewright.multiview.detections.openpose import BODY_25B, skeleton_by
from posewright.multiview.detections.tables import write_npz
from posewright.multiview.points import PointReason
from posewright.multiview.rig import turn_up, turned
from posewright.multiview.tracks import SUFFIXES, read_points, write_points
from posewright.multiview.triangulate import triangulate_views
from posewright.multiview.views import ordered

UNITLESS = ("anipose", "opencv", "colmap")


def assert_same(one, other, distortion=True, world=True):
    for a, b in zip(one.cameras.values(), other.cameras.values(), strict=True):
        assert_allclose(b.K, a.K, atol=1e-6)
        if world:
            assert_allclose(b.R, a.R, atol=1e-6)
            assert_allclose(b.t, a.t, atol=1e-3)
        if distortion:
            assert_allclose(np.resize(b.distortion, 4), np.resize(a.distortion, 4), atol=1e-9)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in (*READ_ONLY, "h36m", "panoptic")])
def test_a_calibration_written_is_read(made, tmp_path, kind):
    rig = made.ring(3)
    path = f"{kind}:{tmp_path / ('c.toml' if kind in ('pose2sim', 'anipose', 'caliscope') else 'c')}"
    write_rig(path, rig)
    back = read_rig(path, "mm" if kind in UNITLESS else None)
    assert list(back.cameras) == list(rig.cameras)
    assert_same(rig, back)
    if kind in ("opencv", "colmap"):
        with pytest.raises(ValueError, match="say --unit"):
            read_rig(path)
        assert_same(rig, read_intrinsics(path), world=False)


def test_panoptics_world_is_turned_and_h36ms_lens_kept(made, tmp_path):
    rig, h36m = made.ring(3), made.ring(3, "h36m")
    write_rig(f"panoptic:{tmp_path / 'p.json'}", rig)
    back = read_rig(str(tmp_path / "p.json"))
    assert back.up == "-y"
    assert_same(rig, turned(back, "z"), world=False)
    point = np.array([100.0, 200.0, 900.0])
    assert_allclose(
        back.cameras["cam_0"].project(turn_up("z", "-y") @ point), rig.cameras["cam_0"].project(point), atol=1e-6
    )
    write_rig(f"h36m:{tmp_path / 'h.json'}", h36m)
    assert_same(h36m, read_rig(str(tmp_path / "h.json")))
    with pytest.raises(ValueError, match="lens"):
        write_rig(str(tmp_path / "h.toml"), h36m)


@pytest.mark.parametrize("lens", ["fisheye", "opencv"])
def test_fisheye_is_kept(made, tmp_path, lens):
    rig = made.ring(3, lens)
    write_rig(str(tmp_path / "c.toml"), rig)
    assert [c.lens for c in read_rig(str(tmp_path / "c.toml")).cameras.values()] == [lens] * 3


@pytest.mark.parametrize("source", ["x", "y", "z", "-x", "-y", "-z"])
@pytest.mark.parametrize("target", ["x", "y", "z", "-x", "-y", "-z"])
def test_turning_up_is_a_rotation_that_does_it(source, target):
    turn = turn_up(source, target)
    assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    unit = {"x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
    up = np.array(unit[source[-1]]) * (-1 if source[0] == "-" else 1)
    assert_allclose(turn @ up, np.array(unit[target[-1]]) * (-1 if target[0] == "-" else 1), atol=1e-12)


FORMS = [
    ("anipose_calibration.toml", "mm"),
    ("caliscope_camera_array.toml", None),
    ("colmap", "m"),
    ("panoptic.json", None),
]


@pytest.mark.parametrize(("name", "unit"), [*FORMS, ("easymocap", None)])
def test_the_same_cameras_in_every_tools_form(data_dir, name, unit):
    folder = data_dir / "multiview" / "formats"
    path = f"easymocap:{folder}" if name == "easymocap" else str(folder / name)
    true = read_rig(str(data_dir / "multiview" / "pose2sim_single" / "calibration" / "Calib_qualisys.toml"))
    assert_same(true, read_rig(path, unit))


@pytest.mark.parametrize("name", ["opencv_cam_01.yml", "opencv_cam_01.json"])
def test_opencvs_file(data_dir, name):
    true = read_rig(str(data_dir / "multiview" / "pose2sim_single" / "calibration" / "Calib_qualisys.toml"))
    assert_same(true.only(["cam_01"]), read_rig(str(data_dir / "multiview" / "formats" / name), "m"))


def test_qualisys_agrees_with_pose2sim_but_for_the_distortion(data_dir):
    folder = data_dir / "multiview" / "pose2sim_single" / "calibration"
    own, theirs = read_rig(str(folder / "Calib.qca.txt")), read_rig(str(folder / "Calib_qualisys.toml"))
    assert_same(own, theirs, distortion=False)
    for a, b in zip(own.cameras.values(), theirs.cameras.values(), strict=True):
        assert_allclose(a.distortion[:4], 64 * b.distortion, rtol=2e-2, atol=2e-4)
    with np.load(data_dir / "multiview" / "chessboard" / "chessboard.npz") as boards:
        assert abs(own.cameras["cam_01"].distortion[0] - boards["opencv_distortion_cam1"].ravel()[0]) < 0.02


BAD = {
    "c.toml": ("[cam_01]\nmatrix = 3\nrotation = [0, 0, 0]\ntranslation = [0, 0, 0]", "must be"),
    "broken.toml": ("[[[", "not TOML"),
    "none.toml": ("a = 1", "no table"),
    "x.qca.txt": ("<calibration><cameras></cameras></calibration>", "no camera"),
    "entities.qca.txt": ('<!DOCTYPE a [<!ENTITY b "c">]><a/>', "entities"),
    "p.pickle": ("", "pickle"),
    "p.json": ('{"cameras": []}', "no list of cameras"),
    "odd.txt": ("", "no calibration"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_calibration_is_one_line(tmp_path, name):
    text, says = BAD[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=says) as error:
        read_rig(str(tmp_path / name))
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_a_rotation_that_is_none_is_refused(made, tmp_path):
    rig = made.ring(2)
    write_rig(str(tmp_path / "c.toml"), rig)
    lines = (tmp_path / "c.toml").read_text().split("\n")
    wrong = ["rotation = [[1, 0, 0], [0, 2, 0], [0, 0, 1]]" if line.startswith("rotation") else line for line in lines]
    (tmp_path / "c.toml").write_text("\n".join(wrong))
    with pytest.raises(ValueError, match="no rotation"):
        read_rig(str(tmp_path / "c.toml"))


def write_openpose(folder, views, skeleton=BODY_25B):
    """Write made-up views as folders of OpenPose's, with the joints that both skeletons have."""
    import json

    places = views.skeleton.to(skeleton)
    for v, name in enumerate(views.cameras):
        (folder / f"{name}_json").mkdir(parents=True)
        for f in range(views.frames):
            people = []
            for p in range(views.people):
                xy, score = views.xy[v, f, p][places], views.scores[v, f, p][places]
                lost = (places < 0) | ~np.isfinite(xy[:, 0])
                numbers = np.where(lost[:, None], 0, np.column_stack([xy, score])).ravel().tolist()
                people.append({"pose_keypoints_2d": numbers})
            (folder / f"{name}_json" / f"{name}.{f:04d}.json").write_text(json.dumps({"people": people}))


def test_openpose_folders_are_read_and_ordered(capture, tmp_path):
    rig, views, _ = capture
    write_openpose(tmp_path / "pose", views)
    with pytest.raises(ValueError, match="--skeleton"):
        read_views([tmp_path / "pose"])
    found = read_views([tmp_path / "pose"], skeleton_by("openpose_body_25b"))
    backwards = list(rig.cameras)[::-1]
    found = ordered(found, backwards)
    knee = views.skeleton.index("left_knee"), BODY_25B.index("left_knee")
    assert_allclose(found.xy[0, :, 0, knee[1]], views.xy[3, :, 0, knee[0]])
    assert np.isnan(found.xy[:, :, :, BODY_25B.index("nose")]).all()
    with pytest.raises(ValueError, match="name them alike"):
        ordered(found, ["a", "b"])


@pytest.mark.parametrize(("names", "cameras", "order", "note"), [
    (["Cam02_json", "cam-01.json"], ["cam_1", "cam_2"], [1, 0], ""),
    (["Cam_1", "cam_1"], ["cam_1", "Cam_1"], [1, 0], ""),
    (["fly_B.net0", "fly_A.net0"], ["A", "B"], [1, 0], "cameras and views taken by what differs in their names: "
     "A = fly_A.net0, B = fly_B.net0"),
    (["left", "right"], ["A", "B"], [0, 1], "cameras and views taken in their order, as names differ: A = left, "
     "B = right"),
])  # fmt: skip
def test_views_find_their_cameras_by_name(made, names, cameras, order, note):
    views = replace(made.filmed(made.ring(2), made.walk(3)), cameras=tuple(names))
    found = ordered(views, cameras)
    assert (found.xy == views.xy[order]).all()
    assert found.cameras == tuple(cameras)
    assert found.notes == ((note,) if note else ())


@pytest.mark.parametrize(("names", "cameras"), [
    (["cam_1", "cam01", "cam2"], ["Cam_1", "Cam_2"]), (["cam1", "cam2"], ["cam_1", "cam_01"]),
])  # fmt: skip
def test_names_that_two_cameras_could_have_are_refused(made, names, cameras):
    views = replace(made.filmed(made.ring(len(names)), made.walk(3)), cameras=tuple(names))
    with pytest.raises(ValueError, match=r"^cam_1 and cam_?01 are the same name but for .*; which one is meant"):
        ordered(views, cameras)


def test_a_view_that_starts_later_is_absent_before(capture, tmp_path):
    _, views, _ = capture
    write_openpose(tmp_path / "pose", views)
    for f in range(10):
        (tmp_path / "pose" / "cam_1_json" / f"cam_1.{f:04d}.json").unlink()
    found = read_views([tmp_path / "pose"], BODY_25B)
    assert np.isnan(found.xy[1, :10]).all()
    assert any("unequal" in note for note in found.notes)


SHORT, NAN = (f'{{"people": [{{"pose_keypoints_2d": [{numbers}]}}]}}' for numbers in ("1, 2, 3", "NaN"))


@pytest.mark.parametrize(("text", "says"), [(SHORT, "numbers"), ("{", "OpenPose"), (NAN, "OpenPose")])
def test_a_bad_frame_is_one_line(capture, tmp_path, text, says):
    _, views, _ = capture
    write_openpose(tmp_path / "pose", views)
    file = tmp_path / "pose" / "cam_2_json" / "cam_2.0007.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=says) as error:
        read_views([tmp_path / "pose"], BODY_25B)
    assert "cam_2.0007.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_wide_and_long_tables(tmp_path):
    heads = ("scorer,a,a,a,a,a,a", "bodyparts" + 3 * ",left_eye" + 3 * ",nose", "coords" + 2 * ",x,y,likelihood")
    wide = "\n".join(heads) + "\n"
    (tmp_path / "cam_0.csv").write_text(wide + "0,1,2,.9,3,4,.5\n1,,,,5,6,.25\n")
    views = read_views([tmp_path / "cam_0.csv"])
    assert views.skeleton.keypoints == ("left_eye", "nose")
    assert_allclose(views.xy[0, :, 0], [[[1, 2], [3, 4]], [[np.nan, np.nan], [5, 6]]])
    assert_allclose(views.scores[0, :, 0], [[0.9, 0.5], [np.nan, 0.25]])
    long = "sync_index,port,point_id,img_loc_x,img_loc_y\n0,0,3,1,2\n0,1,3,5,6\n2,1,4,7,8\n"
    (tmp_path / "xy.csv").write_text(long)
    views = read_views([tmp_path / "xy.csv"])
    assert views.cameras == ("cam_0", "cam_1")
    assert_allclose(views.xy[1, [0, 2], 0, [0, 1]], [[5, 6], [7, 8]])
    assert np.isnan(views.scores).all()


def test_views_written_are_read(capture, tmp_path):
    _, views, _ = capture
    write_npz(tmp_path / "v.npz", views)
    back = read_views([tmp_path / "v.npz"])
    assert_allclose(back.xy, views.xy)
    assert back.cameras == views.cameras
    assert back.fps == 30


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_points_written_are_read(capture, tmp_path, suffix):
    if suffix == ".c3d":
        pytest.importorskip("ezc3d")
    rig, views, _ = capture
    xy = views.xy.copy()
    xy[:, 20:25, 0, 3] = np.nan
    points = triangulate_views(rig, replace(views, xy=xy, start=7))
    points = replace(points, doubts=("cam_1 disagrees: it was moved",))
    files = write_points(tmp_path / f"p{suffix}", points)
    back = read_points(files[0])
    assert_allclose(back.xyz, points.xyz, atol=6e-4)
    assert (back.reason == points.reason).all()
    assert back.skeleton.keypoints == points.skeleton.keypoints
    assert back.start == 7
    assert back.fps == 30
    beside = read_points(files[-1])
    assert (beside.views == points.views).all()
    assert_allclose(beside.covariance, points.covariance, rtol=1e-4, atol=1e-3)
    assert_allclose(beside.error, points.error, rtol=1e-4, atol=1e-4)
    assert beside.doubts == points.doubts
    assert (beside.up, list(beside.notes)) == ("z", [" ".join(n.split()) for n in points.notes])


def test_a_trc_is_what_opensim_reads(capture, tmp_path):
    rig, views, _ = capture
    points = triangulate_views(rig, views)
    gone = points.reason.copy()
    gone[3, 0, 2] = PointReason.TOO_FEW
    xyz = points.xyz.copy()
    xyz[3, 0, 2] = np.nan
    write_points(tmp_path / "p.trc", replace(points, xyz=xyz, reason=gone))
    lines = (tmp_path / "p.trc").read_text().split("\n")
    assert lines[1].split("\t")[4] == "Units"
    assert lines[2].split("\t")[2:5] == ["90", "17", "m"]
    assert lines[3].split("\t")[2::3][:2] == ["pelvis", "right_hip"]
    row = lines[6 + 3].split("\t")
    assert len(row) == 2 + 3 * 17
    assert row[2 + 6 : 2 + 9] == ["", "", ""]
    assert float(row[2]) == pytest.approx(points.xyz[3, 0, 0, 0] / 1000, abs=1e-6)


def test_peers_files_are_read(data_dir):
    pytest.importorskip("ezc3d")
    results = data_dir / "multiview" / "pose2sim_single" / "results"
    one, other = (
        read_points(results / "single_0-99_filt_butterworth.trc"),
        read_points(results / "single_0-99_filt_butterworth.c3d"),
    )
    assert one.skeleton.keypoints == other.skeleton.keypoints
    assert np.nanmax(np.abs(one.xyz[: len(other.xyz)] - other.xyz)) < 1.01, "their .c3d is in whole mm"


@pytest.mark.parametrize("name", ["p.trc", "p.csv", "p.npz", "p.c3d", "p.bvh"])
def test_bad_points_are_one_line(tmp_path, name):
    if name.endswith("c3d"):
        pytest.importorskip("ezc3d")
    (tmp_path / name).write_text("nothing of the kind\n")
    with pytest.raises(ValueError, match=name) as error:
        read_points(tmp_path / name)
    assert "\n" not in str(error.value)


def test_what_predict_wrote_is_read(tmp_path):
    import json

    folder = tmp_path / "poses" / "cam_1"
    folder.mkdir(parents=True)
    people = [(2, [1, 2, 0.5, 3, 4, 0.25]), (2, [5, 6, 0.5, 7, 8, 1]), (4, [9, 9, 1, 9, 9, 1])]
    results = [{"image_id": f"a/v1.mp4#{f}", "category_id": 1, "keypoints": numbers} for f, numbers in people]
    (folder / "predictions.json").write_text(json.dumps(results))
    with pytest.raises(ValueError, match="--skeleton"):
        read_views([tmp_path / "poses"])
    protocol = {"skeleton": "two", "keypoints": ["left_eye", "right_eye"], "limbs": [["left_eye", "right_eye"]]}
    (folder / "protocol.json").write_text(json.dumps(protocol))
    views = read_views([tmp_path / "poses"])
    assert (views.start, views.frames, views.people) == (2, 3, 2)
    assert_allclose(views.xy[0, 0, 1], [[5, 6], [7, 8]])
    assert_allclose(views.scores[0, 0, 0], [0.5, 0.25])
    assert np.isnan(views.xy[0, 1]).all()
