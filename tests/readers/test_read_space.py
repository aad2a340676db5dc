"""Data sets of people in space: tiny hand-made files, and what they must become."""

import json

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from posewright import datasets
from posewright.datasets import h36m, mpi_inf_3dhp, panoptic, shelf
from posewright.datasets.records import DataError
from posewright.datasets.views import instants, poses_of, sparse
from posewright.geometry import Camera
from posewright.scene import ABSENT, SEEN, Scene
from posewright.skeleton import H36M, MPI_INF_3DHP, PANOPTIC, SHELF

R = Rotation.from_euler("xyz", (100, 20, 5), degrees=True).as_matrix()
CENTRE = np.array([2.0, 3.0, 1.5])
LENS = {"f": [[1145.0], [1143.0]], "c": [[512.0], [515.0]], "k": [[-0.2], [0.24], [-0.003]], "p": [[-0.0014], [-0.001]],
        "w": 1000, "h": 1002}  # fmt: skip
FORMS = {"h36m": h36m, "mpi_inf_3dhp": mpi_inf_3dhp}


def arrays(names, skeleton, rng):
    """Draw pictures' arrays in MMPose's form: metres in the camera's frame, the second keypoint unknown."""
    count, keypoints = len(names), len(skeleton)
    seen = np.concatenate(
        [rng.uniform((-1, -1, 4), (1, 1, 6), (count, keypoints, 3)), np.ones((count, keypoints, 1))], -1
    )
    part = np.concatenate([rng.uniform(0, 1000, (count, keypoints, 2)), np.ones((count, keypoints, 1))], -1)
    part[:, 1, 2] = seen[:, 1, 3] = 0
    return {"imgname": np.array(names), "center": np.full((count, 2), 500.0), "scale": np.full(count, 2.0),
            "part": part, "S": seen}  # fmt: skip


@pytest.fixture
def human(tmp_path, rng):
    """Two cameras' pictures of subject 1, one of subject 5 and three of 9, 32 frames apart."""
    folder = tmp_path / "annotation_body3d"
    (folder / "fps10").mkdir(parents=True)
    train = ["S1/a/S1_Walking_1.54138969_000001.jpg", "S1/a/S1_Walking_1.55011271_000001.jpg",
             "S5/a/S5_Eating.54138969_000006.jpg"]  # fmt: skip
    test = [f"S9/a/S9_Walking_1.54138969_{n:06d}.jpg" for n in (1, 33, 65, 97, 161)]
    made = {split: arrays(names, H36M, rng) for split, names in (("train", train), ("test", test))}
    for split, content in made.items():
        np.savez(folder / "fps10" / f"h36m_{split}.npz", **content)
    camera = LENS | {"R": R.T.tolist(), "T": CENTRE[:, None].tolist()}
    cameras = {f"S{s}/{eye}": camera for s in (1, 5, 9) for eye in (54138969, 55011271)}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    return tmp_path, made


def test_human36m_in_mmposes_form(human):
    root, made = human
    scenes = datasets.read(root, "train")
    assert [scene.id for scene in scenes] == ["S1/Walking 1/54138969/000001", "S1/Walking 1/55011271/000001",
                                              "S5/Eating/54138969/000006"]  # fmt: skip
    (person,) = scenes[0].people
    assert (scenes[0].size, scenes[0].skeleton, person.id) == ((1000, 1002), H36M, "S1")
    assert scenes[0].image == root / "S1/a/S1_Walking_1.54138969_000001.jpg"
    np.testing.assert_allclose(scenes[0].camera.center, 1000 * CENTRE, atol=1e-9)
    assert scenes[0].camera.lens == "h36m"
    seen = scenes[0].camera.view(person.points3d)
    known = np.arange(17) != 1
    np.testing.assert_allclose(seen[known], 1000 * made["train"]["S"][0, known, :3], atol=1e-9)
    assert np.isnan(person.points3d[1]).all()
    assert person.visible.tolist() == [SEEN, ABSENT] + [SEEN] * 15
    assert person.box.tolist() == [300, 300, 700, 700]
    assert [len(views) for views in instants(scenes)] == [2, 1]
    assert [scene.id[:2] for scene in h36m.read(root, "S5")] == ["S5"]
    assert set(poses_of(scenes).action) == {"Walking", "Eating"}


def test_human36m_tests_on_every_64th_frame(human):
    root, _ = human
    assert [scene.id[-6:] for scene in h36m.read(root, "test")] == ["000001", "000065", "000161"]
    assert len(h36m.read(root, "test", every=1)) == 5


