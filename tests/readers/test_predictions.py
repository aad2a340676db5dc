"""Anybody's predictions: every form becomes the same people, and whatever is wrong is one clear line."""

import copy
import csv
import gzip
import json
import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posewright.datasets import DataError, coco, openpose
from posewright.datasets.names import finder
from posewright.datasets.predictions import read_predictions
from posewright.datasets.synthetic import world
from posewright.datasets.truth import conventions, read_truth
from posewright.metrics import aic_map, oks_ap, shared_keypoints
from posewright.scene import Person, Scene
from posewright.skeleton import AIC, COCO, CROWDPOSE, LSP, MPII, Skeleton

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
POSE = [[10.5 + k, 20.0 + 2 * k, 0.5] for k in range(17)]
FLAT = [value for row in POSE for value in row]


@pytest.fixture
def truth() -> list[Scene]:
    """Three pictures with numbers for ids, of which the second and third have like names in two folders."""
    names = {139: "val/000000000139.jpg", 7: "a/im1.jpg", 8: "b/im1.jpg"}
    return [Scene(Path(image), COCO, id=name, size=(640, 480)) for name, image in names.items()]


def result(**change):
    return {"image_id": 139, "category_id": 1, "keypoints": FLAT, "score": 0.75} | change


def people(scenes):
    return [len(scene.people) for scene in scenes]


def read_or_refuse(path, truth):
    """The scenes, or None where the file is refused in one line that names it."""
    try:
        return read_predictions(path, truth)
    except DataError as error:
        line = str(error)
    assert str(path) in line
    assert "\n" not in line
    return None


def assert_pose(person: Person, score: float) -> None:
    np.testing.assert_array_equal(person.keypoints, np.array(POSE)[:, :2])
    assert person.score == score


def test_results_stand_beside_the_true_scenes(write, truth):
    found = read_predictions(write([result(), result(image_id=8, score=0.25), result()], "any.name"), truth)
    assert people(found) == [2, 0, 1]
    assert [scene.id for scene in found] == [139, 7, 8]
    assert [scene.image for scene in found] == [scene.image for scene in truth]
    assert_pose(found[2].people[0], 0.25)


