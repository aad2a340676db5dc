"""DeepLabCut's .h5 in both of pandas' forms and SLEAP's analysis files, as predictions."""

import json
import pickle
import re

import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets.predictions import read_predictions
from posewright.datasets.records import DataError
from posewright.scene import Scene
from posewright.skeleton import Skeleton

h5py = pytest.importorskip("h5py")
NAMES = ("nose", "left_eye", "right_eye")
THREE = Skeleton("three", NAMES, ())
PICTURES = [f"labeled-data/walk/img{n}.png" for n in range(4)]
TRUTH = [Scene(name, THREE, id=n) for n, name in enumerate(PICTURES)]
VALUES = np.random.default_rng(5).uniform(0, 90, (4, 18)).round(2)
VALUES[:, 2::3] = (VALUES[:, 2::3] / 100).round(3)
VALUES[2, 3:5] = np.nan


def columns(animals):
    heads = [("net", animal) for animal in animals] or [("net",)]
    return [(*head, part, what) for head in heads for part in NAMES for what in ("x", "y", "likelihood")]


def appended(path, animals, index):
    """Write as `to_hdf(format="table")` does; the headings are a pickle of protocol 0."""
    heads = columns(animals)
    rows = np.zeros(4, np.dtype([("index", index.dtype), ("values_block_0", "<f8", (len(heads),))]))
    rows["index"], rows["values_block_0"] = index, VALUES[:, : len(heads)]
    with h5py.File(path, "w") as file:
        file.create_dataset("df_with_missing/table", data=rows).attrs["values_block_0_kind"] = np.bytes_(
            pickle.dumps(heads, protocol=0)
        )


def fixed(path, animals, index):
    """Write as `to_hdf()` does without a format: levels and places in them; index: texts, or lists of texts."""
    heads = columns(animals)
    with h5py.File(path, "w") as file:
        group = file.create_group("df_with_missing")
        group["block0_values"] = VALUES[:, : len(heads)]
        axes = {"block0_items": list(zip(*heads, strict=True))}
        if isinstance(index, list):
            axes["axis1"] = index
        else:
            group["axis1"] = index
        for axis, levels in axes.items():
            for place, texts in enumerate(levels):
                known = sorted(set(texts))
                group[f"{axis}_level{place}"] = np.array(known, "S")
                group[f"{axis}_label{place}"] = np.array([known.index(text) for text in texts], np.int8)


def of_predictions(path, animals):
    appended(path, animals, np.arange(4))


def of_old_labels(path, animals):
    appended(path, animals, np.array(PICTURES, "S"))


def of_labels(path, animals):
    fixed(path, animals, [list(level) for level in zip(*(name.split("/") for name in PICTURES), strict=True)])


def of_labels_by_paths(path, animals):
    fixed(path, animals, np.array(PICTURES, "S"))


@pytest.mark.parametrize("animals", [(), ("one", "two")])
@pytest.mark.parametrize("write", [of_predictions, of_old_labels, of_labels, of_labels_by_paths])
def test_deeplabcuts_h5_is_read_as_its_csv(tmp_path, write, animals):
    write(tmp_path / "walk.h5", animals)
    heads = zip(*columns(animals), strict=True)
    labels = ["scorer", *(["individuals"] if animals else []), "bodyparts", "coords"]
    lines = [[label, *head] for label, head in zip(labels, heads, strict=True)]
    lines += [[name, *map(str, row)] for name, row in zip(PICTURES, VALUES[:, : len(lines[0]) - 1], strict=True)]
    (tmp_path / "walk.csv").write_text("\n".join(",".join(line) for line in lines))
    found, wanted = (read_predictions(tmp_path / f"walk.{end}", TRUTH) for end in ("h5", "csv"))
    for scene, other in zip(found, wanted, strict=True):
        assert len(scene.people) == len(other.people) == len(animals or "1")
        for person, same in zip(scene.people, other.people, strict=True):
            np.testing.assert_array_equal(person.keypoints, same.keypoints)
            np.testing.assert_array_equal(person.scores, same.scores)
    assert np.isnan(found[2].people[0].keypoints[1]).all()


@pytest.mark.parametrize("dims", [None, ("frame", "track", "node", "xy"), ("track", "xy", "node", "frame")])
def test_sleaps_analysis_is_read_by_its_axes(tmp_path, dims):
    usual = ("track", "xy", "node", "frame")
    xy = np.random.default_rng(6).uniform(0, 90, (2, 2, 3, 4))
    xy[1, :, :, 3] = np.nan
    rated = np.random.default_rng(7).uniform(0.1, 1, (2, 3, 4))
    with h5py.File(tmp_path / "a.analysis.h5", "w") as file:
        file["node_names"] = np.array(NAMES, "S")
        file["tracks"] = xy.transpose([usual.index(axis) for axis in dims or usual])
        rest = [axis for axis in dims or usual if axis != "xy"]
        file["point_scores"] = rated.transpose([("track", "node", "frame").index(axis) for axis in rest])
        if dims:
            file["tracks"].attrs["dims"] = json.dumps(dims)
            file["point_scores"].attrs["dims"] = json.dumps(rest)
    found = read_predictions(tmp_path / "a.analysis.h5", TRUTH)
    assert [len(scene.people) for scene in found] == [2, 2, 2, 1]
    np.testing.assert_array_equal(found[1].people[1].keypoints, xy[1, :, :, 1].T)
    np.testing.assert_array_equal(found[1].people[1].scores, rated[1, :, 1])


