"""Exported pictures and foreign predictions: the same study as the built-in path, and no file from elsewhere."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
import pytest

from posewright import load, picture
from posewright.cli import main
from posewright.datasets import DataError, coco
from posewright.datasets.detections import read_boxes
from posewright.datasets.records import record_of
from posewright.datasets.synthetic import world
from posewright.robustness import people_for, standard_attacks, study
from posewright.robustness.answers.export import export, read_manifest, with_pixels
from posewright.robustness.answers.foreign import score_predictions
from posewright.robustness.answers.truth import Asked, asked_of, told
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.attacks.subjects import cut_for, subjects
from posewright.scene import Person, Scene, translated
from posewright.skeleton import COCO, LSP

DRAWS = 200
FILES = ("effects.csv", "influence.csv", "people.json")


class Oracle:
    """Know the truth of clean crops; err the further the more of a crop has changed, by noise that its pixels seed.

    A stranger stands in a corner of every third crop, and every fifth loses a keypoint.
    """

    def __init__(self, people, harm=1.0):
        self.people, self.harm = people, harm

    def __call__(self, pixels, _boxes):
        rng = np.random.default_rng(crc32(np.ascontiguousarray(pixels)))
        same = [p for p in self.people if p.crop.pixels.shape == pixels.shape]
        changed = [np.mean(cv2.inRange(cv2.absdiff(p.crop.pixels, pixels), 0, 0) == 0) for p in same]
        truth = same[int(np.argmin(changed))].truth.keypoints
        noise = 2 + 400 * self.harm * min(changed)
        keypoints = np.where(np.isnan(truth), 5.25, truth) + rng.normal(0, noise, truth.shape)
        scores = rng.random(len(truth))
        if rng.integers(5) == 0:
            keypoints[rng.integers(len(truth))] = np.nan
        found = [Person(keypoints, scores=scores, score=float(rng.random()))]
        stranger = Person(rng.random(truth.shape) * 9, scores=scores / 2, score=0.99)
        return [stranger, *found] if rng.integers(3) == 0 else found


@pytest.fixture(scope="module")
def scenes():
    return world(4, 3, size=(160, 128), people=(1, 2))


@pytest.fixture(scope="module")
def people(scenes):
    return people_for(None, scenes)


@pytest.fixture(scope="module")
def listed():
    some = standard_attacks(COCO, ["keypoints", "parts"], ["blackout", "blur"])[::5]
    return [*some, *standard_attacks(COCO, ["radii"], ["meanout"], [6, 18])]


@pytest.fixture(scope="module")
def place(tmp_path_factory, scenes, people, listed):
    """A folder with exported pictures and the study that the estimator itself is in."""
    place = tmp_path_factory.mktemp("study")
    export(scenes, people, place / "occluded", listed, protocol={"data": "world"})
    study(Oracle(people), scenes, listed, out=place / "own", draws=DRAWS)
    return place


def run_tool(folder, estimator, keep=bool):
    """Run an estimator as a stranger would: on the files, at the boxes of annotations.json; return COCO's scenes."""
    boxes = read_boxes(folder / "annotations.json")
    images = json.loads((folder / "annotations.json").read_text())["images"]
    found = []
    for image in images:
        file = folder / image["file_name"]
        if keep(file.name):
            said = estimator(picture.read(file), [one.box for one in boxes[file.name]])
            found.append(Scene(file, COCO, tuple(said), id=image["id"]))
    return found


def numbers(folder):
    content = json.loads((folder / "study.json").read_text())
    return {key: value for key, value in content.items() if key != "protocol"}


def predicted(place, people, name, keep=bool):
    coco.write_results(run_tool(place / "occluded", Oracle(people), keep), place / f"{name}.json")
    return place / f"{name}.json"


def test_a_foreign_tool_gives_the_same_study_to_the_last_digit(place, people):
    found = score_predictions(place / "occluded", predicted(place, people, "coco"), place / "theirs", draws=DRAWS)
    assert numbers(place / "theirs") == numbers(place / "own")
    for name in FILES:
        assert (place / "theirs" / name).read_bytes() == (place / "own" / name).read_bytes()
    assert found.protocol["notes"] == []
    values = [effect.value for some in found.changes.values() for effect in some.values()]
    assert np.nanmin(values) < -0.1, "an attack that changes nothing would hold any law"


def test_answers_on_disk_are_the_same_too(place, people):
    score_predictions(place / "occluded", predicted(place, people, "coco"), place / "theirs", draws=1)
    for file in sorted((place / "own" / "answers").iterdir()):
        with np.load(file) as own, np.load(place / "theirs" / "answers" / file.name) as theirs:
            for field in ("keypoints", "scores", "score", "covered", "attacked"):
                np.testing.assert_array_equal(own[field], theirs[field], f"{file.name}: {field}")