def test_gzip_is_known_by_its_bytes(write, truth):
    path = write([result()])
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert people(read_predictions(path, truth)) == [1, 0, 0]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("val/000000000139.jpg", 0), ("/far/away/val/000000000139.jpg", 0), ("000000000139.png", 0),
        ("000000000139", 0), ("C:\\pictures\\000000000139.jpg", 0), ("other/139.jpg", 0), ("139", 0),
        ("a/im1.jpg", 1), ("deep/b/im1.png", 2), ("7", 1),
    ],
)  # fmt: skip
def test_pictures_are_found_by_what_they_are_called(write, truth, name, place):
    found = read_predictions(write([result(image_id=name)]), truth)
    assert people(found) == [int(i == place) for i in range(3)]
    assert [scene.id for scene in found] == [139, 7, 8]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["im1.jpg"], r"image_id: 'im1.jpg' may be 'a/im1.jpg' or 'b/im1.jpg'; name more of the path"),
        (["none.jpg"], r"'none.jpg' is the name of no picture of the truth, whose first is 139 \('000000000139.jpg'\)"),
        (["x/139.jpg", "139.png"], r"'139.png' and 'x/139.jpg' both seem to be picture 139"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused(write, truth, names, message):
    with pytest.raises(DataError, match=message):
        read_predictions(write([result(image_id=name) for name in names]), truth)


def test_numbers_mean_ids_where_the_truth_has_numbers(write):
    truth = [Scene("2.jpg", COCO, id=1), Scene("1.jpg", COCO, id=2)]
    assert people(read_predictions(write([result(image_id=1)]), truth)) == [1, 0]
    assert people(read_predictions(write([result(image_id="1.jpg")]), truth)) == [0, 1]


def test_numbers_mean_file_names_where_the_truth_has_texts(write):
    truth = [Scene("im/0012.jpg", COCO, id="0012"), Scene("im/0013.jpg", COCO, id="0013")]
    assert people(read_predictions(write([result(image_id=13)]), truth)) == [0, 1]


def test_frames_of_a_video_by_their_number():
    find = finder([Scene("clip/walk.mp4", COCO, id=f"clip/walk.mp4#{n}") for n in range(3)])
    assert [find([name], "file") for name in ("clip/walk.mp4#2", "walk.mp4#0", "walk_000000000001")] == [2, 0, 1]


def test_what_predict_writes_is_read_by_the_names_of_its_keypoints(tmp_path):
    scenes = [Scene(f"photos/{n}.jpg", LSP, (Person(np.full((14, 2), float(n)), score=0.5),), id=f"photos/{n}.jpg")
              for n in (1, 2)]  # fmt: skip
    coco.write_results(scenes, tmp_path / "predictions.json")
    said = {"skeleton": "lsp", "keypoints": LSP.keypoints, "limbs": LSP.limbs}
    (tmp_path / "protocol.json").write_text(json.dumps(said))
    truth = [Scene(f"images/{n}.jpg", CROWDPOSE, id=n) for n in (2, 1)]
    for path in (tmp_path, tmp_path / "predictions.json"):
        found = read_predictions(path, truth)
        assert found[0].skeleton is LSP
        assert [scene.people[0].keypoints[0, 0] for scene in found] == [2.0, 1.0]
    predicted, _, protocol = shared_keypoints(found, truth)
    assert predicted[0].skeleton.keypoints == CROWDPOSE.keypoints
    assert "left_out" not in protocol
    (tmp_path / "protocol.json").write_text(json.dumps(said | {"keypoints": ["a", "b"], "limbs": [["a", "b"]]}))
    with pytest.raises(DataError, match=r"keypoints: must be 6 numbers, as .*protocol.json names 2 keypoints, not 42"):
        read_predictions(tmp_path, truth)


@pytest.mark.parametrize(
    ("count", "of", "expected"),
    [(14, AIC, AIC), (14, LSP, LSP), (17, LSP, COCO), (16, LSP, MPII), (25, COCO, openpose.BODY_25),
     (18, COCO, openpose.COCO_18)],
)  # fmt: skip
def test_the_count_of_numbers_tells_the_skeleton(write, count, of, expected):
    path = write([result(keypoints=[1.0, 2.0, 0.5] * count)])
    assert read_predictions(path, [Scene("a", of, id=139)])[0].skeleton.keypoints == expected.keypoints


def test_a_count_that_several_skeletons_have_must_be_explained(write, truth):
    path = write([result(keypoints=[1.0, 2.0, 0.5] * 14)])
    with pytest.raises(DataError, match=r"must be 51 numbers \(coco\), not 42; if they are those of crowdpose or aic"):
        read_predictions(path, truth)
    assert read_predictions(path, truth, AIC)[0].skeleton is AIC


def test_annotations_may_be_predictions(tmp_path):
    scenes = world(4, 1, skeleton=COCO)
    path = coco.write(scenes, tmp_path)
    truth = read_truth(path)
    found = read_predictions(path, truth)
    assert oks_ap(found, truth)["AP"] == pytest.approx(1.0)
    assert {p.score for scene in found for p in scene.people} == {1.0}
    rated = [replace(s, people=tuple(replace(p, score=0.25) for p in s.people)) for s in scenes]
    found = read_predictions(coco.write(rated, tmp_path / "rated"), truth)
    assert {p.score for scene in found for p in scene.people} == {0.25}


def test_scores_beside_annotations_are_kept(write, coco_content):
    path = write(coco_content)
    truth = read_truth(path)
    coco_content["annotations"][0]["score"] = 0.375
    found = read_predictions(write(coco_content, "predicted.json"), truth)
    assert found[0].people[0].score == 0.375


def test_a_submission_to_ai_challenger(write):
    picture = {"image_id": "a", "keypoint_annotations": {"human1": [1, 2, 1] * 14}}
    truth = [Scene("b.jpg", AIC, id="b"), Scene("a.jpg", AIC, id="a")]
    found = read_predictions(write([picture, picture | {"image_id": "elsewhere"}]), truth)
    assert people(found) == [0, 1]
    assert found[1].people[0].visible is None
    with pytest.raises(DataError, match="is the name of no picture of the truth"):
        read_predictions(write([picture | {"image_id": "elsewhere"}]), truth)


def _openpose(write, name, model, *, field="pose_keypoints_2d", **more):
    numbers = [value for k in range(len(model)) for value in (100.0 + k, 200.0 + k, 0.5)]
    numbers[3:6] = [0, 0, 0]
    return write({"version": 1.3, "people": [{"person_id": [-1], field: numbers}]} | more, name)


@pytest.mark.parametrize("model", openpose.MODELS)
def test_openpose_one_file_a_picture(write, tmp_path, truth, model):
    _openpose(write, "op/000000000139_keypoints.json", model)
    write({"version": 1.3, "people": []}, "op/a_keypoints.json")
    truth.append(Scene("a.png", COCO, id=77))
    found = read_predictions(tmp_path / "op", truth)
    assert people(found) == [1, 0, 0, 0]
    (person,) = found[0].people
    assert found[0].skeleton is model
    assert np.isnan(person.keypoints[1]).all()
    assert person.score == 0.5
    predicted, _, _ = shared_keypoints(found, truth)
    (mapped,) = predicted[0].people
    for name in ("right_wrist", "left_ankle"):
        assert mapped.keypoints[predicted[0].skeleton.index(name), 0] == 100.0 + model.index(name)


def test_the_order_of_openpose_is_its_own():
    assert len(openpose.BODY_25), len(openpose.COCO_18) == (25, 18)
    assert [openpose.BODY_25.index(n) for n in ("neck", "left_wrist", "mid_hip", "left_ankle", "left_ear", "right_heel")
            ] == [1, 7, 8, 14, 18, 24]  # fmt: skip
    order = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert [COCO.keypoints[i] if i is not None else "neck" for i in order] == list(openpose.COCO_18.keypoints)
    assert [openpose.MPI_15.index(n) for n in ("head_top", "left_ankle", "chest")] == [0, 13, 14]


def test_one_file_of_openpose_and_the_old_field(write, truth):
    path = _openpose(write, "b/im1_keypoints.json", openpose.COCO_18, field="pose_keypoints")
    with pytest.raises(DataError, match="'im1' may be"):
        read_predictions(path, truth)
    assert people(read_predictions(path, truth[1:2])) == [1]


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([1.0, 2.0, 0.5] * 11, "33 numbers are of no known body; there are 75"),
        ([1.0, 2.0, -0.5] * 25, "the confidence of keypoint 0 is -0.5"),
        ([0.25, 0.5, 0.5] * 25, "all coordinates lie within 1, so they are no pixels; use --keypoint_scale 0"),
        ([1.0, float("nan"), 0.5] * 25, "number 1 is nan; all must be finite"),
        ("no", "must be a list"),
    ],
)
def test_wrong_openpose(write, tmp_path, truth, numbers, message):
    path = write({"people": [{"pose_keypoints_2d": numbers}]}, "op/000000000139_keypoints.json")
    with pytest.raises(DataError, match=message) as error:
        read_predictions(tmp_path / "op", truth)
    assert str(path) in str(error.value)


