"""Files of Vicon's, bioCV's, DeepLabCut's and SLEAP's: hand-made, and what damaged ones say."""

import json
import struct

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from posewright.multiview.calibrations import read_rig, write_rig
from posewright.multiview.detections import read_views

h5py = pytest.importorskip("h5py")


def xcp(rig, radial="0 0"):
    """Vicon's file of a rig without its lenses, with a camera that tracks markers."""
    rows = ['<Camera DEVICEID="9" TYPE="VantageV5" SENSOR_SIZE="2432 2048"/>']
    for n, (name, camera) in enumerate(rig.cameras.items()):
        x, y, z, w = Rotation.from_matrix(camera.R.T).as_quat()
        C, K = camera.center, camera.K
        rows.append(
            f'<Camera NAME="{name}" DEVICEID="{n}" TYPE="Vue Video" PIXEL_ASPECT_RATIO="{K[0, 0] / K[1, 1]}" '
            f'SENSOR_SIZE="1000 1000"><KeyFrames><KeyFrame FOCAL_LENGTH="{K[0, 0]}" ORIENTATION="{x} {y} {z} {w}" '
            f'POSITION="{C[0]} {C[1]} {C[2]}" PRINCIPAL_POINT="{K[0, 2]} {K[1, 2]}" '
            f'VICON_RADIAL2="ViconRadial2 500 505 0 {radial}"/></KeyFrames></Camera>'
        )
    return "<Cameras>" + "".join(rows) + "</Cameras>"


def test_vicon(made, tmp_path):
    rig = made.ring(3)
    (tmp_path / "c.xcp").write_text(xcp(rig))
    found = read_rig(str(tmp_path / "c.xcp"))
    assert list(found.cameras) == list(rig.cameras)
    assert any("left out" in note for note in found.notes)
    for a, b in zip(rig.cameras.values(), found.cameras.values(), strict=True):
        assert_allclose(b.K, a.K, atol=1e-6)
        assert_allclose(b.matrix, a.matrix, rtol=1e-9, atol=1e-6)
    with pytest.raises(ValueError, match="is read, not written"):
        write_rig(f"vicon:{tmp_path / 'd.xcp'}", rig)


def test_vicons_lens_leads_from_the_picture_to_the_ray(made, tmp_path):
    (tmp_path / "c.xcp").write_text(xcp(made.ring(1), "3e-8 1e-15"))
    camera = read_rig(str(tmp_path / "c.xcp")).cameras["cam_0"]
    image = np.array([[620.0, 505.0], [500.0, 300.0], [100.0, 505.0]])
    away = (image - [500, 505]) * [1, camera.K[0, 0] / camera.K[1, 1]]
    square = (away**2).sum(-1, keepdims=True)
    assert_allclose(camera.rays(image) * camera.K[0, 0], away * (1 + 3e-8 * square + 1e-15 * square**2), atol=0.05)


def test_biocv(made, tmp_path):
    rig = made.ring(2)
    for name, c in rig.cameras.items():
        K, RT = c.K, np.column_stack([c.R, c.t])
        rows = ["1000", "1000", *(" ".join(map(repr, map(float, row))) for row in K), ""]
        rows += [*(" ".join(map(repr, map(float, row))) for row in RT), "0 0 0 1", ""]
        (tmp_path / f"{name}.calib").write_text("\n".join([*rows, " ".join(map(str, c.distortion)), ""]))
    found = read_rig(str(tmp_path))
    for a, b in zip(rig.cameras.values(), found.cameras.values(), strict=True):
        assert_allclose(b.matrix, a.matrix, rtol=1e-9)
        assert_allclose(b.distortion, a.distortion)
    assert found.sizes["cam_1"] == (1000, 1000)


