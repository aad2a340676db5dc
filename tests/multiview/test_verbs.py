"""The verbs under `posewright multiview` from files to files, and bad input in one line."""

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from posewright.cli import main
from posewright.multiview.calibrations import read_rig, write_rig
from posewright.multiview.detections.tables import write_npz
from posewright.multiview.tracks import read_points


@pytest.fixture
def files(capture, tmp_path):
    rig, views, _ = capture
    write_rig(str(tmp_path / "c.toml"), rig)
    write_npz(tmp_path / "v.npz", views)
    return tmp_path, str(tmp_path / "c.toml"), str(tmp_path / "v.npz")


def test_from_files_to_points_and_their_reasons(files, capsys, capture):
    folder, calibration, views = files
    assert main(["multiview", "check", calibration, views, "--out", str(folder / "checked")]) == 0
    assert "nothing odd" in capsys.readouterr().out
    page = (folder / "checked" / "index.html").read_text()
    assert page.count("<svg") >= 3
    for name in ("p.npz", "p.trc"):
        assert main(["multiview", "triangulate", calibration, views, "--out", str(folder / name), "--people", "1"]) == 0
    said = capsys.readouterr().out
    assert "noise learnt" in said
    error = np.linalg.norm(read_points(folder / "p.npz").xyz[:, 0] - capture[2], axis=-1)
    assert np.nanmean(error) < 13
    assert main(["multiview", "explain", str(folder / "p.trc"), "--joint", "left_knee", "--frame", "3"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "person 1, left_knee, frame 3: triangulated"
    assert len(told) == 6
    assert main(["multiview", "explain", str(folder / "p.npz"), "--out", str(folder / "page")]) == 0
    assert (folder / "page" / "index.html").read_text().count("<svg") == 2


def test_points_filtered_filled_and_turned(files):
    folder, calibration, views = files
    more = ["--up", "y", "--filter", "butterworth:6", "--fill", "5", "--sync", "--refit", "cam_2"]
    more += ["--page", str(folder / "why")]
    assert main(["multiview", "triangulate", calibration, views, "--out", str(folder / "q.csv"), *more]) == 0
    assert (folder / "why" / "index.html").read_text().count("<svg") == 2
    points = read_points(folder / "q.csv")
    assert points.up == "y"
    assert any("Butterworth" in note for note in points.notes)
    assert any("placed anew" in note for note in points.notes)
    assert 1400 < np.nanmedian(points.xyz[..., 10, 1]) < 1900


def test_calibrate_sync_and_convert(files, capsys):
    folder, calibration, views = files
    how = ["--intrinsics", calibration, "--scale", "bone=left_hip,right_hip=0.26", "--out", str(folder / "placed.toml")]
    assert main(["multiview", "calibrate", views, *how]) == 0
    placed, true = read_rig(str(folder / "placed.toml")), read_rig(calibration)
    apart = [np.linalg.norm(r.cameras["cam_0"].center - r.cameras["cam_2"].center) for r in (placed, true)]
    assert apart[0] == pytest.approx(apart[1], rel=0.02)
    assert main(["multiview", "sync", calibration, views, "--out", str(folder / "w.npz")]) == 0
    assert main(["multiview", "convert", calibration, f"panoptic:{folder / 'c.json'}"]) == 0
    assert main(["multiview", "check", str(folder / "c.json")]) == 0
    assert "read as: Panoptic" in capsys.readouterr().out


BAD = {
    "calibration of other cameras": (["triangulate", "C", "V", "--out", "DIR/p.npz"], "does not have"),
    "no such calibration": (["check", "DIR/no.toml"], "no such file"),
    "a form that is none": (["triangulate", "C", "V", "--out", "DIR/p.bvh"], "must end in"),
    "a filter that is none": (["triangulate", "C", "V", "--out", "DIR/p.npz", "--filter", "median"], "--filter"),
    "a camera that is none": (["triangulate", "C", "V", "--out", "DIR/p.npz", "--refit", "cam_9"], "no camera"),
    "no people": (["triangulate", "C", "V", "--out", "DIR/p.npz", "--people", "0"], "1 or more"),
    "points to a calibration": (["convert", "DIR/p.trc", "panoptic:DIR/c.json"], "become"),
    "no verb": (["stitch"], "there are check"),
    "a scale that is none": (["calibrate", "V", "--intrinsics", "C", "--scale", "9", "--out", "DIR/c.toml"], "--scale"),
    "a rotation that is none": (["check", "DIR/nan.toml"], "no finite number"),
    "another unit": (["check", "C", "--unit", "cm"], "says its unit"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_is_written(files, capsys, made, case):
    folder, calibration, views = files
    if case == "calibration of other cameras":
        write_rig(calibration, made.ring(3))
    text = Path(calibration).read_text()
    (folder / "nan.toml").write_text(re.sub(r"(rotation = \[\s*)[-\d.e]+", r"\1nan", text, count=1))
    before = sorted(folder.iterdir())
    words = [w.replace("DIR", str(folder)) for w in BAD[case][0]]
    words = [{"C": calibration, "V": views}.get(w, w) for w in words]
    assert main(["multiview", *words]) == 2
    said = capsys.readouterr().err
    assert BAD[case][1] in said
    assert said.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_compressed_files_are_read_or_refused_in_one_right_line(files, capsys):
    folder, calibration, views = files
    assert main(["multiview", "triangulate", calibration, views, "--out", str(folder / "p.trc")]) == 0
    for name in ("p.trc", "p.reasons.csv", "c.toml", "v.npz"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
    (folder / "p.npz.gz").write_bytes(b"")
    for name in ("p.trc.gz", "p.reasons.csv.gz"):
        assert main(["multiview", "convert", str(folder / name), str(folder / "q.npz")]) == 0
        np.testing.assert_allclose(read_points(folder / "q.npz").xyz, read_points(folder / "p.trc").xyz, atol=1e-3)
    capsys.readouterr()
    for words, said in {
        ("convert", "DIR/p.npz.gz", "DIR/r.npz"): "unpack it first",
        ("convert", "DIR/p.trc", "DIR/r.trc.gz"): "no form of points that is written",
        ("convert", "DIR/c.toml.gz", "panoptic:DIR/r.json"): "unpack it first",
        ("check", "DIR/c.toml", "DIR/v.npz.gz"): "unpack it first",
    }.items():
        assert main(["multiview", *(word.replace("DIR", str(folder)) for word in words)]) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
    assert not list(folder.glob("r.*"))


def test_the_world_is_filmed(tmp_path, capsys):
    assert main(["draw", "world", "--views", "3", "--count", "2", "--out", str(tmp_path / "w")]) == 0
    assert len(list((tmp_path / "w" / "cam_2").glob("*.png"))) == 2
    rig = read_rig(str(tmp_path / "w" / "calibration.toml"))
    with np.load(tmp_path / "w" / "keypoints.npz") as found, np.load(tmp_path / "w" / "truth.npz") as truth:
        for v, camera in enumerate(rig.cameras.values()):
            seen = found["visible"][v] > 0
            np.testing.assert_allclose(camera.project(truth["xyz"])[seen], found["xy"][v][seen], atol=1e-6)
        assert set(np.unique(found["cause"])) <= set(range(5))
    assert main(["draw", "world", "--motion", "m.npz", "--out", str(tmp_path / "x")]) == 2
    assert "--views" in capsys.readouterr().err