def test_a_table_gives_the_same_study_as_well(place, people):
    names = ["image", "score", *(f"{k}_{c}" for k in COCO.keypoints for c in ("x", "y", "score"))]
    with (place / "table.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(names)
        for scene in run_tool(place / "occluded", Oracle(people)):
            for person in scene.people:
                cells = [
                    ["", "", ""] if np.isnan(x) else [repr(float(v)) for v in (x, y, s)]
                    for (x, y), s in zip(person.keypoints, person.scores, strict=True)
                ]
                rows.writerow([scene.image.name, repr(person.score), *(cell for some in cells for cell in some)])
    score_predictions(place / "occluded", place / "table.csv", place / "table", draws=DRAWS)
    assert numbers(place / "table") == numbers(place / "own")


def test_the_embedded_model_gives_the_same_study_through_predict(tmp_path):
    estimator = load("default")
    scenes = translated(world(3, 5, people=(1, 2)), LSP)
    people = people_for(estimator, scenes, most=3)
    some = standard_attacks(LSP, ["keypoints", "parts"], ["blackout"])[::6]
    study(estimator, scenes, some, out=tmp_path / "own", most=3, draws=DRAWS)
    manifest = export(translated(scenes, LSP), people, tmp_path / "occluded", some)
    how = ["--model", "default", "--boxes", f"{tmp_path}/occluded/annotations.json"]
    assert main(["predict", f"{tmp_path}/occluded/pictures", *how, "--out", f"{tmp_path}/said"]) == 0
    score_predictions(manifest, tmp_path / "said", tmp_path / "theirs", draws=DRAWS)
    assert numbers(tmp_path / "theirs") == numbers(tmp_path / "own")
    for name in FILES:
        assert (tmp_path / "theirs" / name).read_bytes() == (tmp_path / "own" / name).read_bytes()


def test_the_crop_of_a_crop_is_the_crop(scenes):
    for how in ({}, cut_for(load("default"))):
        for one in subjects(scenes, **how):
            alone = Scene(one.crop.pixels, one.crop.skeleton, (replace(one.truth, box=one.box, area=None),))
            again = subjects([alone], **({"size": one.crop.warp.size} | how))[0]
            np.testing.assert_array_equal(again.crop.pixels, one.crop.pixels)
            np.testing.assert_allclose(again.truth.keypoints, one.truth.keypoints, atol=1e-4)


def test_boxes_survive_x_y_width_height(people, place):
    boxes = read_boxes(place / "occluded" / "annotations.json")
    for n, one in enumerate(people):
        np.testing.assert_array_equal(boxes[f"clean-{n:06d}.png"][0].box, one.box)


def test_whom_a_study_asks_about_comes_back_to_the_last_bit(scenes, people):
    content = json.loads(json.dumps(told(Asked(scenes, people))))
    back = asked_of(record_of(content, "people"))
    assert told(back) == content
    for before, after in zip(people, back.people, strict=True):
        assert len(before.crop.people) == len(after.crop.people)
        for a, b in zip((before.truth, *before.crop.people), (after.truth, *after.crop.people), strict=True):
            np.testing.assert_array_equal(a.keypoints, b.keypoints)
            np.testing.assert_array_equal(a.visible, b.visible)
            assert a.area == b.area
    assert back.people[0].crop.skeleton is COCO


def test_pictures_without_predictions_are_misses(place, people, listed):
    name = listed[0].name
    file = predicted(place, people, "missing", lambda file: file != f"{name}-000001.png" and file != "clean-000000.png")
    found = score_predictions(place / "occluded", file, draws=1)
    count = sum(one.file is not None for one in read_manifest(place / "occluded").pictures)
    assert found.protocol["notes"] == [f"2 of {count} pictures have no prediction and count as misses"]
    whole = json.loads((place / "own" / "study.json").read_text())
    assert found.clean["all"].value < whole["clean"]["all"]["value"]


def test_an_attack_without_any_prediction_is_a_miss_as_where_the_estimator_finds_nobody(place, people, scenes, listed):
    """Only who says that the tool was not run on it may leave it out."""
    kept = {CLEAN, listed[0].name, listed[-1].name}
    pictures = {crop.tobytes() for crop in (picture.read(f) for f in (place / "occluded" / "pictures").iterdir()
                                            if f.name.rpartition("-")[0] in kept)}  # fmt: skip

    def blind(pixels, boxes):
        return Oracle(people)(pixels, boxes) if pixels.tobytes() in pictures else []

    study(blind, scenes, listed, out=place / "blind", draws=DRAWS)
    file = predicted(place, people, "some", lambda file: file.rpartition("-")[0] in kept)
    found = score_predictions(place / "occluded", file, place / "silent", draws=DRAWS)
    assert numbers(place / "silent") == numbers(place / "blind")
    assert found.protocol["notes"][0].startswith(f"{len(listed) - 2} of {len(listed)} attacks have no prediction")
    some = score_predictions(place / "occluded", file, draws=DRAWS, partial=True)
    assert [attack.name for attack in some.attacks] == [listed[0].name, listed[-1].name]
    (note,) = some.protocol["notes"]
    assert "are left out" in note
    whole = numbers(place / "own")
    for attack in some.attacks:
        assert some.changes[attack.name]["all"].value == whole["changes"][attack.name]["all"]["value"]


def test_an_estimator_without_scores_has_none_through_files_either(place, people, scenes, listed):
    def silent(pixels, boxes):
        return [replace(person, scores=None, score=None) for person in Oracle(people)(pixels, boxes)]

    study(silent, scenes, listed, out=place / "unscored", draws=DRAWS)
    coco.write_results(run_tool(place / "occluded", silent), place / "unscored.json")
    found = score_predictions(place / "occluded", place / "unscored.json", place / "unscored-files", draws=DRAWS)
    assert numbers(place / "unscored-files") == numbers(place / "unscored")
    assert np.isnan(found.pooled[CLEAN]["overconfidence"].value)
    assert "taken for none" in found.protocol["notes"][-1]


@pytest.mark.parametrize(("kept", "lack"), [("clean", "attacked"), ("keypoints", "clean")])
def test_a_study_needs_clean_and_attacked_pictures(place, people, kept, lack):
    file = predicted(place, people, "half", lambda file: file.startswith(kept))
    with pytest.raises(DataError, match=f"nobody is predicted in any {lack} picture"):
        score_predictions(place / "occluded", file)


def test_a_tool_with_other_keypoints_is_studied_in_those_it_shares(place, people, tmp_path):
    shared = [k for k in COCO.keypoints if not k.endswith(("eye", "ear"))]
    places = [COCO.index(k) for k in shared]
    rows = []
    for scene in run_tool(place / "occluded", Oracle(people)):
        for person in scene.people:
            cells = {
                f"{k}_{c}": v
                for k, i in zip(shared, places, strict=True)
                for c, v in (("x", person.keypoints[i, 0]), ("y", person.keypoints[i, 1]))
                if v == v
            }
            rows.append({"image": scene.image.name, **cells})
    with (tmp_path / "few.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, ["image", *(f"{k}_{c}" for k in shared for c in "xy")])
        table.writeheader()
        table.writerows(rows)
    found = score_predictions(place / "occluded", tmp_path / "few.csv", draws=1)
    assert set(found.clean) == {"all", *shared, "AP", "AP50"}
    assert "left_eye" in found.protocol["notes"][0]
    own = numbers(place / "own")["clean"]
    assert all(found.clean[k].value == own[k]["value"] for k in shared if own[k]["value"] is not None)


def test_manifest_says_what_is_in_every_picture(place, people, listed):
    manifest = json.loads((place / "occluded" / "manifest.json").read_text())
    annotations = coco.read(place / "occluded", "any")
    assert [scene.id for scene in annotations] == [row["id"] for row in manifest["pictures"]]
    for row, scene in zip(manifest["pictures"], annotations, strict=True):
        one, person = people[row["person"]], scene.people[0]
        np.testing.assert_array_equal(person.keypoints, one.truth.keypoints)
        np.testing.assert_array_equal(person.visible, row["visible"])
        np.testing.assert_array_equal(person.box, row["box"])
        assert (np.array(row["visible"]) <= one.truth.visible).all()
        assert ((np.array(row["visible"]) < 2) >= np.array(row["covered"])).all()
        assert Path(row["file"]).parts[0] == "pictures"
    assert str(place) not in (place / "occluded" / "annotations.json").read_text()
    count = len(people) * (1 + len(listed))
    assert len(manifest["pictures"]) + len(manifest["unchanged"]) == count
    hidden = [row for row in manifest["pictures"] if row["attack"] == listed[0].name]
    assert all(sum(row["covered"]) for row in hidden)


def test_clean_pictures_come_back(place, people):
    for before, after in zip(people, with_pixels(read_manifest(place / "occluded")), strict=True):
        np.testing.assert_array_equal(before.crop.pixels, after.crop.pixels)


def test_an_export_goes_on_and_is_not_mixed_with_another(tmp_path, scenes, people, listed):
    export(scenes, people, tmp_path, listed[:2])
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "pictures").iterdir()}
    lost = f"{listed[1].name}-000000.png"
    (tmp_path / "pictures" / lost).unlink()
    first = (tmp_path / "manifest.json").read_bytes()
    export(scenes, people, tmp_path, listed[:2])
    after = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "pictures").iterdir()}
    assert first == (tmp_path / "manifest.json").read_bytes()
    assert {name for name in after if after[name] != before[name]} == {lost}
    with pytest.raises(ValueError, match="holds another study, its seed differs"):
        export(scenes, people, tmp_path, listed[:2], seed=1)


