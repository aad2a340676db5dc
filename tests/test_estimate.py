"""Estimators answer in the picture's pixels, whatever the picture's size and wherever the person stands.

The network here is a plain function: keypoint k is a dot of colour k, and its map says where that colour is. So
the right answer is known for any picture.
"""

import subprocess
import sys

import cv2
import numpy as np
import pytest

import posewright
from posewright import picture
from posewright.codecs.distribution import Distribution
from posewright.estimators.one_person import box_of
from posewright.estimators.runtimes import Network
from posewright.estimators.top_down import TopDown
from posewright.fields import Heatmaps
from posewright.geometry.boxes import overlap
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

STAR = Skeleton("star", ("head", "left_hand", "right_hand", "left_foot", "right_foot"), (("head", "left_hand"),))
COLOURS = np.array([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255)], np.float32)
CODEC = Distribution(STAR, size=(128, 128), stride=2)
PLACES = np.array([(60, 20), (30, 50), (90, 50), (40, 110), (80, 110)], np.float64)
GREY = 128


def drawn(places: np.ndarray, size: tuple[int, int], radius: int = 6) -> np.ndarray:
    pixels = np.full((size[1], size[0], 3), GREY, np.uint8)
    for (x, y), colour in zip(places, COLOURS, strict=True):
        cv2.circle(pixels, (int(x), int(y)), radius, colour.tolist(), -1)
    return pixels


def seen(pixels: np.ndarray) -> list[Heatmaps]:
    """Give each keypoint's colour its map, blurred so that a dot's middle is its peak."""
    maps = np.empty((len(pixels), len(COLOURS), 64, 64), np.float32)
    for maps_of_one, crop in zip(maps, pixels.astype(np.float32), strict=True):
        for k, colour in enumerate(COLOURS):
            near = np.clip(1 - np.abs(crop - colour).max(-1) / 100, 0, 1)
            small = cv2.resize(cv2.GaussianBlur(near, (0, 0), 3), (64, 64), interpolation=cv2.INTER_AREA)
            maps_of_one[k] = 12 * small / small.max() if small.max() > 0.02 else 0
    return [Heatmaps(maps)]