def empty(path):
    h5py.File(path, "w").close()


def evil(path):
    of_predictions(path, ())
    with h5py.File(path, "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps([print], protocol=0))


def places(path):
    of_labels(path, ())
    with h5py.File(path, "a") as file:
        file["df_with_missing/axis1_label2"][0] = 99


def strange(path):
    with h5py.File(path, "w") as file:
        file["node_names"] = np.array(NAMES, "S")
        file["tracks"] = np.zeros((2, 3, 3, 4))


def huge(path):
    with h5py.File(path, "w") as file:
        file["node_names"] = np.array(NAMES, "S")
        file.create_dataset("tracks", (2, 2, 3, 1 << 40), "f8", chunks=(1, 2, 3, 100))


def huge_table(path):
    kind = np.dtype([("index", "<i8"), ("values_block_0", "<f8", (9,))])
    with h5py.File(path, "w") as file:
        made = file.create_dataset("df_with_missing/table", (1 << 40,), kind, chunks=(100,))
        made.attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(columns(()), protocol=0))


DAMAGED = {
    empty: "holds neither SLEAP's tracks nor a table of DeepLabCut's",
    evil: "a pickle that holds more than names; refused",
    places: "axis1_level2: its places must be from 0 to 3",
    strange: r"tracks must be \(tracks, 2, 3 nodes, frames\), not \(2, 3, 3, 4\)",
    huge: "tracks promises more than",
    huge_table: "df_with_missing/table promises more than",
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_one_line(tmp_path, damage):
    damage(tmp_path / "a.h5")
    with pytest.raises(DataError, match=DAMAGED[damage]) as error:
        read_predictions(tmp_path / "a.h5", TRUTH)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
def test_changed_bytes_never_escape(tmp_path):
    of_labels(tmp_path / "a.h5", ())
    whole = (tmp_path / "a.h5").read_bytes()
    rng = np.random.default_rng(8)
    for _ in range(150):
        data = bytearray(whole)
        for place in rng.integers(0, len(data), 6):
            data[place] = rng.integers(256)
        (tmp_path / "b.h5").write_bytes(data)
        try:
            read_predictions(tmp_path / "b.h5", TRUTH)
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_it_is_scored_and_others_arrays_are_refused(tmp_path, capsys):
    of_predictions(tmp_path / "walk.h5", ())
    seen = np.column_stack(
        [VALUES[:, 0:2], np.full(4, 2), VALUES[:, 3:5], np.full(4, 2), VALUES[:, 6:8], np.full(4, 2)]
    )
    people = [
        {"id": n, "image_id": n, "category_id": 1, "keypoints": row.tolist(), "bbox": [0, 0, 90, 90],
         "area": 8100, "iscrowd": 0}
        for n, row in enumerate(seen)
    ]  # fmt: skip
    images = [{"id": n, "file_name": name, "width": 90, "height": 90} for n, name in enumerate(PICTURES)]
    kind = [{"id": 1, "name": "person", "keypoints": NAMES, "skeleton": []}]
    (tmp_path / "truth.json").write_text(json.dumps({"images": images, "annotations": people, "categories": kind}))
    words = ["--truth", str(tmp_path / "truth.json"), "--metric", "oks_ap", "--draws", "0"]
    assert main(["score", str(tmp_path / "walk.h5"), *words]) == 0
    assert re.search(r"^ *AP +1\.0000", capsys.readouterr().out, re.MULTILINE)
    np.savez(tmp_path / "walk.npz", xy=VALUES)
    assert main(["score", str(tmp_path / "walk.npz"), *words]) == 2
    assert "walk.npz: arrays; predictions must be JSON, a table, or .h5" in capsys.readouterr().err


@pytest.mark.parametrize("labelled", [False, True])
def test_sleaps_own_file(tmp_path, labelled):
    sleap = pytest.importorskip("sleap_io")
    nodes = sleap.Skeleton(nodes=[sleap.Node(name) for name in NAMES])
    video = sleap.Video(filename="walk.mp4", open_backend=False)
    points = VALUES[:, :9].reshape(4, 3, 3)
    frames = []
    for place, body in enumerate(points):
        if labelled:
            one = sleap.Instance.from_numpy(body[:, :2], skeleton=nodes)
        else:
            one = sleap.PredictedInstance.from_numpy(
                body[:, :2], skeleton=nodes, point_scores=body[:, 2], score=0.5 + place / 10
            )
        frames.append(sleap.LabeledFrame(video=video, frame_idx=place, instances=[one]))
    sleap.Labels(frames).save(str(tmp_path / "walk.slp"))
    for place, scene in enumerate(read_predictions(tmp_path / "walk.slp", TRUTH)):
        np.testing.assert_allclose(scene.people[0].keypoints, points[place, :, :2])
        there = np.isfinite(points[place, :, 0])
        np.testing.assert_allclose(scene.people[0].scores[there], 1 if labelled else points[place, there, 2])
        assert scene.people[0].score == (1 if labelled else pytest.approx(0.5 + place / 10))