def changed(content, *keys, value):
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return content


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("pictures", 0, "file"), "../../secret.png", "lies outside the manifest's folder"),
        (("pictures", 0, "file"), "/etc/passwd", "lies outside the manifest's folder"),
        (("pictures", 0, "file"), "pictures/out.png", "lies outside the manifest's folder"),
        (("pictures", 0, "file"), 7, "must be a text"),
        (("pictures", 0, "attack"), "no such", "is none of the manifest's attacks"),
        (("pictures", 0, "person"), 999, "must be a whole number"),
        (("pictures", 0, "covered"), [2] * 17, "out of 0, 1"),
        (("pictures", 1, "id"), 1, "an id stands twice"),
        (("pictures",), [], "are "),
        (("format",), "another", "format: must be"),
        (("people", 0, "scene"), 1e9, "must be a whole number"),
        (("people", 0, "size"), [1e8, 2], "must be a width and a height"),
        (("people", 0, "crop_from_picture"), [[0, 0, 0]] * 3, "inverted"),
        (("people",), [], "nobody is asked about"),
        (("skeleton", "keypoints"), ["nose", "nose"], "skeleton"),
        (("scenes", 0, "people", 0, "visible"), [0] * 17, "visible"),
        (("attacks", 0, "fill"), "paint", "fill"),
        (("attacks", 1, "target"), "nose", "stands twice"),
    ],
)
def test_a_strangers_manifest_is_data(place, tmp_path, keys, value, said):
    content = json.loads((place / "occluded" / "manifest.json").read_text())
    (tmp_path / "pictures").mkdir()
    os.symlink("/etc/hostname", tmp_path / "pictures" / "out.png")
    if said == "stands twice":
        content["attacks"][0] |= {"kind": "keypoints", "target": "nose", "fill": "blur", "radius": 6}
        content["attacks"][1] |= {"kind": "keypoints", "fill": "blur", "radius": 6}
    (tmp_path / "manifest.json").write_text(json.dumps(changed(content, *keys, value=value)))
    with pytest.raises(DataError) as error:
        read_manifest(tmp_path)
    (line,) = str(error.value).splitlines()
    assert said in line
    assert str(tmp_path) in line