def theia(rig, **other):
    """Theia's file of a rig."""
    rows = ['<camera active="0" serial="off"/>']
    for name, c in rig.cameras.items():
        turn = " ".join(f'r{i + 1}{j + 1}="{c.R[i, j]}"' for i in range(3) for j in range(3))
        k = {f"radialDistortion{n}": c.distortion[at] for n, at in ((1, 0), (2, 1), (3, 4))}
        inside = {"focallength": 8, "sensorMinU": 0, "sensorMaxU": 1000, "sensorMinV": 0, "sensorMaxV": 900,
                  "focalLengthU": c.K[0, 0], "focalLengthV": c.K[1, 1], "centerPointU": c.K[0, 2],
                  "centerPointV": c.K[1, 2], "skew": 0, **k, "tangentalDistortion1": c.distortion[2],
                  "tangentalDistortion2": c.distortion[3], **other}  # fmt: skip
        rows.append(
            f'<camera active="1" serial="{name}" viewrotation="0"><transform x="{c.t[0]}" y="{c.t[1]}" z="{c.t[2]}" '
            f"{turn}/><intrinsic " + " ".join(f'{key}="{value}"' for key, value in inside.items()) + "/></camera>"
        )
    return "<calibration><cameras>" + "".join(rows) + "</cameras></calibration>"


def test_theia(made, tmp_path):
    rig = made.ring(3)
    (tmp_path / "c.txt").write_text(theia(rig))
    found = read_rig(str(tmp_path / "c.txt"))
    assert list(found.cameras) == list(rig.cameras)
    assert any("not active: off" in note for note in found.notes)
    assert found.sizes["cam_1"] == (1000, 900)
    for a, b in zip(rig.cameras.values(), found.cameras.values(), strict=True):
        assert_allclose(b.matrix, a.matrix, rtol=1e-9, atol=1e-9)
        assert_allclose(b.distortion, a.distortion)
    for other, says in (({"skew": "x"}, "<intrinsic> must hold numbers"), ({"focalLengthU": 0}, "must be more than 0")):
        (tmp_path / "d.txt").write_text(theia(rig, **other))
        with pytest.raises(ValueError, match=rf"d.txt: camera cam_0: .*{says}") as error:
            read_rig(str(tmp_path / "d.txt"))
        assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="is read, not written"):
        write_rig(f"theia:{tmp_path / 'd.txt'}", rig)


