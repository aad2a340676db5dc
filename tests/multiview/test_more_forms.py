"""Files of Vicon's, bioCV's, DeepLabCut's and SLEAP's: hand-made, and what damaged ones say."""

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


BAD = {
    "a.xcp": ("<Cameras></Cameras>", "no video camera"),
    "b.xcp": ("<Cameras", "not XML"),
    "c.xcp": ('<Cameras><Camera NAME="v" TYPE="Vue Video"/></Cameras>', "not calibrated"),
    "d.xcp": ('<Cameras><Camera TYPE="Video"><KeyFrame FOCAL_LENGTH="x"/></Camera></Cameras>', "FOCAL_LENGTH must be"),
    "e.calib": ("1000\n1000\n1 2\n", "must hold width"),
    "f.calib": ("1000\nabc\n", "could not convert"),
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
