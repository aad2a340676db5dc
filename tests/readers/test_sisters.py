"""Further files as people have them, sisters of those in `test_forms`: other writers, other marks for nothing."""

import json

import numpy as np
import pytest

from posewright.datasets.predictions import read_predictions
from posewright.datasets.records import DataError, DataWarning
from posewright.datasets.truth import read_truth
from posewright.metrics import oks_ap, shared_keypoints
from posewright.scene import Scene
from posewright.skeleton import COCO
from posewright.skeleton.spelling import doubtful, spelt

RNG = np.random.default_rng(4)
TRUE = RNG.uniform(20, 200, (4, 17, 2)).round(2)
GUESS = np.dstack([(TRUE + RNG.normal(0, 4, TRUE.shape)).round(2), RNG.uniform(0.5, 1, (4, 17)).round(2)])
OF = [1, 1, 2, 2]
NAMES = {1: "000001.jpg", 2: "000002.jpg"}


def truth():
    return {
        "images": [{"id": n, "file_name": name, "width": 256, "height": 256} for n, name in NAMES.items()],
        "annotations": [
            {"id": p + 1, "image_id": OF[p], "category_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": 5000.0 + p,
             "keypoints": np.column_stack([TRUE[p], np.full(17, 2)]).ravel().tolist()}
            for p in range(4)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.keypoints), "skeleton": []}],
    }  # fmt: skip


def results(keypoints=lambda p: GUESS[p].ravel().tolist()):
    return [{"image_id": OF[p], "category_id": 1, "keypoints": keypoints(p), "score": 0.9 - p / 10} for p in range(4)]


def by_picture(make):
    return {name: [make(p) for p in range(4) if OF[p] == n] for n, name in NAMES.items()}


def named(p, order=COCO.keypoints):
    return [(name, *GUESS[p, COCO.index(name)].tolist()) for name in order]


def ap(path, labels):
    found, own, _ = shared_keypoints(read_predictions(path, labels), labels)
    return oks_ap(found, own)["AP"]


@pytest.fixture
def labels(tmp_path):
    (tmp_path / "truth.json").write_text(json.dumps(truth()))
    return read_truth(tmp_path / "truth.json")


@pytest.fixture
def right(tmp_path, labels):
    (tmp_path / "plain.json").write_text(json.dumps(results()))
    value = ap(tmp_path / "plain.json", labels)
    assert 0.3 < value < 0.95
    return value


