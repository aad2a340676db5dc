"""Groups in `score` and `diagnose`: a video's frames are drawn together, as the file says which are of one."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t as student

from posewright.cli import main
from posewright.columns import Columns, with_people
from posewright.datasets import coco
from posewright.datasets.synthetic import world
from posewright.metrics.trust.confidence import draw
from posewright.report.results import groups_of
from posewright.skeleton import LSP
from posewright.verbs.score import score, truth_of

VIDEOS, FRAMES, DRAWS = 6, 4, 400


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Truth of six videos of four frames, and predictions that are good or bad by the video."""
    place, rng = tmp_path_factory.mktemp("groups"), np.random.default_rng(0)
    scenes = world(VIDEOS * FRAMES, 2, skeleton=LSP, size=(96, 96), people=(1, 1))
    scenes = [replace(scene, id=n) for n, scene in enumerate(scenes, 1)]
    coco.write(scenes, place / "plain")
    found = []
    for n, scene in enumerate(scenes):
        (person,) = scene.people
        off = rng.normal(size=(len(LSP), 2)) * (2 + 3 * (n // FRAMES))
        found.append(replace(scene, people=(replace(person, keypoints=person.keypoints + off, visible=None, cause=None,
                                                    scores=np.full(len(LSP), 0.5), score=0.5),)))  # fmt: skip
    coco.write_results(found, place / "found.json")
    for name, field in (("videos", "video_id"), ("posetrack", "vid_id")):
        content = json.loads((place / "plain" / "annotations.json").read_text())
        for n, image in enumerate(content["images"]):
            image.pop("posewright", None)
            image[field] = f"video {n // FRAMES}"
            image["file_name"] = str(place / "plain" / image["file_name"])
        for one in content["annotations"]:
            one.pop("posewright", None)
        (place / f"{name}.json").write_text(json.dumps(content))
    return place


def test_a_file_says_which_video_a_picture_is_of(place, tmp_path):
    expected = [f"video {n // FRAMES}" for n in range(VIDEOS * FRAMES)]
    scenes = truth_of(str(place / "videos.json"))
    assert isinstance(scenes, Columns)
    assert groups_of(scenes) == groups_of(list(scenes)) == expected
    assert with_people(scenes[5]).group == "video 1"
    assert groups_of(truth_of(str(place / "posetrack.json"))) == expected
    content = json.loads((place / "videos.json").read_text())
    content["images"][0]["posewright"] = {}
    (tmp_path / "slowly.json").write_text(json.dumps(content))
    assert groups_of(truth_of(str(tmp_path / "slowly.json"))) == expected
    content["images"][0]["video_id"] = None
    content["images"][1]["video_id"] = [3]
    (tmp_path / "odd.json").write_text(json.dumps(content))
    assert groups_of(truth_of(str(tmp_path / "odd.json"))) == [(0,), (1,), *expected[2:]]
    coco.write(list(scenes), tmp_path / "again")
    assert groups_of(coco.read(tmp_path / "again", "val")) == expected
    assert groups_of(truth_of(str(place / "plain"))) is None


def test_below_twenty_videos_an_interval_is_students_over_them(place):
    """The same interval from the keypoints themselves, in a few lines; of frames it would be narrower."""
    plain, grouped = (
        score(place / "found.json", place / name, metric="pck", draws=DRAWS) for name in ("plain", "videos.json")
    )
    name = next(iter(plain.scores["pck"]))
    assert grouped.scores["pck"][name] == plain.scores["pck"][name]
    truth, found = (
        np.stack([p.keypoints for scene in scenes for p in scene.people])
        for scenes in (coco.read(place / "plain", "val"), _found(place))
    )
    length = np.hypot(*(truth[:, LSP.index("left_shoulder")] - truth[:, LSP.index("right_hip")]).T)
    known = np.isfinite(truth).all(-1) & np.isfinite(length)[:, None]
    right = known & (np.linalg.norm(found - truth, axis=-1) <= 0.2 * length[:, None])
    part, whole = (a.reshape(VIDEOS, -1).sum(1) for a in (right, known))
    assert plain.scores["pck"][name] == pytest.approx(part.sum() / whole.sum())
    drawn = np.concatenate([(w @ part) / (w @ whole) for w in draw(VIDEOS, DRAWS)])
    reach = student.ppf(0.975, VIDEOS - 1) * np.sqrt(VIDEOS / (VIDEOS - 1)) * drawn.std()
    low, high = grouped.intervals["pck"][name]
    assert (low, high) == pytest.approx((part.sum() / whole.sum() - reach, part.sum() / whole.sum() + reach))
    assert high - low > 1.5 * np.diff(plain.intervals["pck"][name])[0]
    told = grouped.scores["pck"].protocol
    assert (told["scenes"], told["pictures"], told["drawn"]) == (6, 24, "groups of pictures, whole")


def _found(place):
    results = json.loads((place / "found.json").read_text())
    scenes = coco.read(place / "plain", "val")
    by_id = {one["image_id"]: np.reshape(one["keypoints"], (-1, 3))[:, :2] for one in results}
    return [replace(s, people=(replace(s.people[0], keypoints=by_id[s.id], visible=None),)) for s in scenes]


def test_pages_and_files_say_what_was_drawn(place, tmp_path, capsys):
    line = [f"{place}/found.json", "--truth", f"{place}/videos.json", "--draws", "50"]
    assert main(["score", *line, "--metric", "pck", "--out", f"{tmp_path}/s"]) == 0
    said = json.loads((tmp_path / "s" / "scores.json").read_text())
    assert said["intervals"]["drawn"] == "6 groups of pictures, with replacement"
    page = (tmp_path / "s" / "report.html").read_text()
    assert "24 pictures. Intervals are over 6 groups of pictures, drawn whole." in page
    assert main(["diagnose", *line, "--out", f"{tmp_path}/d"]) == 0
    assert "over 6 groups of pictures." in (tmp_path / "d" / "report.html").read_text()
    assert main(["score", line[0], *line, "--metric", "pck", "--out", f"{tmp_path}/two"]) == 0
    capsys.readouterr()