def test_every_so_many_frames_of_each_camera_by_itself():
    scenes = [Scene("none", H36M, id=f"S9/Walking/{eye}/{n}") for eye in "ab" for n in (5, 10, 15, 20)]
    assert [scene.id[-4:] for scene in sparse(scenes, 10)] == ["/a/5", "a/15", "/b/5", "b/15"]


def test_human36m_in_moons_form(write, tmp_path, rng):
    points = rng.normal(0, 300, (17, 3))
    where = {"action_idx": 2, "subaction_idx": 1, "cam_idx": 4, "frame_idx": 7}
    image = {"id": 1, "file_name": "s/a.jpg", "width": 1000, "height": 1002, **where}
    write({"images": [image]}, "annotations/Human36M_subject9_data.json")
    write({"2": {"1": {"7": points.tolist()}}}, "annotations/Human36M_subject9_joint_3d.json")
    eye = {"R": R.tolist(), "t": [10, 20, 5000], "f": [1145, 1143], "c": [512, 515]}
    write({"4": eye}, "annotations/Human36M_subject9_camera.json")
    for subject in (11,):
        for what, content in (("data", {"images": []}), ("joint_3d", {}), ("camera", {})):
            write(content, f"annotations/Human36M_subject{subject}_{what}.json")
    (scene,) = datasets.read(f"h36m:{tmp_path}", "test")
    assert (scene.id, scene.image) == ("S9/02 1/4/7", tmp_path / "s/a.jpg")
    assert scene.group == "S9/02 1"
    camera = Camera(np.array([[1145, 0, 512], [0, 1143, 515], [0, 0, 1]]), R, np.array([10, 20, 5000]))
    np.testing.assert_allclose(scene.people[0].keypoints, camera.project(points))
    np.testing.assert_array_equal(scene.people[0].points3d, points)
    image["cam_idx"] = 3
    write({"images": [image]}, "annotations/Human36M_subject9_data.json")
    with pytest.raises(DataError, match="cam_idx: there is no camera 3"):
        h36m.read(tmp_path, "test")


@pytest.fixture
def indoors(tmp_path, rng):
    """Three training pictures, one from under the ceiling, and one of the test set."""
    (tmp_path / "annotations").mkdir()
    names = [f"S1_Seq1_Cam{eye}_000010.jpg" for eye in (0, 1, 8)]
    np.savez(tmp_path / "annotations/mpi_inf_3dhp_train.npz", **arrays(names, MPI_INF_3DHP, rng))
    np.savez(tmp_path / "annotations/mpi_inf_3dhp_test_valid.npz", **arrays(["TS1_000003.jpg"], MPI_INF_3DHP, rng))
    lens = {key: LENS[key] for key in ("f", "c", "w", "h")}
    outer = lens | {"R": R.tolist(), "T": [[0.1], [0.2], [4.0]]}
    cameras = {f"S1_Seq1_Cam{eye}": outer for eye in (0, 1, 8)}
    (tmp_path / "annotations/cameras_train.json").write_text(json.dumps(cameras))
    (tmp_path / "annotations/cameras_test.json").write_text(json.dumps({"TS1": lens}))
    return tmp_path


def test_mpi_inf_3dhp(indoors):
    scenes = datasets.read(indoors, "train")
    assert [scene.id for scene in scenes] == ["S1/Seq1/0/000010", "S1/Seq1/8/000010"]
    assert {scene.group for scene in scenes} == {"S1/Seq1"}
    np.testing.assert_allclose(scenes[0].camera.t, [100, 200, 4000])
    with np.load(indoors / "annotations/mpi_inf_3dhp_train.npz") as content:
        known = np.arange(17) != 1
        seen = scenes[1].camera.view(scenes[1].people[0].points3d)
        np.testing.assert_allclose(seen[known], 1000 * content["S"][2, known, :3], atol=1e-9)
    (scene,) = datasets.read(indoors, "test")
    assert scene.id == "TS1/0/000003"
    assert scene.group == "TS1"
    np.testing.assert_array_equal(scene.camera.R, np.eye(3))
    assert len(mpi_inf_3dhp.read(indoors, "train", cameras=range(14))) == 3


