"""Files as people really have them: other programs' predictions, labelling tools' folders, oddities counted and said.

One small world of two pictures is written in every form; the answer is always the one of its plain COCO files.
"""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posewright import datasets
from posewright.datasets import coco, exchange
from posewright.datasets.bodies import BODY_25, COCO_18, HALPE_26, WHOLEBODY_133
from posewright.datasets.predictions import read_predictions
from posewright.datasets.records import DataError, DataWarning
from posewright.datasets.truth import read_truth
from posewright.metrics import oks_ap, shared_keypoints
from posewright.scene import SEEN, Person, Scene
from posewright.skeleton import COCO, Skeleton

RNG = np.random.default_rng(3)
TRUE = RNG.uniform(20, 200, (4, 17, 2)).round(2)
GUESS = (TRUE + RNG.normal(0, 4, TRUE.shape)).round(2)
SCORES = RNG.uniform(0.5, 1, (4, 17)).round(2)
RATED = [0.9, 0.8, 0.7, 0.6]
OF = [1, 1, 2, 2]
NAMES = {1: "000001.jpg", 2: "000002.jpg"}


def box(p):
    low, high = TRUE[p].min(0), TRUE[p].max(0)
    return [*low.tolist(), *(high - low).tolist()]


def corners(p):
    x, y, width, height = box(p)
    return [x, y, x + width, y + height]


def flat(p):
    return np.column_stack([GUESS[p], SCORES[p]]).ravel().tolist()


def content(**category):
    return {
        "images": [{"id": i, "file_name": name, "width": 256, "height": 256} for i, name in NAMES.items()],
        "annotations": [
            {"id": p + 1, "image_id": OF[p], "category_id": 1, "iscrowd": 0, "num_keypoints": 17, "bbox": box(p),
             "area": 5000.0 + p, "keypoints": np.column_stack([TRUE[p], np.full(17, 2)]).ravel().tolist()}
            for p in range(4)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints), "skeleton": []} | category],
    }  # fmt: skip


def results():
    return [
        {"image_id": OF[p], "category_id": 1, "keypoints": flat(p), "score": RATED[p], "bbox": box(p)} for p in range(4)
    ]


@pytest.fixture
def truth_file(tmp_path):
    return put(tmp_path / "truth.json", content())