def test_people_with_hands_alone_are_left_out(write, tmp_path, truth):
    write({"people": [{"pose_keypoints_2d": [], "hand_left_keypoints_2d": [1, 2, 1]}]}, "op/139_keypoints.json")
    assert people(read_predictions(tmp_path / "op", truth)) == [0, 0, 0]


def _table(path: Path, rows: list[dict]) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _row(**more):
    return {"image": "139"} | {
        f"{k}_{c}": v for k, row in zip(COCO.keypoints, POSE, strict=True)
        for c, v in zip(("x", "y", "score"), row, strict=True)
    } | more  # fmt: skip


def test_a_table_with_named_columns(tmp_path, truth):
    rows = [_row(person=4, score=0.75), _row(image="a/im1.jpg", nose_x="", nose_y="", box_x0=1, box_y0=2, box_x1=11,
                                             box_y1=22)]  # fmt: skip
    found = read_predictions(_table(tmp_path / "mine.txt", rows), truth)
    assert people(found) == [1, 1, 0]
    assert_pose(found[0].people[0], 0.75)
    assert found[0].people[0].id == "4"
    (second,) = found[1].people
    assert np.isnan(second.keypoints[0]).all()
    assert (second.scores[0], second.score) == (0.0, 0.5)
    assert (second.box.tolist(), second.area) == ([1.0, 2.0, 11.0, 22.0], 200.0)