def test_the_command_line_exports_and_scores(tmp_path, capsys):
    small = ["--people", "2", "--attacks", "keypoints", "--fills", "blur"]
    export_to = ["occlude", "export", "--out", f"{tmp_path}/x", "--size", "96x128", *small]
    assert [main(export_to), main(export_to)] == [0, 0]
    images = json.loads((tmp_path / "x" / "annotations.json").read_text())["images"]
    assert {(image["width"], image["height"]) for image in images} == {(96, 128)}
    known = coco.read(tmp_path / "x", "any")
    said = [replace(s, people=tuple(replace(p, scores=np.ones(17), score=1.0) for p in s.people)) for s in known]
    coco.write_results(said, tmp_path / "said.json")
    scored = ["occlude", "score", "--manifest", f"{tmp_path}/x/manifest.json", "--predictions", f"{tmp_path}/said.json"]
    capsys.readouterr()
    assert main([*scored, "--out", f"{tmp_path}/study", "--draws", "50"]) == 0
    assert "right, by similarity of 0.5" in capsys.readouterr().out
    assert json.loads((tmp_path / "study" / "study.json").read_text())["clean"]["all"]["value"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "--size", "big"], "--size must be a width and a height"),
        (["export", "--size", "64x64", "--model", "default"], "give one of the two"),
        (["export", "--people", "0"], "--people must be 1 or more"),
        (["export", "--fills", "paint"], "no fill paint"),
        (["score", "--manifest", "nowhere.json", "--predictions", "x.json"], "nowhere.json: no such file"),
        (["score", "--predictions", "x.json"], "manifest"),
        (["score", "--manifest", "m", "--predictions", "p", "--draws", "0"], "--draws must be 1 or more"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["occlude", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("posewright: ")
    assert said in line


def test_an_interrupted_export_says_so_and_goes_on(tmp_path, monkeypatch, capsys):
    command = ["occlude", "export", "--out", f"{tmp_path}/x", "--size", "64x64", "--people", "2", "--attacks", "parts"]
    writing, left = picture.write, iter([True] * 7)

    def write(path, pixels):
        if not next(left, False):
            raise KeyboardInterrupt
        writing(path, pixels)

    monkeypatch.setattr(picture, "write", write)
    assert main(command) == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert "the same command goes on from there" in line
    assert not (tmp_path / "x" / "manifest.json").exists()
    assert len(list((tmp_path / "x" / "pictures").iterdir())) == 7
    monkeypatch.setattr(picture, "write", writing)
    assert main(command) == 0
    assert read_manifest(tmp_path / "x").attacks