def put(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def ap(predictions, truth, skeleton=None):
    found, own, _ = shared_keypoints(read_predictions(predictions, truth, skeleton), truth)
    return oks_ap(found, own)["AP"]


@pytest.fixture
def right(tmp_path, truth_file):
    """The answer, of which all forms must be an equal."""
    value = ap(put(tmp_path / "plain.json", results()), read_truth(truth_file))
    assert 0.3 < value < 0.95
    return value


def instance(p):
    return {"keypoints": GUESS[p].tolist(), "keypoint_scores": SCORES[p].tolist(), "bbox": [corners(p)],
            "bbox_score": RATED[p]}  # fmt: skip


def ultralytics(p):
    x0, y0, x1, y1 = corners(p)
    return {"name": "person", "class": 0, "confidence": RATED[p], "box": {"x1": x0, "y1": y0, "x2": x1, "y2": y1},
            "keypoints": {"x": GUESS[p, :, 0].tolist(), "y": GUESS[p, :, 1].tolist(),
                          "visible": SCORES[p].tolist()}}  # fmt: skip


def beyond(p, skeleton):
    """A person in another body's keypoints, COCO's by name and nonsense elsewhere."""
    triples = np.full((len(skeleton), 3), 7.0)
    for k, name in enumerate(COCO.keypoints):
        triples[skeleton.index(name)] = *GUESS[p, k], SCORES[p, k]
    return triples


def by_picture(make):
    return {NAMES[i]: [make(p) for p in range(4) if OF[p] == i] for i in NAMES}


def bodies(key, field):
    return {
        name: {"version": "AlphaPose v0.3", key: [{field: beyond(p, COCO_18).ravel().tolist()} for p in who]}
        for name, who in by_picture(lambda p: p).items()
    }


FORMS = {
    "nested": [r | {"keypoints": np.reshape(r["keypoints"], (17, 3)).tolist()} for r in results()],
    "wrapped": {"predictions": results()},
    "wrapped in results": {"about": "mine", "results": results()},
    "by picture": by_picture(lambda p: results()[p] | {"image_id": NAMES[OF[p]]}),
    "annotations with scores": {**content(), "annotations": [r | {"id": i} for i, r in enumerate(results())]},
    "category 5": [r | {"category_id": 5} for r in results()],
    "category by name": [r | {"category_id": "person"} for r in results()],
    "names of pictures": [r | {"image_id": NAMES[r["image_id"]]} for r in results()],
    "halpe26": [
        r | {"keypoints": beyond(p, HALPE_26).ravel().tolist()} for p, r in enumerate(results())
    ],
    "body25": [r | {"keypoints": beyond(p, BODY_25).ravel().tolist()} for p, r in enumerate(results())],
    "wholebody": [r | {"keypoints": beyond(p, WHOLEBODY_133).ravel().tolist()} for p, r in enumerate(results())],
    "mmpose demo": {
        "meta_info": {"keypoint_id2name": {str(k): name for k, name in enumerate(COCO.keypoints)}},
        "instance_info": [instance(p) | {"image_id": OF[p]} for p in range(4)],
    },
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_scores_alike(tmp_path, truth_file, right, form):
    assert ap(put(tmp_path / "p.json", FORMS[form]), read_truth(truth_file)) == pytest.approx(right, abs=1e-12)


@pytest.mark.parametrize(("key", "field"), [("people", "pose_keypoints_2d"), ("bodies", "joints")])
def test_alphapose_keeps_people_by_picture(tmp_path, truth_file, key, field):
    found = read_predictions(put(tmp_path / "p.json", bodies(key, field)), read_truth(truth_file))
    assert found[0].skeleton is COCO_18
    assert np.allclose(found[0].people[1].to(COCO_18, COCO).keypoints, GUESS[1])
    assert found[1].people[0].score == pytest.approx((SCORES[2].sum() + 7) / 18)


@pytest.mark.parametrize(
    ("make", "name"), [(instance, "{}.json"), (ultralytics, "{}.json"), (lambda p: {
        "keypoints": flat(p), "bbox": box(p), "score": RATED[p], "category_id": 1}, "{}.jpg.predictions.json")]
)  # fmt: skip
def test_a_folder_of_one_file_a_picture(tmp_path, truth_file, right, make, name):
    for picture, people in by_picture(make).items():
        put(tmp_path / "out" / name.format(picture.removesuffix(".jpg")), people)
    assert ap(tmp_path / "out", read_truth(truth_file)) == pytest.approx(right, abs=1e-12)


@pytest.mark.parametrize("first", [0, 1])
def test_frames_of_a_video(tmp_path, first):
    people = [Person(TRUE[i], np.full(17, SEEN, np.uint8), area=5000.0) for i in range(3)]
    truth = [Scene(f"walk.mp4#{i}", COCO, (person,), id=f"walk.mp4#{i}") for i, person in enumerate(people)]
    frames = [{"frame_id": i + first, "instances": [instance(i)]} for i in range(3)]
    value = {"instance_info": frames} if first else frames
    found = read_predictions(put(tmp_path / "results_walk.json", value), truth)
    assert [scene.people[0].keypoints[0].tolist() for scene in found] == GUESS[:3, 0].tolist()


@pytest.mark.parametrize("absent", [float("nan"), None])
@pytest.mark.parametrize("whole", [True, False])
def test_nan_and_null_are_absent(tmp_path, absent, whole):
    rows, labels = results(), content()
    for row in rows:
        row["keypoints"][:3] = [absent, absent, absent if whole else 0.0]
    labels["annotations"][1]["keypoints"][:3] = [absent, absent, 0 if absent is None else absent]
    truth = read_truth(put(tmp_path / "nan.json", labels))
    assert np.flatnonzero(~truth[0].people[1].labelled).tolist() == [0]
    found = read_predictions(put(tmp_path / "p.json", rows), truth)
    assert not any(person.labelled[0] for scene in found for person in scene.people)
    for row in rows:
        row["keypoints"][:3] = [0, 0, 0]
    zeros = read_predictions(put(tmp_path / "p.json", rows), truth)
    assert oks_ap(found, truth) == oks_ap(zeros, truth)


@pytest.mark.parametrize("missing", ["score", "nothing"])
def test_scores_that_are_missing_or_no_shares(tmp_path, truth_file, missing):
    rows = [{k: v for k, v in r.items() if k != missing} for r in results()]
    rows[0]["keypoints"][2] = -0.31
    slow = [r | {"keypoints": [None if v == 0 else v for v in r["keypoints"]], "extra": None} for r in rows]
    slow[3]["keypoints"][:3] = [None, None, None]
    for value in (rows, slow):
        people = [
            p for s in read_predictions(put(tmp_path / "p.json", value), read_truth(truth_file)) for p in s.people
        ]
        mean = float(np.mean([-0.31, *SCORES[0, 1:]]))
        assert people[0].score == pytest.approx(mean if missing == "score" else RATED[0])


LABELS = {
    "LShoulder": lambda side, part: f"{side[0].upper()}{part.title()}",
    "shoulder_left": lambda side, part: f"{part}_{side}",
    "l_shoulder": lambda side, part: f"{side[0]}_{part}",
    "Left Shoulder": lambda side, part: f"{side.title()} {part.title()}",
    "leftShoulder": lambda side, part: f"{side}{part.title()}",
    "shoulder.L": lambda side, part: f"{part}.{side[0].upper()}",
    "l_sho": lambda side, part: f"{side[0]}_{part[:3]}",
    "lsho": lambda side, part: f"{side[0]}{part[:3]}",
}


@pytest.mark.parametrize("style", LABELS)
def test_names_in_any_usual_style_are_one(tmp_path, right, style):
    names = [LABELS[style](*n.split("_")) if "_" in n else n.title() for n in COCO.keypoints]
    truth = read_truth(put(tmp_path / "t.json", content(keypoints=names)))
    assert truth[0].skeleton is COCO
    assert ap(put(tmp_path / "p.json", results()), truth) == right


ODD = {
    "an empty list": lambda c: c["annotations"].append(
        {"id": 900, "image_id": 1, "category_id": 1, "keypoints": [], "num_keypoints": 0, "area": 0,
         "bbox": [0, 0, 0, 0], "iscrowd": 0}),
    "no keypoints at all": lambda c: c["annotations"].append(
        {"id": 900, "image_id": 1, "category_id": 1, "bbox": [], "area": 0, "iscrowd": 0}),
    "a category with no names": lambda c: c["categories"].append({"id": 7, "name": "bicycle", "keypoints": []}),
    "a category with null": lambda c: c["categories"].insert(0, {"id": 7, "name": "x", "keypoints": None}),
    "house of null": lambda c: c["annotations"][0].update(posewright=None),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
def test_what_is_not_used_changes_nothing(tmp_path, right, odd):
    labels = content()
    ODD[odd](labels)
    assert ap(put(tmp_path / "p.json", results()), read_truth(put(tmp_path / "t.json", labels))) == right


SAID = {
    "too few numbers": (lambda c: c["annotations"].append(dict(c["annotations"][0], id=9, keypoints=[1, 2])),
                        "1 of 5 annotations left out; the first: annotation 9: keypoints: must be 51 numbers, not 2"),
    "an image that is not here": (lambda c: c["annotations"].append(dict(c["annotations"][0], id=9, image_id=77)),
                                  "1 of 5 annotations left out; the first: annotation 9: image_id: 77 is the id of no"),
    "no names": (lambda c: c["categories"][0].pop("keypoints"), "17 of them are taken for those of coco"),
    "two skeletons": (lambda c: (c["categories"].append({"id": 2, "name": "hand", "keypoints": ["wrist", "thumb"]}),
                                 c["annotations"].append({"id": 99, "image_id": 1, "category_id": 2, "bbox": [1] * 4,
                                                          "keypoints": [1, 1, 2, 3, 3, 2], "area": 4, "iscrowd": 0})),
                      r"several categories have keypoints: person \(4\), hand \(1\); person is read"),
}  # fmt: skip


@pytest.mark.parametrize("odd", SAID)
def test_one_oddity_is_counted_and_said(tmp_path, right, odd):
    labels = content()
    SAID[odd][0](labels)
    path = put(tmp_path / "t.json", labels)
    with pytest.warns(DataWarning, match=SAID[odd][1]):
        truth = read_truth(path)
    assert ap(put(tmp_path / "p.json", results()), truth) == right


def test_a_category_is_chosen_by_its_name(tmp_path):
    labels = content()
    SAID["two skeletons"][0](labels)
    path = put(tmp_path / "t.json", labels)
    for spec in (f"{path}#hand", f"coco:{path}#2"):
        assert read_truth(spec)[0].skeleton.keypoints == ("wrist", "thumb")
        assert datasets.read(spec, "train")[0].skeleton.keypoints == ("wrist", "thumb")
    with pytest.raises(DataError, match="none called 'foot' has keypoints; there are person, hand"):
        read_truth(f"{path}#foot")


def test_half_a_file_that_is_wrong_is_refused(tmp_path):
    labels = content()
    for annotation in labels["annotations"][:2]:
        annotation["keypoints"] = [1, 2]
    with pytest.raises(DataError, match="annotation 1: keypoints: must be 51 numbers"):
        read_truth(put(tmp_path / "t.json", labels))


def test_keypoints_without_names_are_told_by_the_caller(tmp_path):
    labels = content()
    del labels["categories"][0]["keypoints"]
    mine = Skeleton("mine", tuple(f"k{i}" for i in range(17)), ())
    assert read_truth(put(tmp_path / "t.json", labels), unnamed=mine)[0].skeleton is mine
    for annotation in labels["annotations"]:
        annotation["keypoints"] = annotation["keypoints"][: 3 * 14]
    with pytest.raises(DataError, match="14 a person may be those of crowdpose, aic, lsp, shelf: score says which"):
        read_truth(put(tmp_path / "t.json", labels))


def test_a_list_of_people_is_truth(tmp_path, right):
    rows = [{"image_file": NAMES[OF[p]], "bbox": box(p), "area": 5000.0 + p, "image_size": [256, 256],
             "keypoints": np.column_stack([TRUE[p], np.full(17, 2)]).tolist()} for p in range(4)]  # fmt: skip
    path = put(tmp_path / "t.json", rows)
    with pytest.warns(DataWarning, match="17 of them are taken for those of coco"):
        truth = read_truth(path)
    assert truth[0].size == (256, 256)
    named = [r | {"image_id": NAMES[r["image_id"]]} for r in results()]
    assert ap(put(tmp_path / "p.json", named), truth) == right
    assert read_truth(path, unnamed=COCO)[0].skeleton is COCO


UNKNOWN = {
    "labelme": ({"shapes": [], "imagePath": "a.jpg"}, "look like LabelMe's labels; what is read: COCO results"),
    "boxes": ([{"label": 1, "bbox": [1, 2, 3, 4]}], "look like boxes without keypoints; what is read: COCO results"),
    "anything": ({"a": 1, "b": 2}, "it has the fields a, b; what is read: COCO results"),
}


@pytest.mark.parametrize("form", UNKNOWN)
def test_an_unknown_form_is_told_what_is_read(tmp_path, truth_file, form):
    value, message = UNKNOWN[form]
    with pytest.raises(DataError, match=message):
        read_predictions(put(tmp_path / "p.json", value), read_truth(truth_file))


def rows(*, sep="_", spelling=str, extra=""):
    parts = [f"{spelling(name)}{sep}{part}" for name in COCO.keypoints for part in ("x", "y", "score")]
    lines = [",".join(["image", "score", *parts, *([extra] if extra else [])])]
    for p in range(4):
        cells = [NAMES[OF[p]], RATED[p], *flat(p), *([p] if extra else [])]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def test_tables_in_other_styles(tmp_path, truth_file):
    truth = read_truth(truth_file)
    plain = ap(put(tmp_path / "a.csv", rows()), truth)
    sides = {"left": "L", "right": "R"}

    def initials(name):
        side, _, part = name.partition("_")
        return f"{sides[side]}{part.title()}" if part else name

    assert ap(put(tmp_path / "b.csv", rows(sep=".")), truth) == plain
    assert ap(put(tmp_path / "c.csv", rows(spelling=initials)), truth) == plain
    with pytest.warns(DataWarning, match="columns of no keypoint of coco left out: frame"):
        assert ap(put(tmp_path / "d.csv", rows(extra="frame")), truth) == plain


def deeplabcut(animals=None, index=1):
    """DeepLabCut's headings; picture 1 has two people, of which a table of one animal has the first."""
    names = animals or [""]
    columns = [(a, k, c) for a in names for k in COCO.keypoints for c in ("x", "y", "likelihood")]
    blank = [""] * (index - 1)
    lines = [["scorer", *blank, *("net" for _ in columns)]]
    lines += [["individuals", *blank, *(a for a, _, _ in columns)]] if animals else []
    lines += [["bodyparts", *blank, *(k for _, k, _ in columns)], ["coords", *blank, *(c for _, _, c in columns)]]
    for i, name in NAMES.items():
        people = [p for p in range(4) if OF[p] == i][: len(names)]
        path = ["labeled-data", "walk", name][-index:]
        lines.append([*path, *(str(v) for p in people for v in flat(p))])
    return "".join(",".join(line) + "\n" for line in lines)


@pytest.mark.parametrize(("animals", "index"), [(None, 1), (None, 3), (["one", "two"], 1), (["one", "two"], 3)])
def test_deeplabcuts_tables(tmp_path, truth_file, animals, index):
    truth = read_truth(truth_file)
    found = read_predictions(put(tmp_path / "d.csv", deeplabcut(animals, index)), truth)
    assert [len(scene.people) for scene in found] == [len(animals or "1")] * 2
    assert np.allclose(found[1].people[0].keypoints, GUESS[2])
    assert np.allclose(found[0].people[-1].scores, SCORES[1 if animals else 0])


LAYOUTS = {
    "beside images": ("annotations.json", "images/{}", "{}"),
    "roboflow": ("val/_annotations.coco.json", "val/{}", "{}"),
    "roboflow's valid": ("valid/_annotations.coco.json", "valid/{}", "{}"),
    "label studio": ("result.json", "images/{}", "images\\{}"),
    "windows": ("annotations/person_keypoints_val2017.json", "val2017/{}", "val2017\\{}"),
    "a path of somebody's": ("annotations.json", "images/{}", "C:\\Users\\me\\images\\{}"),
    "cvat": ("annotations/person_keypoints_default.json", "images/default/{}", "{}"),
    "cvat's subsets": ("annotations/person_keypoints_Validation.json", "images/Validation/{}", "{}"),
    "fiftyone": ("labels.json", "data/{}", "{}"),
    "one json of any name": ("my labels.json", "{}", "{}"),
    "an address": ("annotations.json", "images/{}", "https://example.org/upload/images/{}"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_labelling_tools(tmp_path, layout):
    file, place, called = LAYOUTS[layout]
    labels = content()
    for image in labels["images"]:
        (tmp_path / "data" / place.format(image["file_name"])).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "data" / place.format(image["file_name"])), np.zeros((256, 256, 3), np.uint8))
        image["file_name"] = called.format(image["file_name"])
    path = put(tmp_path / "data" / file, labels)
    for spec in (f"coco:{tmp_path / 'data'}", f"coco:{path}", str(path)):
        scenes = datasets.read(spec, "val")
        assert [scene.pixels().shape for scene in scenes] == [(256, 256, 3)] * 2


def test_a_file_and_a_folder_are_named_apart(tmp_path):
    path = put(tmp_path / "labels" / "mine.json", content())
    (tmp_path / "photos").mkdir()
    for name in NAMES.values():
        cv2.imwrite(str(tmp_path / "photos" / name), np.zeros((256, 256, 3), np.uint8))
    for spec in (f"coco:{path}@{tmp_path / 'photos'}", f"{path}@{tmp_path / 'photos'}"):
        assert [scene.pixels().shape for scene in datasets.read(spec, "train")] == [(256, 256, 3)] * 2


def test_another_parts_file_is_not_taken_for_this_one(tmp_path):
    put(tmp_path / "annotations" / "person_keypoints_train.json", content())
    with pytest.raises(DataError, match="holds no annotations"):
        coco.read(tmp_path, "val")


def test_a_category_says_sigmas_and_sides(tmp_path):
    labels = content(keypoints=[f"k{i}" for i in range(17)], sigmas=[0.05] * 17, sides=[["k1", "k2"]])
    skeleton = read_truth(put(tmp_path / "t.json", labels))[0].skeleton
    assert (skeleton.sigmas, skeleton.sigmas_source) == ((0.05,) * 17, "the file's category")
    assert skeleton.mirror.tolist() == [0, 2, 1, *range(3, 17)]
    scenes = [Scene(np.zeros((4, 4, 3), np.uint8), skeleton, (Person(TRUE[0], np.full(17, 2, np.uint8)),), id=1)]
    again = read_truth(coco.write(scenes, tmp_path / "again"))[0].skeleton
    assert (again.sigmas, again.sides) == (skeleton.sigmas, skeleton.sides)


def test_tables_and_openpose_written_are_read_again(tmp_path, truth_file):
    truth = read_truth(truth_file)
    found = read_predictions(put(tmp_path / "p.json", results()), truth)
    named = [replace(scene, id=str(scene.image)) for scene in found]
    exchange.write_table(named, tmp_path, COCO)
    table = read_predictions(tmp_path / "predictions.csv", truth)
    assert all(np.array_equal(a.people[0].keypoints, b.people[0].keypoints) for a, b in zip(table, found, strict=True))
    exchange.write_openpose(named, tmp_path, COCO)
    again = read_predictions(tmp_path / "openpose", truth, COCO)
    assert all(np.array_equal(a.people[1].keypoints, b.people[1].keypoints) for a, b in zip(again, found, strict=True))


def test_yolos_labels_are_shares_of_the_picture(tmp_path):
    keypoints = np.full((17, 2), np.nan)
    keypoints[5] = 40, 30
    scene = Scene("a.jpg", COCO, (Person(keypoints, box=np.array([20.0, 10, 60, 50])),), size=(80, 100), id="b/a.jpg")
    exchange.write_yolo([scene], tmp_path, COCO)
    numbers = (tmp_path / "labels" / "a.txt").read_text().split()
    assert numbers[:5] == ["0", "0.5", "0.3", "0.5", "0.4"]
    assert numbers[5 + 15 : 5 + 18] == ["0.5", "0.3", "2"]
    assert set(numbers[5:20] + numbers[23:]) == {"0"}
    assert "flip_idx: [0, 2, 1," in (tmp_path / "pose.yaml").read_text()