def test_a_table_of_some_keypoints_says_those_alone(tmp_path, truth):
    found = read_predictions(_table(tmp_path / "t.csv", [{"image": "139", "nose_x": 1, "nose_y": 2}]), truth)
    assert found[0].skeleton.keypoints == ("nose",)
    assert (found[0].people[0].score, found[0].people[0].scores) == (1.0, None)
    _, reduced, said = shared_keypoints(found, truth)
    assert reduced[0].skeleton.keypoints == ("nose",)
    assert said["pictures_without_prediction"] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,tail_x,tail_y\n", "line 1: no keypoint's columns, such as nose_x; it has image, tail_x, tail_y"),
        ("image,nose_x,nose_x\n", "line 1: column 'nose_x' stands twice"),
        ("person,nose_x,nose_y\n", "line 1: no column image"),
        ("image,nose_x,nose_score\n", "line 1: nose needs both nose_x and nose_y"),
        ("image,score\n", "line 1: no keypoint's columns, such as nose_x"),
        ("image,nose_x,nose_y\n139,1\n", "line 2: 2 cells for 3 columns"),
        ("image,nose_x,nose_y\n\n139,1,one\n", "line 3: nose_y: must be a number, not 'one'"),
        ("image,nose_x,nose_y\n139,1,nan\n", "line 2: nose: one of x and y is empty"),
        ("image,nose_x,nose_y\n139,inf,1\n", "line 2: nose_x: must be a number, not 'inf'"),
        ("image,nose_x,nose_y\n139,1,\n", "line 2: nose: one of x and y is empty"),
        ("image,nose_x,nose_y,score\n139,1,1,high\n", "line 2: score: must be a number, not"),
        ("image,nose_x,nose_y\n,1,1\n", "line 2: image: empty"),
        ("image,nose_x,nose_y\n9,1,1\n", "line 2: image: 9 is the name of no picture"),
        ('image,nose_x,nose_y\n139,"1,1\n', "line 2: "),
        ("image,nose_x,nose_y,box_x0,box_y0,box_x1,box_y1\n139,1,1,5,5,1,1\n", "line 2: box_x0, .* must be four"),
        ("image,nose_x,nose_y\n139,1,1\n\xff\n", "line 3"),
    ],
)
def test_wrong_tables(tmp_path, truth, text, message):
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=message) as error:
        read_predictions(path, truth)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def _without(**_):
    return {name: value for name, value in result().items() if name != "score"}


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 9}, "image_id: 9 is the id of no picture"),
        ({"keypoints": [1.0] * 50}, "keypoints: must be 51 numbers"),
        ({"keypoints": [float("inf")] * 51}, "keypoints: number 0 is inf"),
        ({"keypoints": ["1"] * 51}, "keypoints: number 0 is '1'"),
        ({"keypoints": 7}, "keypoints: must be a list"),
        ({"score": "high"}, "score: must be a number, not"),
        ({"score": 1e10}, r"score: must be a number from -1e\+09 to 1e\+09, not 10000000000.0"),
        ({"category_id": 18}, "category_id: "),
        ({"bbox": [1, 2, 3]}, "bbox: must be 4 numbers"),
    ],
)
def test_a_wrong_result_is_one_line_wherever_it_stands(write, truth, place, change, message):
    rows = [result(), result()]
    rows[place] = result(**change)
    path = write(rows)
    with pytest.raises(DataError, match=message) as error:
        read_predictions(path, truth)
    assert str(error.value).startswith(f"{path}: ")
    assert f"at place {place}" in str(error.value) or "category_id" in message
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("field", ["image_id", "keypoints"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_missing_field_is_named(write, truth, field, place):
    rows = [result(), result()]
    del rows[place][field]
    with pytest.raises(
        DataError, match=f"at place {place}: ({field}: missing|'annotations' is the name of no picture)|no predictions"
    ):
        read_predictions(write(rows), truth)


def test_an_empty_list_predicts_nobody(write, truth):
    assert people(read_predictions(write([]), truth)) == [0, 0, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n ", "the file is empty"),
        (b"\xff\xd8\xff\xe0", "neither JSON, which begins with"),
        (b"hello", "neither JSON"),
        (b"{oops}", "after the first { must come a name in quotes"),
        (b"[1]", "record at place 0: must be an object {...}, but begins with '1]'"),
        (b"[" * 100_000 + b"]", "not JSON: RecursionError"),
        (b'[{"a": ' * 100_000 + b"]", "record at place 0: not JSON"),
        (b'{"people": 3}', "not truth|categories: missing|must be a list"),
        (b'{"a": 1}', "no predictions: it has the fields a; what is read: COCO results"),
        (b'[{"image_id": 1, "keypo', "record at place 0: not JSON"),
        (gzip.compress(b"[]" * 9, mtime=0)[:-9], "the gzip file is cut off or damaged"),
        (b"PK\x03\x04 and more", "arrays; predictions must be JSON, a table"),
    ],
)
def test_what_is_no_predictions_file(tmp_path, truth, data, message):
    path = tmp_path / "p.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        read_predictions(path, truth)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_cut_off(write, truth):
    path = write([result(), result()])
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"not JSON: the file is cut off, it does not end with \]"):
        read_predictions(path, truth)