BAD = {
    "a.xcp": ("<Cameras></Cameras>", "no video camera"),
    "b.xcp": ("<Cameras", "not XML"),
    "c.xcp": ('<Cameras><Camera NAME="v" TYPE="Vue Video"/></Cameras>', "not calibrated"),
    "d.xcp": ('<Cameras><Camera TYPE="Video"><KeyFrame FOCAL_LENGTH="x"/></Camera></Cameras>', "FOCAL_LENGTH must be"),
    "e.calib": ("1000\n1000\n1 2\n", "must hold width"),
    "f.calib": ("1000\nabc\n", "could not convert"),
    "g.txt": ("<camera 1", "not XML"),
    "h.txt": ("<calibration><camera><intrinsic/></camera></calibration>", "holds no <transform>"),
    "i.txt": ("<calibration/>", "no camera that films"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calibrations_are_one_line(tmp_path, name):
    (tmp_path / name).write_text(BAD[name][0])
    with pytest.raises(ValueError, match=BAD[name][1]) as error:
        read_rig(str(tmp_path / name))
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_sleaps_analysis(tmp_path, rng):
    xy = rng.uniform(0, 500, (2, 2, 3, 5))
    with h5py.File(tmp_path / "cam_1.analysis.h5", "w") as file:
        file["tracks"] = xy
        file["node_names"] = np.array([b"nose", b"left_eye", b"right_eye"])
        file["point_scores"] = np.full((2, 3, 5), 0.7)
    views = read_views([tmp_path / "cam_1.analysis.h5"])
    assert views.cameras == ("cam_1",)
    assert views.skeleton.keypoints == ("nose", "left_eye", "right_eye")
    assert_allclose(views.xy[0, 4, 1, 2], xy[1, :, 2, 4])
    assert (views.scores == 0.7).all()


def table_of(path, names, values):
    """A table as pandas writes it; names as a pickle of protocol 0."""
    import pickle

    kind = np.dtype([("index", "<i8"), ("values_block_0", "<f8", (values.shape[1],))])
    rows = np.zeros(len(values), kind)
    rows["index"], rows["values_block_0"] = np.arange(len(values)) + 10, values
    with h5py.File(path, "w") as file:
        made = file.create_dataset("df_with_missing/table", data=rows)
        made.attrs["values_block_0_kind"] = pickle.dumps(names, protocol=0)


def test_deeplabcuts_table(tmp_path, rng):
    values = rng.uniform(0, 1, (4, 6))
    table_of(tmp_path / "a.h5", [("net", k, c) for k in ("nose", "tail") for c in ("x", "y", "likelihood")], values)
    views = read_views([tmp_path / "a.h5"])
    assert views.start == 10
    assert_allclose(views.xy[0, 2, 0, 1], values[2, 3:5])
    assert_allclose(views.scores[0, :, 0, 0], values[:, 2])


def test_a_pickle_that_does_more_is_refused(tmp_path):
    table_of(tmp_path / "a.h5", [print], np.zeros((2, 1)))
    with pytest.raises(ValueError, match="refused"):
        read_views([tmp_path / "a.h5"])
    (tmp_path / "b.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not an HDF5"):
        read_views([tmp_path / "b.h5"])


def test_deeplabcuts_own_file_is_its_csv(data_dir):
    folder = data_dir / "multiview" / "formats"
    one, other = (read_views([folder / f"dlc_cam01.{end}"]) for end in ("csv", "h5"))
    assert one.skeleton.keypoints == other.skeleton.keypoints
    assert_allclose(one.xy, other.xy, atol=1e-6)


def slp_of(path, people, videos=("cam_1.mp4",), form=1.4, names=("nose", "tail")):
    """SLEAP's file: people of (video, frame, labelled, track, from_predicted, xy (K, 2))."""
    ids = ("instance_id", "track", "from_predicted")
    instance = [*((name, "i8") for name in ids), ("instance_type", "u1"), ("score", "f4"),
                *((f"point_id_{end}", "u8") for end in ("start", "end"))]  # fmt: skip
    point = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
    whole = [(n, "u8") for n in ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end")]
    frames, instances, points, predicted = [], [], [], []
    for n, (video, frame, labelled, track, source, xy) in enumerate(people):
        if not frames or frames[-1][1:3] != (video, frame):
            frames.append((len(frames), video, frame, n, n))
        frames[-1] = (*frames[-1][:4], n + 1)
        rows = points if labelled else predicted
        instances.append((n, track, source, 0 if labelled else 1, 0.5, len(rows), len(rows) + len(xy)))
        rows += [(x, y, bool(np.isfinite(x)), True, *(() if labelled else (0.6,))) for x, y in xy]
    told = {"skeletons": [{"nodes": [{"id": n} for n in range(len(names))]}], "nodes": [{"name": n} for n in names]}
    with h5py.File(path, "w") as file:
        file["frames"], file["instances"] = np.array(frames, whole), np.array(instances, instance)
        file["points"], file["pred_points"] = np.array(points, point), np.array(predicted, [*point, ("score", "f8")])
        file["videos_json"] = [json.dumps({"filename": video}).encode() for video in videos]
        file.create_group("metadata").attrs.update({"format_id": form, "json": json.dumps(told)})


def test_sleaps_own_file(tmp_path):
    at = np.array([[10.0, 20.0], [30.0, np.nan]])
    people = [(0, 3, False, 0, -1, at + 1), (0, 3, False, 1, -1, at + 2), (0, 3, True, 1, -1, at + 3),
              (0, 5, False, -1, -1, at + 4), (0, 5, True, -1, 3, at + 5)]  # fmt: skip
    slp_of(tmp_path / "cam_1.slp", people)
    views = read_views([tmp_path])
    assert (views.cameras, views.start, views.xy.shape) == (("cam_1",), 3, (1, 3, 2, 2, 2))
    assert views.skeleton.keypoints == ("nose", "tail")
    assert_allclose(views.xy[0, :, :, 0, 0], [[11, 13], [np.nan] * 2, [15, np.nan]])
    assert_allclose(views.scores[0, :, :, 0], [[0.6, 1], [np.nan] * 2, [1, np.nan]])
    assert np.isnan(views.xy[..., 1, :]).all()
    slp_of(tmp_path / "old.slp", people[:1], form=1.0)
    assert_allclose(read_views([tmp_path / "old.slp"]).xy[0, 0, 0, 0], [10.5, 20.5])


def test_a_file_of_sleaps_with_several_videos_is_as_many_views(tmp_path):
    at = np.array([[10.0, 20.0], [30.0, 40.0]])
    slp_of(
        tmp_path / "all.slp", [(1, 0, False, -1, -1, at), (0, 0, False, -1, -1, at + 1)], ["a\\left.mp4", "right.mp4"]
    )
    views = read_views([tmp_path / "all.slp"])
    assert views.cameras == ("left", "right")
    assert_allclose(views.xy[:, 0, 0, 0, 0], [11, 10])


def test_bad_files_of_sleaps_are_one_line(tmp_path):
    with h5py.File(tmp_path / "a.slp", "w") as file:
        file["frames"] = [1]
    (tmp_path / "b.slp").write_bytes(b"nothing")
    slp_of(tmp_path / "c.slp", [])
    slp_of(tmp_path / "d.slp", [(0, 0, False, -1, -1, np.zeros((3, 2)))])
    for name, says in (("a", "it lacks instances"), ("b", "not an HDF5"), ("c", "nobody"), ("d", "not an HDF5")):
        with pytest.raises(ValueError, match=says) as error:
            read_views([tmp_path / f"{name}.slp"])
        assert f"{name}.slp" in str(error.value)
        assert "\n" not in str(error.value)


def test_sleap_ios_own_file_is_deeplabcuts(data_dir):
    folder = data_dir / "multiview" / "formats"
    one, other = read_views([folder / "sleap_cam01.slp"]), read_views([folder / "dlc_cam01.csv"])
    assert one.skeleton.keypoints == other.skeleton.keypoints
    known = np.isfinite(other.xy[:, :20])
    assert known.mean() > 0.9
    assert_allclose(one.xy[known], other.xy[:, :20][known], atol=1e-3)
    assert_allclose(one.scores[known[..., 0]], other.scores[:, :20][known[..., 0]], atol=1e-4)


def colmap_of(folder, rig, model=4, points=2):
    """COLMAP's two binary files; each picture with so many points, which are left out."""
    lenses, images = struct.pack("<Q", len(rig.cameras)), struct.pack("<Q", len(rig.cameras))
    for n, (name, c) in enumerate(rig.cameras.items(), 1):
        numbers = [c.K[0, 0], c.K[1, 1], c.K[0, 2] + 0.5, c.K[1, 2] + 0.5, *c.distortion[:4]]
        lenses += struct.pack("<iiQQ8d", n, model, 1000, 1000, *numbers)
        x, y, z, w = Rotation.from_matrix(c.R).as_quat()
        images += struct.pack("<i7di", n, w, x, y, z, *(c.t / 1000), n) + f"{name}.png".encode() + b"\0"
        images += struct.pack("<Q", points) + struct.pack("<ddq", 1, 2, -1) * points
    (folder / "cameras.bin").write_bytes(lenses)
    (folder / "images.bin").write_bytes(images)


def test_colmaps_binary_files(made, tmp_path):
    rig = made.ring(3)
    colmap_of(tmp_path, rig)
    found = read_rig(str(tmp_path), "m")
    assert list(found.cameras) == list(rig.cameras)
    assert found.sizes == rig.sizes
    for a, b in zip(rig.cameras.values(), found.cameras.values(), strict=True):
        assert_allclose(b.K, a.K, atol=1e-9)
        assert_allclose(b.distortion, a.distortion)
        assert_allclose(b.matrix, a.matrix, rtol=1e-9, atol=1e-6)
    write_rig(f"colmap:{tmp_path / 'text'}", rig)
    again = read_rig(str(tmp_path / "text"), "mm")
    assert_allclose(again.cameras["cam_1"].matrix, found.cameras["cam_1"].matrix, rtol=1e-9)


def test_damaged_files_of_colmaps_are_one_line(made, tmp_path):
    colmap_of(tmp_path, made.ring(2))
    whole = (tmp_path / "images.bin").read_bytes()
    for length in (0, 5, 40, 80, len(whole) - 60, len(whole) - 1):
        (tmp_path / "images.bin").write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cut off or damaged"):
            read_rig(str(tmp_path), "m")
    (tmp_path / "images.bin").write_bytes(whole)
    colmap_of(tmp_path, made.ring(2), model=9)
    with pytest.raises(ValueError, match="camera model number 9; there are 0 to 6"):
        read_rig(str(tmp_path), "m")
    (tmp_path / "images.bin").write_bytes(struct.pack("<Q", 0))
    with pytest.raises(ValueError, match=r"cameras.bin: camera model"):
        read_rig(str(tmp_path), "m")
    colmap_of(tmp_path, made.ring(2))
    (tmp_path / "images.bin").write_bytes(struct.pack("<Q", 0))
    with pytest.raises(ValueError, match=r"images.bin: names no picture"):
        read_rig(str(tmp_path), "m")