def test_panoptic(write, tmp_path, rng):
    camera = {"name": "00_03", "type": "hd", "resolution": [1920, 1080], "R": R.tolist(), "t": [[1], [2], [300]],
              "K": [[1400, 0, 960], [0, 1400, 540], [0, 0, 1]], "distCoef": [-0.2, 0.1, 0, 0, 0]}  # fmt: skip
    cameras = [camera | {"name": name} for name in panoptic.CAMERAS]
    write({"cameras": cameras}, "band9/calibration_band9.json")
    joints = np.concatenate([rng.normal(0, 40, (19, 3)), np.ones((19, 1))], -1)
    joints[4, 3] = -1
    body = {"id": 3, "joints19": joints.ravel().tolist()}
    write({"bodies": [body]}, "band9/hdPose3d_stage1_coco19/body3DScene_00000007.json")
    scenes = datasets.read(tmp_path, "train")
    assert [scene.id for scene in scenes] == [f"band9/{name}/00000007" for name in panoptic.CAMERAS]
    assert {scene.group for scene in scenes} == {"band9"}
    assert scenes[0].image == tmp_path / "band9/hdImgs/00_03/00_03_00000007.jpg"
    (person,) = scenes[0].people
    assert person.id == 3
    np.testing.assert_allclose(person.points3d[0], 10 * joints[0, :3])
    assert np.isnan(person.points3d[4]).all()
    assert person.visible[4] == ABSENT
    inside = person.visible == SEEN
    np.testing.assert_allclose(person.keypoints[inside], scenes[0].camera.project(person.points3d)[inside])
    assert datasets.read(f"panoptic:{tmp_path}", "test") == []
    assert scenes[0].skeleton is PANOPTIC
    assert len(instants(scenes)) == 1


def cells(actors):
    """Return what MATLAB stores for actors of frames: a row of cells, each a column of cells that hold one cell."""
    whole = np.empty((1, len(actors)), object)
    for n, frames in enumerate(actors):
        column = np.empty((len(frames), 1), object)
        for f, points in enumerate(frames):
            column[f, 0] = np.empty((1, 1), object)
            column[f, 0][0, 0] = points
        whole[0, n] = column
    return whole


@pytest.fixture
def actors(tmp_path, rng):
    """Shelf's truth: of its 302 frames, 300 and 301 hold the first actor and 301 the second."""
    points = rng.normal((0, 0, 4), 0.3, (14, 3))
    nobody = np.zeros((1, 0))
    first = [nobody] * 300 + [points, points + 0.1]
    savemat(tmp_path / "actorsGT.mat", {"actor3D": cells([first, [nobody] * 301 + [points]])})
    return points


def told(number, camera):
    """A camera as VoxelPose's JSON has it."""
    k = camera.distortion
    return {number: {"R": camera.R.tolist(), "T": camera.center[:, None].tolist(), "fx": camera.K[0, 0],
                     "fy": camera.K[1, 1], "cx": camera.K[0, 2], "cy": camera.K[1, 2],
                     "k": [[k[0]], [k[1]], [k[4]]], "p": [[k[2]], [k[3]]]}}  # fmt: skip


def eyes():
    """Two cameras near the origin, in mm, that look along z."""
    K = np.array([[1000.0, 0, 510], [0, 1010, 380], [0, 0, 1]])
    turn = Rotation.from_euler("xyz", (3, 5, 2), degrees=True).as_matrix()
    return [Camera(K, turn, -turn @ [n * 300.0, 20, 10], [-0.1, 0.02, 0.001, 0.002, 0.003]) for n in (0, 1)]