def test_files_that_are_not_there_and_folders_without_predictions(tmp_path, truth):
    with pytest.raises(DataError, match="no such file"):
        read_predictions(tmp_path / "none.json", truth)
    with pytest.raises(DataError, match=r"a folder that holds neither predictions.json nor OpenPose's"):
        read_predictions(tmp_path, truth)


def test_annotations_of_nobody_are_no_predictions(write, truth, coco_content):
    coco_content["annotations"] = []
    with pytest.raises(DataError, match="annotations: nobody is in it; an empty list"):
        read_predictions(write(coco_content), truth)


@pytest.mark.parametrize(
    "start", [b"", b"[", b"{", b"[{", b'{"people": [', json.dumps([result()]).encode()[:-1] + b","]
)
@pytest.mark.parametrize("byte", [b"\0", b"a", b"[", b"{", b" ", b","])
def test_nonsense_of_any_size_is_refused_without_reading_it(tmp_path, truth, start, byte):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.write(start)
        if byte == b"\0":
            file.truncate(100_000_000)
        else:
            for _ in range(100):
                file.write(byte * 1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DataError) as error:
        read_predictions(path, truth)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    path.unlink()


def _places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _places(value[key], (*path, key))


_JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([10**400, 2**63, 1e300]), st.floats(),
    st.text(max_size=5), st.just([]), st.just({}), st.lists(st.integers(-2, 2), max_size=3),
)  # fmt: skip
_FORMS = {
    "results": [result(), result(image_id=7)],
    "named": [result(image_id="a/im1.jpg"), result(image_id="139")],
    "openpose": {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [50.0, 60.0, 0.5] * 25}]},
    "submission": [{"image_id": "139", "keypoint_annotations": {"human1": [1, 2, 1] * 14}}],
}


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
@FUZZ
@given(data=st.data())
def test_a_damaged_file_never_escapes(tmp_path, form, data):
    names = {139: "val/000000000139.jpg", 7: "a/im1.jpg"}
    truth = [Scene(Path(image), COCO, id=name) for name, image in names.items()]
    content = copy.deepcopy(_FORMS[form])
    path = tmp_path / "139_keypoints.json"
    path.write_text(json.dumps(content))
    assert sum(people(read_predictions(path, truth))) >= 1
    place = data.draw(st.sampled_from([place for place in _places(content) if place]))
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = data.draw(_JUNK)
    raw = bytearray(json.dumps(content).encode())
    for _ in range(data.draw(st.integers(0, 2))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    found = read_or_refuse(path, truth)
    if found is None:
        return
    assert [scene.id for scene in found] == [139, 7]
    for person in (person for scene in found for person in scene.people):
        assert np.isfinite(person.keypoints[person.labelled]).all()
        assert person.score is not None


@FUZZ
@given(data=st.binary(max_size=200))
def test_any_bytes_behind_a_header_are_rows_or_refused(tmp_path, data):
    path = tmp_path / "t.csv"
    path.write_bytes(b"image,nose_x,nose_y,score\n" + data)
    read_or_refuse(path, [Scene("a.jpg", COCO, id=1)])


def test_crowdpose_by_its_own_conventions(data_dir):
    truth = read_truth(data_dir / "crowdpose_val.json.gz")
    detections = data_dir.parent / "reference" / "coco_ap_crowdpose_detections.json.gz"
    score = oks_ap(read_predictions(detections, truth), truth, **conventions(truth))
    assert score["AP"] == pytest.approx(0.40105041008710196, abs=1e-15)
    assert score.protocol["people"] == 7074


def test_ai_challenger_s_own_example(data_dir):
    truth = read_truth(data_dir / "aic_eval" / "annotations.json.gz")
    found = read_predictions(data_dir / "aic_eval" / "predictions.json.gz", truth)
    assert sum(people(found)) == 2752
    assert aic_map(found, truth)["mAP"] == pytest.approx(0.99674, abs=5e-6)


@pytest.mark.parametrize(
    ("spec", "split", "skeleton", "count"),
    [
        ("samples/coco/test_coco.json", "any", COCO, 4), ("coco:samples/coco", "test", COCO, 4),
        ("samples/crowdpose/test_crowdpose.json", "any", CROWDPOSE, 2), ("samples/aic/test_aic.json", "any", AIC, 3),
        ("mpii:samples/mpii/test_mpii.json", "any", MPII, 5), ("samples/mpii/test_mpii.json", "any", MPII, 5),
        ("lsp:lspet", "test", LSP, 500), ("lspet/test_joints.npz", "any", LSP, 500),
        ("mpii/valid.npz", "any", MPII, 2729), ("mpii", "valid", MPII, 2729), ("coco_mini", "val", COCO, 70),
        ("aic_eval/annotations.json.gz", "any", AIC, 1000),
    ],
)  # fmt: skip
def test_truth_by_file_or_folder(data_dir, spec, split, skeleton, count):
    name, colon, rest = spec.partition(":")
    truth = read_truth(f"{name}:{data_dir / rest}" if colon else data_dir / spec, split)
    assert (truth[0].skeleton, len(truth)) == (skeleton, count)


def test_truth_of_two_dialects_is_known_by_its_keypoints(data_dir):
    jhmdb = read_truth(data_dir / "samples" / "jhmdb" / "test_jhmdb_sub1.json")
    plain = json.loads((data_dir / "samples" / "jhmdb" / "test_jhmdb_sub1.json").read_text())
    assert jhmdb[0].people[0].keypoints[0, 0] == plain["annotations"][0]["keypoints"][0] - 1
    posetrack = read_truth(data_dir / "samples" / "posetrack18" / "annotations" / "test_posetrack18_val.json")
    assert posetrack[0].people[0].head is not None


def test_truth_needs_no_pictures(tmp_path, lsp_joints):
    np.savez(
        tmp_path / "test_joints.npz", joints=lsp_joints, name=np.array(["a.jpg", "b.jpg"]), size_hw=np.ones((2, 2))
    )
    assert [scene.id for scene in read_truth(f"lsp:{tmp_path}", "test")] == ["a", "b"]
    with pytest.raises(DataError, match="no such file; it holds the pictures"):
        __import__("posewright.datasets").datasets.read(tmp_path, "test")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([result()], "not truth; .*; these are results: are truth and predictions exchanged"),
        ([], "not truth; that is an object with images, annotations and categories"),
        ({"people": []}, "not truth; that is an object"),
    ],
)
def test_what_is_no_truth(write, content, message):
    with pytest.raises(DataError, match=message):
        read_truth(write(content))
    with pytest.raises(DataError, match="no such file or folder, nor NAME:FOLDER with NAME one of lsp, crowdpose"):
        read_truth("nowhere")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        read_truth("coco:nowhere")