BACKWARDS = COCO.keypoints[::-1]
WRITERS = {
    "by name": lambda: results(lambda p: {name: point for name, *point in named(p)}),
    "by name, x and y": lambda: results(lambda p: {name: {"x": x, "y": y, "score": s} for name, x, y, s in named(p)}),
    "by name, backwards": lambda: results(lambda p: {name: point for name, *point in named(p, BACKWARDS)}),
    "TensorFlow.js": lambda: results(lambda p: [{"name": n, "x": x, "y": y, "score": s} for n, x, y, s in named(p)]),
    "PoseNet": lambda: results(
        lambda p: [{"part": n, "position": {"x": x, "y": y}, "score": s} for n, x, y, s in named(p)]
    ),
    "PoseNet's spelling": lambda: by_picture(
        lambda p: {
            "score": 0.9 - p / 10,
            "keypoints": [
                {"part": "".join((w[0], *(v.title() for v in w[1:]))), "position": {"x": x, "y": y}, "score": s}
                for n, x, y, s in named(p)
                for w in [n.split("_")]
            ],
        }
    ),
    "x, y in one list": lambda: results(lambda p: GUESS[p, :, :2].ravel().tolist()),
    "ids of pandas": lambda: [one | {"image_id": float(one["image_id"])} for one in results()],
    "a box of another category": lambda: [*results(), {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}],
    "a person who is a box": lambda: [{"image_id": 1, "category_id": 1, "keypoints": [], "score": 0.9}, *results()],
    "a person of null": lambda: [*results(), {"image_id": 1, "category_id": 1, "keypoints": None, "score": 0.9}],
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.filterwarnings("ignore::posewright.datasets.records.DataWarning")
def test_every_writer_scores_alike(tmp_path, labels, right, writer):
    (tmp_path / "p.json").write_text(json.dumps(WRITERS[writer]()))
    assert ap(tmp_path / "p.json", labels) == right


def test_lists_alone_by_picture(tmp_path, labels):
    """Without a person's score, the mean of the keypoints' decides the order."""
    (tmp_path / "plain.json").write_text(json.dumps([one | {"score": None} for one in results()]))
    (tmp_path / "p.json").write_text(json.dumps(by_picture(lambda p: GUESS[p].tolist())))
    assert ap(tmp_path / "p.json", labels) == ap(tmp_path / "plain.json", labels)


@pytest.mark.parametrize("gap", ["\n", "\r\n", "", "\n\n  "])
def test_json_lines(tmp_path, labels, right, gap):
    (tmp_path / "p.jsonl").write_bytes(gap.join(json.dumps(one) for one in results()).encode() + b"\n")
    assert ap(tmp_path / "p.jsonl", labels) == right


@pytest.mark.parametrize("end", ["{", '{"image_id": 1', '{"a": 1} x}'])
def test_json_lines_that_are_cut_or_wrong(tmp_path, labels, end):
    (tmp_path / "p.jsonl").write_text("\n".join([*(json.dumps(one) for one in results()), end]))
    with pytest.raises(DataError, match="not JSON"):
        read_predictions(tmp_path / "p.jsonl", labels)


def test_what_is_left_out_is_counted(tmp_path, labels):
    (tmp_path / "p.json").write_text(json.dumps(WRITERS["a person of null"]()))
    with pytest.warns(DataWarning, match="1 of 5 results without keypoints left out"):
        read_predictions(tmp_path / "p.json", labels)


@pytest.mark.parametrize("mark", [None, float("nan"), "NaN", "nan", "null", ""])
@pytest.mark.parametrize("side", ["results", "truth"])
def test_every_mark_of_nothing_is_an_absent_keypoint(tmp_path, side, mark):
    files = {"results": results(), "truth": truth()}
    one = files["results"][2] if side == "results" else files["truth"]["annotations"][2]
    one["keypoints"][6:8] = [mark, mark]
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    labels = read_truth(tmp_path / "truth.json")
    scenes = read_predictions(tmp_path / "results.json", labels) if side == "results" else labels
    xy = scenes[1].people[0].keypoints
    assert np.isnan(xy[2]).all()
    assert np.isfinite(np.delete(xy, 2, 0)).all()


@pytest.mark.parametrize("categories", ["missing", "empty", "without ids in the annotations"])
def test_truth_without_categories(tmp_path, right, categories):
    content = truth()
    content["categories"] = []
    if categories != "empty":
        del content["categories"]
    if categories.startswith("without"):
        for annotation in content["annotations"]:
            del annotation["category_id"]
    (tmp_path / "t.json").write_text(json.dumps(content))
    with pytest.warns(DataWarning, match="no category names its keypoints; 17 of them are taken for those of coco"):
        labels = read_truth(tmp_path / "t.json")
    assert ap(tmp_path / "plain.json", labels) == right


def table(mark, point=".", upper=False, encoding="utf-8"):
    head = ["image", "score", *(f"{name}_{what}" for name in COCO.keypoints for what in ("x", "y", "score"))]
    lines = [mark.join(map(str.upper, head) if upper else head)]
    for p in range(4):
        numbers = [str(v).replace(".", point) for v in (0.9 - p / 10, *GUESS[p].ravel().tolist())]
        lines.append(mark.join([NAMES[OF[p]], *numbers]))
    return "\n".join(lines).encode(encoding)


@pytest.mark.parametrize(
    "written",
    [
        table(","),
        table(";"),
        table(";", ","),
        table("\t"),
        table("\t", ","),
        table(",", upper=True),
        table(";", ",", encoding="utf-8-sig"),
    ],
)
def test_tables_of_any_mark(tmp_path, labels, right, written):
    (tmp_path / "p.csv").write_bytes(written)
    assert ap(tmp_path / "p.csv", labels) == right


def test_deeplabcuts_table_of_semicolons(tmp_path):
    scene = Scene("a.png", COCO, id=1)
    heads = [("nose", "x"), ("nose", "y"), ("nose", "likelihood")]
    rows = [
        ["scorer", *("net" for _ in heads)],
        ["bodyparts", *(part for part, _ in heads)],
        ["coords", *(what for _, what in heads)],
        ["a.png", "1,5", "2,25", "0,75"],
    ]
    (tmp_path / "d.csv").write_text("\n".join(";".join(row) for row in rows))
    (found,) = read_predictions(tmp_path / "d.csv", [scene])
    assert found.people[0].keypoints.tolist() == [[1.5, 2.25]]
    assert found.people[0].scores.tolist() == [0.75]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("content", [table(";").decode(), json.dumps(results())])
def test_utf_16_is_told(tmp_path, labels, content, encoding):
    (tmp_path / "p.csv").write_bytes(
        ("\ufeff" if encoding.endswith("be") else "").encode(encoding) + content.encode(encoding)
    )
    with pytest.raises(DataError, match="text in UTF-16; save it in UTF-8"):
        read_predictions(tmp_path / "p.csv", labels)


@pytest.mark.parametrize(
    "names",
    [
        ("links_ohr", "rechts_ohr"),
        ("links_eye", "rechts_eye"),
        ("lower_wing", "rear_wing"),
        ("lateral_toe", "root_toe"),
    ],
)
def test_words_that_begin_with_l_and_r_are_no_sides(names):
    assert spelt(names) == names
    assert doubtful(names) == list(names)


@pytest.mark.parametrize(
    "names", [("lfront_paw", "rfront_paw"), ("lbig_toe", "rbig_toe"), ("leye_inner", "reye_inner")]
)
def test_glued_letters_with_their_other_side_are(names):
    assert spelt(names) == (f"left_{names[0][1:]}", f"right_{names[1][1:]}")
    assert doubtful(names) == []
