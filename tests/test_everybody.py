"""Everybody in a picture: a detector says where people are, and a top-down network is asked about each of them."""

import numpy as np
import pytest

import posewright
from posewright.codecs.detection.ttfnet import TTFNet
from posewright.datasets.detections import Detected
from posewright.datasets.synthetic import world
from posewright.estimators.bottom_up import BottomUp
from posewright.estimators.detector import Detector
from posewright.estimators.embedded import embedded_file
from posewright.estimators.runtimes import Network
from posewright.estimators.top_down import TopDown
from posewright.fields import Centres
from posewright.scene import Person, Scene
from posewright.skeleton import LSP
from posewright.train.export.least import with_least


class Told(Detector):
    """Detect what it was told, picture after picture, and count how it is asked."""

    def __init__(self, *answers):
        super().__init__(embedded_file("default"))
        object.__setattr__(self, "answers", list(answers))
        object.__setattr__(self, "asked", [])

    def many(self, images):
        pictures = list(images)
        self.asked.append(len(pictures))
        for _ in pictures:
            yield self.answers.pop(0)


@pytest.fixture(scope="module")
def scene():
    return world(1, 4, skeleton=LSP, people=(1, 1))[0]


@pytest.fixture
def alone():
    return posewright.load(single=True)


def detecting(alone, *answers):
    return TopDown(alone.network, alone.codec, detector=Told(*answers))


def test_people_are_estimated_at_the_detectors_boxes_and_ranked(alone, scene):
    box = scene.people[0].box
    estimator = detecting(alone, [Detected(box + 0.5, 0.8), Detected(box, 0.5)])
    (person,) = estimator(scene)
    (wanted,) = alone(scene, [box + 0.5])
    np.testing.assert_array_equal(person.keypoints, wanted.keypoints)
    assert person.score == pytest.approx(0.8 * wanted.scores[wanted.scores > 0.2].mean())


def test_pictures_go_to_the_detector_in_batches_and_nobody_is_nobody(alone, scene):
    found = [Detected(scene.people[0].box, 0.9)]
    estimator = detecting(alone, found, [], found, [], [], found)
    people = list(estimator.many([scene] * 6))
    assert [len(each) for each in people] == [1, 0, 1, 0, 0, 1]
    assert estimator.detector.asked == [4, 2]


def test_given_boxes_are_answered_without_the_detector(alone, scene):
    estimator = detecting(alone)
    box = scene.people[0].box
    np.testing.assert_array_equal(estimator(scene, [box])[0].keypoints, alone(scene, [box])[0].keypoints)
    assert estimator(scene, []) == []
    assert estimator.detector.asked == []


def test_the_protocol_says_who_finds_people(alone):
    assert alone.protocol()["without boxes"] == "one person is searched for"
    said = detecting(alone).protocol()["without boxes"]
    assert said["name"] == "default"
    assert len(said["weights"]) == 64


def test_a_detector_is_of_whole_pictures_and_for_crops():
    with pytest.raises(ValueError, match="one person's crop"):
        posewright.load(detector=embedded_file("default"))
    with pytest.raises(ValueError, match="not for the search for a single person"):
        posewright.load(single=True, detector=embedded_file("default"))
    with pytest.raises(FileNotFoundError, match=r"no\.onnx"):
        posewright.load(detector="no.onnx")


def test_others_networks_of_crops_are_asked_at_the_detectors_boxes(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import numpy as np\n"
        "from posewright.estimators.adapters import Adapted, found\n"
        "from posewright.estimators.estimator import View\n"
        "look = lambda pixels, boxes: [found(np.zeros((17, 2)), np.ones(17)) for _ in boxes or [None]]\n"
        "crops, whole = Adapted(look, view=View((64, 64))), Adapted(look)\n"
    )
    assert isinstance(posewright.load(f"{file}:whole"), type(posewright.load(f"{file}:crops", single=True)))
    if embedded_file("person").is_file():
        estimator = posewright.load(f"{file}:crops")
        assert estimator(np.zeros((64, 64, 3), np.uint8)) == []
        assert estimator.protocol()["detector name"] == "person_negatives"
    with pytest.raises(ValueError, match="for top-down networks"):
        posewright.load(f"{file}:whole", detector=embedded_file("default"))


def blind(codec, answers):
    """Answer pictures by their first pixel's red, with the fields of answers."""

    def run(pixels):
        chosen = [answers[int(picture[0, 0, 0])] for picture in pixels]
        return [Centres(*(None if each[0] is None else np.concatenate(each) for each in zip(*chosen, strict=True)))]

    return Network(run, codec)


def test_the_least_score_keeps_pictures_of_nobody_empty():
    codec = TTFNet(LSP, size=(64, 64))
    absent = np.full((len(LSP), 2), np.nan)
    box = np.array([10.0, 10, 50, 60])
    sure = codec.encode([[Person(absent, box=box)]])
    answers = [sure._replace(maps=sure.maps * scale) for scale in (0.7, 0.4, 0.55)]
    pictures = [np.full((64, 64, 3), number, np.uint8) for number in range(3)]
    somebody = [Scene(pixels, LSP, (Person(absent, box=box),), (64, 64)) for pixels in pictures[:2]]
    nobody = Scene(pictures[2], LSP, (), (64, 64))
    network = blind(codec, answers)
    assert with_least(network, codec, somebody) == codec
    chosen = with_least(network, codec, [*somebody, nobody])
    assert chosen.least == 0.56


@pytest.mark.skipif(not embedded_file("person").is_file(), reason="the embedded detector is not there")
class TestTheEmbeddedDetector:
    def test_load_asks_it_unless_one_person_is_searched_for(self):
        estimator = posewright.load()
        assert estimator.detector.file == embedded_file("person")
        assert isinstance(estimator.detector.finder, BottomUp)
        assert estimator.protocol()["without boxes"]["name"] == "person_negatives"

    def test_an_empty_picture_is_nobody(self):
        for grey in (0, 128, 255):
            assert posewright.load()(np.full((120, 200, 3), grey, np.uint8)) == []

    def test_people_of_a_drawn_group_are_found(self):
        scenes = world(6, 77, size=(480, 360), skeleton=LSP, people=(2, 4))
        estimator = posewright.load()
        found = sum(len(people) for people in estimator.many(scenes))
        people = sum(len(scene.people) for scene in scenes)
        assert 0.5 * people <= found <= 1.5 * people

    def test_moving_the_picture_moves_the_boxes(self):
        (scene,) = world(1, 4, size=(256, 256), skeleton=LSP, people=(1, 1))
        detector = posewright.load().detector
        wide = np.zeros((256, 512, 3), np.uint8)
        left, right = wide.copy(), wide.copy()
        left[:, :256], right[:, 256:] = scene.pixels(), scene.pixels()
        one, other = (found[0].box for found in detector.many([left, right]))
        np.testing.assert_allclose(other - one, [256, 0, 256, 0], atol=25)