def test_the_conventions_of_crowdpose_follow_its_skeleton_and_its_lack_of_areas():
    person = Person(np.ones((14, 2)), np.full(14, 2, np.uint8), box=np.array([0.0, 0, 9, 9]))
    scene = Scene("a", CROWDPOSE, (person,), id=1)
    assert conventions([scene]) == {"box_area": 0.53, "counted_by": CROWDPOSE.keypoints[:12]}
    assert conventions([replace(scene, people=(replace(person, area=5.0),))]) == {}
    assert conventions([Scene("a", LSP, (person,), id=1)]) == conventions([]) == {}
    some = CROWDPOSE.only(["neck", "left_hip"])
    assert conventions([replace(scene, skeleton=some, people=())])["counted_by"] == ("left_hip",)


def test_a_strange_skeleton_beside_predictions_is_taken_at_its_word(write, tmp_path):
    mine = Skeleton("mine", ("nose", "tail"), (("nose", "tail"),))
    write([result(keypoints=[1, 2, 0.5, 3, 4, 0.5])], "predictions.json")
    write({"skeleton": "mine", "keypoints": mine.keypoints, "limbs": mine.limbs}, "protocol.json")
    found = read_predictions(tmp_path, [Scene("a", COCO, id=139)])
    assert (found[0].skeleton.name, found[0].skeleton.keypoints) == ("mine", ("nose", "tail"))
    write({"skeleton": "mine", "keypoints": ["a", "b"], "limbs": [["a", "c"]]}, "protocol.json")
    with pytest.raises(DataError, match="keypoints and limbs must be names"):
        read_predictions(tmp_path, [Scene("a", COCO, id=139)])
