"""What can hardly be meant is said in one line: units, places, areas, repeats; and what cannot be, is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from posewright.cli import main
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.metrics.trust import plausibility
from posewright.metrics.trust.plausibility import implausible
from posewright.picture import PictureError
from posewright.scene import Scene
from posewright.skeleton import COCO


@pytest.fixture(scope="module")
def truth():
    return world(6, 4, skeleton=COCO, people=(1, 2))


def changed(scenes, **by):
    """The scenes with other fields of every person: values, or functions of the person."""

    def fields(person):
        return {name: make(person) if callable(make) else make for name, make in by.items()}

    return [replace(s, people=tuple(replace(p, **fields(p)) for p in s.people)) for s in scenes]


def guessed(scenes, **by):
    """Predictions: the truth, or what functions make of it."""
    plain = {"visible": None, "cause": None, "score": lambda p: float(np.nanmean(p.keypoints))}
    return changed(scenes, **plain | by)


def said(predicted, truth, part):
    found = [line for line in implausible(predicted, truth) if part in line]
    assert len(found) <= 1
    return found[0] if found else ""


def test_nothing_is_said_of_what_is_in_order(truth):
    assert implausible(guessed(truth), truth) == []


def test_pictures_without_prediction_are_counted_with_their_people(truth):
    some = [replace(s, people=()) if place < 4 else s for place, s in enumerate(guessed(truth))]
    people = sum(len(s.people) for s in truth[:4])
    assert f"4 of 6 pictures with people have no prediction, and their {people} people" in said(some, truth, "no pred")
    empty = [replace(s, people=()) for s in truth[:4]] + list(truth[4:])
    assert said(some, empty, "no prediction") == ""


@pytest.mark.parametrize("scale", [0.5, 0.4, 3.0])
def test_predictions_of_pictures_of_another_size_are_noticed(truth, scale):
    scaled = guessed(truth, keypoints=lambda p: p.keypoints * scale)
    assert f"predictions end at {scale:.2f} of the truth's x and {scale:.2f} of its y" in said(scaled, truth, "size")


@pytest.mark.parametrize("noise", [0.0, 2.0, 8.0])
def test_poor_predictions_are_not_taken_for_scaled_ones(truth, noise, rng):
    poor = guessed(truth, keypoints=lambda p: p.keypoints + noise * rng.normal(size=p.keypoints.shape))
    assert said(poor, truth, "another size") == ""


@pytest.mark.parametrize("by", [(500.0, 0.0), (0.0, -900.0), (-400.0, 400.0)])
def test_people_outside_their_picture_are_counted(truth, by):
    away = guessed(truth, keypoints=lambda p: p.keypoints + by)
    count = sum(len(s.people) for s in truth)
    assert f"{count} of {count} predicted people lie outside" in said(away, truth, "predicted people lie outside")
    assert f"{count} of {count} true people lie outside" in said(guessed(truth), away, "true people lie outside")


def test_width_and_height_exchanged_are_named(truth):
    wide = [replace(s, size=(400, 100), image="x.jpg") for s in truth]
    tall = changed(wide, keypoints=lambda p: np.clip(p.keypoints * 0.1, 0, 90) + np.array([0, 200]))
    assert "with width and height exchanged none would" in said(guessed(tall), tall, "true people lie outside")


def test_boxes_that_are_corners_are_noticed_on_either_side(truth):
    def sum_of_corners(p):
        return np.concatenate([p.box[:2], p.box[:2] + p.box[2:]])

    odd = changed(truth, box=sum_of_corners)
    count = sum(len(s.people) for s in truth)
    assert f"of {count} boxes of true people do not fit" in said(guessed(truth), odd, "of true people")
    assert "bbox must be x, y, width, height" in said(guessed(odd), truth, "of predictions")


def test_boxes_by_their_centres_are_noticed_and_boxes_without_sizes_of_pictures(truth):
    def sizeless(scenes):
        return [replace(s, size=None, image="x.jpg") for s in scenes]

    def late_centre(p):
        return np.concatenate([p.box[:2] + p.box[2:], 3 * p.box[2:] - p.box[:2]]) / 2

    def sum_of_corners(p):
        return np.concatenate([p.box[:2], p.box[:2] + p.box[2:]])

    centred, odd = changed(truth, box=late_centre), changed(truth, box=sum_of_corners)
    assert "all fit as the centre's x, y, width, height; coco+centres:DIR" in said(guessed(truth), centred, "boxes of")
    assert "all fit as the centre's" in said(guessed(truth), sizeless(centred), "boxes of")
    assert "all fit as corners x, y, x, y; coco+corners:DIR" in said(guessed(truth), sizeless(odd), "boxes of")
    assert said(guessed(truth), sizeless(truth), "boxes of") == ""
    shares = changed(truth, box=lambda p: p.box / 500)
    assert "lie within 1, so they are no pixels but shares" in said(guessed(truth), shares, "boxes of")


@pytest.mark.parametrize("area", [1e9, 4e10, 3e6])
def test_areas_beyond_the_picture_or_the_box_are_counted(truth, area):
    large = changed(truth, area=area)
    count = sum(len(s.people) for s in truth)
    assert f"{count} of {count} people have an area larger" in said(guessed(truth), large, "area larger")
    sizeless = [replace(s, size=None, image="x.jpg") for s in large]
    assert f"{count} of {count} people have an area larger" in said(guessed(truth), sizeless, "area larger")


def test_what_stands_twice_is_counted_on_either_side(truth):
    twice = [replace(s, people=s.people * 2) for s in truth]
    count = sum(len(s.people) for s in truth)
    assert f"{count} of {2 * count} true people stand twice" in said(guessed(truth), twice, "true people stand twice")
    assert f"{count} of {2 * count} predictions stand twice" in said(guessed(twice), truth, "predictions stand twice")


def test_contradictory_counts_and_boxes_of_some_are_told(truth):
    some = [replace(s, people=(replace(s.people[0], counted=False), *s.people[1:])) for s in truth]
    assert "num_keypoints contradicts the keypoints of 6 people: 6 with keypoints" in said(
        guessed(truth), some, "num_keypoints"
    )
    boxless = guessed([replace(s, people=(replace(s.people[0], box=None), *s.people[1:])) for s in truth])
    assert "6 of" in said(boxless, truth, "have no box")


@pytest.fixture
def files(tmp_path, truth, monkeypatch):
    """The truth and perfect results as files, in the working folder."""
    coco.write(truth, tmp_path)
    coco.write_results(guessed(coco.read(tmp_path, "val")), tmp_path / "results.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rewrite(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def scored(*more):
    return main(["score", "results.json", "--truth", "annotations.json", "--metric", "oks_ap", "--draws", "0", *more])


@pytest.mark.parametrize("by", [0.001, 1 / 300, 1 / 256])
@pytest.mark.parametrize("side", ["results", "annotations"])
def test_shares_of_the_picture_are_refused(files, capsys, by, side):
    def change(content):
        for one in content if side == "results" else content["annotations"]:
            one["keypoints"] = [v if i % 3 == 2 else v * by for i, v in enumerate(one["keypoints"])]

    rewrite(files / f"{side}.json", change)
    assert scored() == 2
    assert "lie within 1, so they are no pixels" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["results", "annotations"])
@pytest.mark.parametrize("key", ["keypoints", "image_id", "bbox"])
def test_a_key_that_stands_twice_is_refused(files, capsys, file, key):
    path = files / f"{file}.json"
    first, _, rest = path.read_text().rpartition(f'"{key}":')
    path.write_text(f'{first}"{key}":[1],"{key}":{rest}')
    assert scored() == 2
    said = capsys.readouterr().err
    assert said.startswith(f"posewright: {file}.json: ")
    assert f"'{key}' stands twice in one record" in said


def test_results_without_a_score_have_the_mean_of_their_keypoints(files, truth, capsys):
    rewrite(files / "results.json", lambda content: [one.pop("score") for one in content])
    read = coco.read_results(files / "results.json", coco.read(files, "val"))
    assert [person.score for person in read[0].people] == [1.0] * len(truth[0].people)
    assert scored() == 0
    assert "share their score" in capsys.readouterr().out


def test_only_predicted_leaves_out_pictures_without_prediction(files, capsys):
    kept = {scene.id for scene in coco.read(files, "val")[:2]}
    content = json.loads((files / "results.json").read_text())
    (files / "results.json").write_text(json.dumps([one for one in content if one["image_id"] in kept]))
    assert scored() == 0
    first = " ".join(capsys.readouterr().out.split())
    assert first.startswith("warning: 4 of 6 pictures with people have no prediction")
    assert scored("--only-predicted") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "AP 1.0000" in out
    assert "pictures left out: 4 of 6, those without any prediction" in out
    (files / "results.json").write_text("[]")
    assert scored("--only-predicted") == 2


def test_two_files_are_compared_on_the_pictures_that_both_predict(files, capsys):
    content, ids = json.loads((files / "results.json").read_text()), [scene.id for scene in coco.read(files, "val")]
    for name, places in (("a", (0, 1, 2)), ("b", (2, 3, 1)), ("c", (5,))):
        kept = [one for one in content if one["image_id"] in [ids[place] for place in places]]
        (files / f"{name}.json").write_text(json.dumps(kept))
    rest = ["--truth", "annotations.json", "--metric", "oks_ap", "--draws", "20", "--only-predicted", "--out", "out"]
    assert main(["score", "a.json", "b.json", *rest]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "pictures left out: 4 of 6, all but those that every file predicts" in out
    assert "no prediction" not in out
    told = json.loads((files / "out" / "scores.json").read_text())["files"]
    assert [one["metrics"]["oks_ap"]["scores"]["AP"]["value"] for one in told] == pytest.approx([1.0, 1.0])
    assert {one["metrics"]["oks_ap"]["protocol"]["scenes"] for one in told} == {2}
    assert main(["score", "a.json", "c.json", *rest]) == 2
    assert "no picture is predicted by all of a.json, c.json" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["0.07", "list.json", "names.json"])
def test_sigmas_can_be_given(files, capsys, given):
    (files / "list.json").write_text(json.dumps([0.07] * len(COCO)))
    (files / "names.json").write_text(json.dumps(dict.fromkeys(COCO.keypoints, 0.07)))
    assert scored("--sigmas", given) == 0
    assert f"sigmas: given, {given}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "line"),
    [("0", "nose: must be a number above 0"), ("-0.1", "at most 1, not -0.1"), ("7", "at most 1, not 7.0"),
     ("short.json", "must be 17 sigmas"), ("lack.json", "no sigma for left_eye"), ("none.json", "no such file")],
)  # fmt: skip
def test_what_is_no_sigma_is_refused(files, capsys, given, line):
    (files / "short.json").write_text("[0.1]")
    (files / "lack.json").write_text('{"nose": 0.1}')
    assert scored(f"--sigmas={given}") == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("name", ["[red]", "[/x]", "[link=x]", "\x1b[31mred", "a\x07"])
def test_names_are_shown_as_they_are(files, capsys, name):
    def change(content):
        content["categories"][0] = {"id": 1, "name": "thing", "keypoints": [name, *COCO.keypoints[1:]], "skeleton": []}

    rewrite(files / "annotations.json", change)
    assert main(["score", "results.json", "--truth", "annotations.json", "--metric", "ap_by_keypoint"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert name.encode("unicode_escape").decode() in out


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (96, 48)])
def test_a_picture_of_another_size_than_its_annotations_is_refused(size):
    scene = Scene(np.zeros((48, 96, 3), np.uint8), COCO, size=size, id=3)
    if size == (96, 48):
        assert scene.pixels().shape == (48, 96, 3)
        return
    with pytest.raises(PictureError, match=r"scene 3: the picture is 96x48, its annotations are of \d\dx\d\d") as error:
        scene.pixels()
    assert ("turned" in str(error.value)) == (size == (48, 96))


@pytest.fixture(scope="module")
def crowd():
    return world(20, 6, skeleton=COCO, people=(1, 2))


def test_left_and_right_exchanged_is_noticed(crowd):
    found = said(guessed(crowd, keypoints=lambda p: p.keypoints[COCO.mirror]), crowd, "exchanged")
    assert found.startswith("left and right seem exchanged in the predictions, by ")
    assert "left_eye where right_eye is" in found


@pytest.mark.parametrize("order", [np.roll(np.arange(17), 3), [0, *range(5, 17), *range(1, 5)]])
def test_keypoints_in_another_order_are_noticed(crowd, order):
    found = said(guessed(crowd, keypoints=lambda p: p.keypoints[order]), crowd, "another order")
    assert f"nose where {COCO.keypoints[order[0]]} is" in found or order[0] == 0
    assert f"left_eye where {COCO.keypoints[order[1]]} is" in found


def test_x_and_y_exchanged_is_noticed(crowd):
    found = said(guessed(crowd, keypoints=lambda p: p.keypoints[:, ::-1]), crowd, "x and y")
    assert "x and y of the predictions seem exchanged" in found


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.2, 0.5])
def test_an_order_that_is_right_is_never_doubted(crowd, noise, rng):
    """Whatever the predictions are worth, up to noise of half a person's size."""
    shaken = guessed(crowd, keypoints=lambda p: p.keypoints + rng.normal(0, noise * np.sqrt(p.area), (17, 2)))
    assert said(shaken, crowd, "seem") == ""


def test_of_few_people_no_order_is_told(truth):
    few = truth[:3]
    assert said(guessed(few, keypoints=lambda p: p.keypoints[COCO.mirror]), few, "seem") == ""


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 100])
def test_quartiles_are_numpys(count, rng):
    values = rng.random((count, 2))
    np.testing.assert_allclose(plausibility._quartiles(values), np.quantile(values, [0.25, 0.5, 0.75], axis=0))