def test_shelf(write, tmp_path, actors):
    write({**told("0", eyes()[0]), **told("1", eyes()[1])}, "calibration_shelf.json")
    scenes = datasets.read(tmp_path, "test")
    assert [scene.id for scene in scenes] == [f"shelf/{n}/{f:06d}" for f in (300, 301) for n in (0, 1)]
    assert [scene.group for scene in scenes] == [f"shelf/{f:06d}" for f in (300, 300, 301, 301)]
    assert scenes[0].image == tmp_path / "Camera0/img_000300.png"
    assert [[person.id for person in scene.people] for scene in scenes] == [[0], [0], [0, 1], [0, 1]]
    assert len(datasets.read(f"shelf:{tmp_path}", "all")) == 604
    assert scenes[0].skeleton is SHELF
    for scene, camera in zip(scenes[:2], eyes(), strict=True):
        person = scene.people[0]
        np.testing.assert_allclose(person.points3d, 1000 * actors)
        np.testing.assert_allclose(scene.camera.matrix, camera.matrix, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(scene.camera.distortion, camera.distortion)
        inside = person.visible == SEEN
        assert inside.any()
        np.testing.assert_allclose(person.keypoints[inside], camera.project(1000 * actors)[inside])


@pytest.mark.usefixtures("actors")
def test_shelfs_projection_matrices_are_cameras(tmp_path):
    (tmp_path / "Calibration").mkdir()
    for n, camera in enumerate(eyes()):
        P = camera.K @ np.column_stack([camera.R, camera.t / 1000])
        (tmp_path / f"Calibration/P{n}.txt").write_text(
            "\n".join(",".join(map(repr, map(float, row))) for row in -3 * P)
        )
    for scene, camera in zip(shelf.read(tmp_path, "test"), eyes(), strict=False):
        np.testing.assert_allclose(scene.camera.matrix, camera.matrix, rtol=1e-6, atol=1e-6)


@pytest.mark.usefixtures("actors")
def test_damaged_files_of_shelfs_are_one_line(write, tmp_path):
    def refused(says):
        with pytest.raises(DataError, match=says) as error:
            shelf.read(tmp_path, "test")
        assert "\n" not in str(error.value)

    refused("holds no calibration_shelf.json")
    (tmp_path / "P0.txt").write_text("1,2,3,x")
    refused(r"P0.txt: no projection matrix: could not")
    (tmp_path / "P0.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 0 1")
    refused(r"P0.txt: no projection matrix: 3 rows")
    good = told("0", eyes()[0])
    write({"0": {**good["0"], "T": [1, 2]}}, "calibration_shelf.json")
    refused(r"camera 0: T: must be 3 numbers")
    write(good, "calibration_shelf.json")
    for actor, says in ((np.zeros((2, 2)), "actor3D must be a cell"), (cells([[np.zeros((13, 3))]]), "must be 14 x 3"),
                        (cells([["a"]]), "must hold numbers")):  # fmt: skip
        savemat(tmp_path / "actorsGT.mat", {"actor3D": actor})
        refused(says)


@pytest.mark.parametrize(("change", "message"), [
    ({"imgname": np.array(["x.jpg"] * 3)}, "its name must be as"),
    ({"S": np.zeros((3, 16, 4))}, "S: must"),
    ({"scale": np.full(3, np.nan)}, "scale"),
])  # fmt: skip
@pytest.mark.parametrize("name", FORMS)
@pytest.mark.usefixtures("human", "indoors")
def test_damage_is_one_line(name, change, message, tmp_path):
    files = {"h36m": "annotation_body3d/fps10/h36m_train.npz", "mpi_inf_3dhp": "annotations/mpi_inf_3dhp_train.npz"}
    with np.load(tmp_path / files[name]) as content:
        np.savez(tmp_path / files[name], **(dict(content) | change))
    with pytest.raises(DataError, match=message) as error:
        FORMS[name].read(tmp_path, "train")
    assert "\n" not in str(error.value)


def test_cameras_that_are_none_are_one_line(human):
    root, _ = human
    path = root / "annotation_body3d/cameras.json"
    cameras = json.loads(path.read_text())
    cameras["S1/54138969"]["R"] = np.ones((3, 3)).tolist()
    path.write_text(json.dumps(cameras))
    with pytest.raises(DataError, match="camera S1/54138969: R: is no rotation"):
        h36m.read(root, "train")
    path.write_text(json.dumps({"S5/54138969": cameras["S5/54138969"]}))
    with pytest.raises(DataError, match="there is no camera S1/54138969"):
        h36m.read(root, "train")


@pytest.mark.parametrize("reader", [*FORMS.values(), panoptic, shelf])
def test_no_such_split(reader, tmp_path):
    with pytest.raises(DataError, match="no split 'val'"):
        reader.read(tmp_path, "val")


def test_real_samples(data_dir):
    """Points project onto the pixels that the files give: by Human3.6M's own lens exactly."""
    for name, split, count, near in (("h36m", "train", 4, 1e-3), ("mpi_inf_3dhp", "train", 2, 2),
                                     ("mpi_inf_3dhp", "test", 2, 2), ("panoptic", "all", 20, 1e-6)):  # fmt: skip
        scenes = datasets.read(data_dir / "samples" / name, split)
        assert len(scenes) == count
        for scene in scenes:
            for person in scene.people:
                off = np.abs(scene.camera.project(person.points3d) - person.keypoints)
                assert np.nanmax(off) < near
        if name != "panoptic":
            assert all(scene.image.exists() for scene in scenes)
