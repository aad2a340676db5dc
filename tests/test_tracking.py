"""People keep their ids through crossings and gaps, and are smoothed without losing what was answered."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posewright.datasets import videos
from posewright.datasets.synthetic import walk
from posewright.datasets.videos import Clip, VideoError
from posewright.estimators.adapters import Adapted, found
from posewright.estimators.one_euro import OneEuro
from posewright.estimators.tracking import Tracker, tracked
from posewright.scene import Person
from posewright.skeleton import H36M, LSP
from posewright.verbs.ask import Asked
from posewright.verbs.overlays import Style
from posewright.verbs.predict import predict_to

BODY = walk(1)[0][:, [0, 2]] * [0.1, -0.1]


def at(x, y=0.0):
    return Person(BODY + np.array([x, y]))


def crossing(frames=50):
    """Two people who walk through each other, listed in turn in one order and the other."""
    ways = [[at(6.0 * n), at(300 - 6.0 * n, 15)] for n in range(frames)]
    return [(people, (0, 1)) if n % 2 else (people[::-1], (1, 0)) for n, people in enumerate(ways)]


def test_people_who_cross_keep_their_ids():
    tracker, frames = Tracker(H36M), crossing()
    names = [dict(zip(who, (p.id for p in tracker(people)), strict=True)) for people, who in frames]
    assert all(name == names[0] for name in names)
    assert sorted(names[0].values()) == [0, 1]


@pytest.mark.parametrize(("gap", "kept"), [(10, True), (40, False)])
def test_who_is_out_of_sight_is_remembered_for_a_second(gap, kept):
    frames = [[at(3.0 * n)] for n in range(20)] + [[]] * gap + [[at(3.0 * (20 + gap))]]
    *_, before, after = [people[0].id for people in tracked(frames, H36M, rate=25) if people]
    assert (before == after) == kept


def test_strangers_get_new_ids_and_nobody_none():
    tracker = Tracker(H36M)
    nobody = Person(np.full((17, 2), np.nan))
    assert [p.id for p in tracker([at(0), nobody])] == [0, None]
    assert [p.id for p in tracker([nobody, at(900), at(2)])] == [None, 1, 0]
    assert tracker([]) == ()


def test_smoothing_halves_jitter_of_who_stands_and_follows_who_walks(rng):
    smooth, still = OneEuro(25.0), []
    for _ in range(100):
        still.append(smooth([Person(BODY + rng.normal(0, 3, BODY.shape), id=1)])[0].keypoints)
    assert np.diff(still[20:], axis=0).std() < 0.5 * np.sqrt(2) * 3
    smooth, place = OneEuro(25.0), None
    for n in range(50):
        place = smooth([replace(at(8.0 * n), id=1)])[0].keypoints
    behind = (at(8.0 * 49).keypoints - place)[:, 0].mean()
    assert 0 < behind < 2 * 8.0  # px a frame: less than two frames behind


def test_smoothing_leaves_what_is_new_or_nameless_as_it_is():
    smooth = OneEuro(25.0)
    gone = at(0).keypoints.copy()
    gone[3] = np.nan
    smooth([Person(gone, id=1)])
    (back,) = smooth([replace(at(5), id=1)])
    np.testing.assert_array_equal(back.keypoints[3], at(5).keypoints[3])
    assert (back.keypoints[4] != at(5).keypoints[4]).any()
    assert smooth([at(7)])[0] is not None
    np.testing.assert_array_equal(smooth([at(7)])[0].keypoints, at(7).keypoints)


@pytest.fixture
def clip(tmp_path):
    """20 frames at 10 a second, of which number n is 10 n bright."""
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (96, 64))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no video")
    for n in range(20):
        writer.write(np.full((64, 96, 3), 10 * n, np.uint8))
    writer.release()
    return file


def estimator():
    """Two people whose order changes, as bright as the frame is to the right."""

    def answer(pixels, boxes):  # noqa: ARG001
        x = float(pixels.mean()) / 10
        people = [found(np.array([[x + k, y + 2.0 * k] for k in range(14)])) for y in (5.0, 30.0)]
        return people if round(x) % 2 else people[::-1]

    return Adapted(answer, LSP, LSP)


def test_a_clip_is_what_was_asked_for(clip):
    assert [n for n, _ in videos.chosen(clip, Clip(0.5, 1.5, 3))] == [5, 8, 11, 14]
    with pytest.raises(VideoError, match="no frame from 9 s on"):
        list(videos.chosen(clip, Clip(9)))
    with pytest.raises(ValueError, match="0 <= start < end"):
        list(videos.chosen(clip, Clip(2, 1)))


def test_predict_follows_people_and_writes_what_a_browser_plays(clip, tmp_path):
    out = tmp_path / "out"
    assert predict_to(out, [clip], estimator(), clip=Clip(0.5, None, 3), smooth=True) == 0
    raw, smooth = (json.loads((out / name).read_text()) for name in ("predictions.json", "smoothed.json"))
    assert [r["image_id"] for r in raw] == [f"{clip}#{n}" for n in (5, 8, 11, 14, 17) for _ in range(2)]
    ys = {(r["track_id"], round(r["keypoints"][1])) for r in raw}
    assert len(ys) == 2
    assert [r["track_id"] for r in smooth] == [r["track_id"] for r in raw]
    assert smooth[-1]["keypoints"][0] < raw[-1]["keypoints"][0]
    drawn = cv2.VideoCapture(str(out / "overlays" / "clip.webm"))
    assert drawn.get(cv2.CAP_PROP_FPS) == pytest.approx(10 / 3, abs=0.01)
    assert sum(drawn.read()[0] for _ in range(9)) == 5
    assert int(drawn.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") in (b"VP90", b"VP80")


def test_overlays_can_be_left_out(clip, tmp_path):
    assert predict_to(tmp_path / "out", [clip], estimator(), style=Style(none=True)) == 0
    assert not list((tmp_path / "out" / "overlays").iterdir())
    assert json.loads((tmp_path / "out" / "protocol.json").read_text())["overlays"] == {}


def test_a_video_is_a_stream_of_people_with_ids(clip):
    answers = Asked(estimator())(clip)
    first = next(answers)
    assert (first.frame, len(first), first.source) == (0, 2, str(clip))
    rest = list(answers)
    assert [people.frame for people in rest] == list(range(1, 20))
    for people in rest:
        assert {p.id: round(p.keypoints[0, 1]) for p in people} == {p.id: round(p.keypoints[0, 1]) for p in first}