class Counting:
    """Count how the network is asked."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, pixels: np.ndarray) -> list[Heatmaps]:
        self.batches.append(len(pixels))
        return seen(pixels)


@pytest.fixture
def run() -> Counting:
    return Counting()


@pytest.fixture
def estimator(run) -> TopDown:
    return TopDown(Network(run, CODEC), CODEC)


def tight(places: np.ndarray) -> np.ndarray:
    return np.concatenate([places.min(0), places.max(0)])


def test_the_answer_lies_on_the_dots(estimator):
    (person,) = estimator(drawn(PLACES, (128, 128)), [tight(PLACES)])
    np.testing.assert_allclose(person.keypoints, PLACES, atol=1.0)
    np.testing.assert_array_equal(person.box, tight(PLACES))
    assert 0 < person.score <= 1
    assert ((person.scores > 0) & (person.scores <= 1)).all()


@pytest.mark.parametrize("move", [(0, 0), (37, 0), (150, 90)])
@pytest.mark.parametrize("grow", [1.0, 2.5])
def test_moving_the_image_moves_the_answer(estimator, move, grow):
    places = grow * PLACES + move
    picture = drawn(places, (480, 420), round(6 * grow))
    (person,) = estimator(picture, [tight(places)])
    np.testing.assert_allclose(person.keypoints, places, atol=1.0 * grow)
    (found,) = estimator(picture)
    np.testing.assert_allclose(found.keypoints, places, atol=1.0 * grow)


def test_the_flip_test_agrees_and_looks_twice(estimator, run):
    picture = drawn(PLACES, (128, 128))
    plain = estimator(picture, [tight(PLACES)])[0]
    before = len(run.batches)

    def mirrored_too(pixels: np.ndarray) -> list[Heatmaps]:
        """See left for right in a mirrored crop, as a trained network does."""
        run.batches.append(len(pixels))
        head, left = (np.abs(pixels.astype(int) - COLOURS[k].astype(int)).max(-1) < 60 for k in (0, 1))
        is_mirrored = left.any() and np.argwhere(left)[:, 2].mean() > np.argwhere(head)[:, 2].mean()
        return [Heatmaps(seen(pixels)[0].maps[:, STAR.mirror])] if is_mirrored else seen(pixels)

    flipping = TopDown(Network(mirrored_too, CODEC), CODEC, flip=True)
    (person,) = flipping(picture, [tight(PLACES)])
    np.testing.assert_allclose(person.keypoints, plain.keypoints, atol=0.5)
    assert len(run.batches) == before + 2


def test_many_batches_across_pictures_and_keeps_their_order(run):
    estimator = TopDown(Network(run, CODEC), CODEC, batch=4)
    shifts = [0, 10, 20, 30, 40]
    pictures = [drawn(np.add(PLACES, (s, 0)), (200, 128)) for s in shifts]
    boxes = [[tight(np.add(PLACES, (s, 0)))] * count for s, count in zip(shifts, (1, 0, 2, 3, 1), strict=True)]
    found = list(estimator.many(pictures, boxes))
    assert [len(people) for people in found] == [1, 0, 2, 3, 1]
    assert run.batches == [3, 3, 1]
    for people, s in zip(found, shifts, strict=True):
        for person in people:
            np.testing.assert_allclose(person.keypoints, np.add(PLACES, (s, 0)), atol=1.0)


def test_many_reads_no_further_than_it_must(run):
    estimator = TopDown(Network(run, CODEC), CODEC, batch=2)
    asked = []

    def pictures():
        for number in range(100):
            asked.append(number)
            yield drawn(PLACES, (128, 128))

    answers = estimator.many(pictures(), ([tight(PLACES)] for _ in range(100)))
    next(answers)
    assert len(asked) == 2


def test_a_picture_is_decoded_once_for_all_its_people(estimator, tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    picture.write(path, drawn(PLACES, (128, 128)))
    reads = []
    real = picture.read
    monkeypatch.setattr(picture, "read", lambda source: (reads.append(source), real(source))[1])
    assert len(estimator(path, [tight(PLACES)] * 5)) == 5
    assert len(estimator(Scene(path, STAR), [tight(PLACES)] * 5)) == 5
    assert reads == [path, path]


def test_the_search_looks_at_eight_crops_at_most(estimator, run, rng):
    for pixels in (rng.integers(0, 255, (90, 160, 3), np.uint8), drawn(np.add(PLACES, (150, 90)), (480, 420))):
        run.batches.clear()
        estimator(pixels)
        assert 1 <= sum(run.batches) <= 8


def test_it_aims_by_itself_at_a_small_person(estimator):
    places = 0.8 * PLACES + (330, 200)
    (person,) = estimator(drawn(places, (512, 384), 5))
    np.testing.assert_allclose(person.keypoints, places, atol=1.0)
    assert overlap(person.box, tight(places)) > 0.7


def test_nobody_is_nobody(estimator):
    assert estimator(np.full((90, 120, 3), GREY, np.uint8)) == []
    assert estimator(np.full((1, 1, 3), GREY, np.uint8)) == []


def test_a_huge_picture_and_a_grey_one_are_answered(estimator):
    places = 60 * PLACES + (2000, 1000)
    (person,) = estimator(drawn(places, (12_000, 9_000), 400))
    np.testing.assert_allclose(person.keypoints, places, atol=60)
    assert estimator(np.full((50, 40), 7, np.uint8)) == []


@pytest.mark.parametrize("box", [(5, 5, 5, 9), (9, 5, 5, 9), (np.nan, 0, 4, 4), (1, 2), None])
def test_a_box_without_area_is_refused(estimator, box):
    with pytest.raises(ValueError, match="box must be x0, y0, x1, y1"):
        estimator(drawn(PLACES, (128, 128)), [box])


def test_boxes_that_do_not_pair_with_pictures_are_refused(estimator):
    with pytest.raises(ValueError, match="zip"):
        list(estimator.many([drawn(PLACES, (128, 128))], []))


def test_the_box_leaves_doubtful_keypoints_out():
    scores = np.array([0.9, 0.9, 0.9, 0.05, 0.0])
    box = box_of(Person(PLACES, scores=scores, score=0.5))
    assert box[3] < 60
    assert box_of(Person(PLACES, scores=0 * scores, score=0.0)) is None


def test_the_protocol_says_how_it_estimates():
    network = Network(seen, CODEC, protocol={"backend": "none", "weights": "0" * 64})
    said = TopDown(network, CODEC, flip=True, padding=1.1).protocol()
    assert said["flip"] is True
    assert said["padding"] == 1.1
    assert said["aim"] == "posewright.warp:around"
    assert said["weights"] == "0" * 64
    assert "Distribution" in said["codec"]


def test_pixels_of_another_size_are_refused_by_the_network():
    with pytest.raises(ValueError, match=r"pixels must be \(B, 128, 128, 3\) uint8"):
        Network(seen, CODEC)(np.zeros((1, 64, 64, 3), np.uint8))


def test_parsing_what_scores_and_predicts_imports_no_typeguard():
    code = (
        "import sys; from posewright.cli import VERBS; from posewright.cli.parsing import later, parsed\n"
        "for verb, given in (('predict', ['a.jpg']), ('score', ['a.json', '--truth', 'b.json'])):\n"
        "    parsed(later(VERBS[verb]), given, verb)\n"
        "print('typeguard' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_importing_posewright_imports_no_torch_and_no_runtime():
    heavy = "{'torch', 'onnxruntime', 'openvino', 'scipy', 'matplotlib'}"
    code = f"import sys, posewright, posewright.estimators.top_down; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_loading_what_is_not_there_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        posewright.load(tmp_path / "none.onnx")
