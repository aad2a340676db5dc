"""Pseudo-labels: a label comes first, a teacher fills what is left out, and both count as much as they are sure."""

import numpy as np
import pytest

from posewright.datasets import pseudo_labels
from posewright.datasets.pseudo_labels import Said, taught
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, HIDDEN, SEEN, Person, Scene
from posewright.skeleton import BODY, COCO

NOSE, SHOULDER, WRIST, NECK = (BODY.index(name) for name in ("nose", "left_shoulder", "left_wrist", "neck"))
LABELLED = np.array([name not in COCO.keypoints[:5] for name in BODY.keypoints])


def pictured(rng, left_out=()):
    """One person a picture: no face is labelled in any, `left_out` is not in the first."""
    people = []
    for number in range(2):
        keypoints = rng.uniform(0, 100, (19, 2))
        keypoints[~LABELLED] = np.nan
        if number == 0:
            keypoints[list(left_out)] = np.nan
        visible = np.where(np.isfinite(keypoints[:, 0]), SEEN, ABSENT).astype(np.uint8)
        people.append(Scene(f"{number}.jpg", BODY, (Person(keypoints, visible),)))
    return people


def teacher(rng, scenes, agreement=0.8, score=0.7):
    """A teacher that agrees with the labels, knows COCO's keypoints and fills the rest at random."""
    found = {}
    for scene in scenes:
        own = scene.people[0].keypoints
        places = np.where(np.isfinite(own), own, rng.uniform(0, 100, own.shape))
        places[[NECK, NECK + 1]] = np.nan
        found[scene.image] = Said(places, np.full(19, score), np.full(19, agreement))
    return found


def test_a_teacher_fills_what_nobody_labelled(rng):
    scenes = pictured(rng, [WRIST, NECK])
    said = teacher(rng, scenes)
    first, second = (scene.people[0] for scene in taught(scenes, said))
    np.testing.assert_array_equal(first.keypoints[SHOULDER], scenes[0].people[0].keypoints[SHOULDER])
    np.testing.assert_array_equal(first.keypoints[WRIST], said["0.jpg"].keypoints[WRIST])
    assert (first.visible[WRIST], first.visible[NECK], first.visible[NOSE]) == (HIDDEN, ABSENT, SEEN)
    assert first.scores[SHOULDER] == 1
    assert first.scores[[WRIST, NOSE]] == pytest.approx(0.6)
    assert second.visible[WRIST] == SEEN


def test_a_face_that_the_teacher_hardly_sees_is_hidden(rng):
    scenes = pictured(rng)
    person = taught(scenes, teacher(rng, scenes, score=0.3))[0].people[0]
    assert person.visible[NOSE] == HIDDEN
    assert person.visible[SHOULDER] == SEEN


@pytest.mark.parametrize(("agreement", "weight"), [(0.95, 0.5), (0.85, 1.0)])
def test_a_sure_teacher_halves_a_label_that_it_contradicts(rng, agreement, weight):
    scenes = pictured(rng)
    said = teacher(rng, scenes, agreement)
    said["0.jpg"].keypoints[WRIST] += 60
    person = taught(scenes, said)[0].people[0]
    assert person.scores[WRIST] == weight
    assert person.scores[SHOULDER] == 1


def test_exchanged_sides_are_put_right_and_trusted_half(rng):
    scenes = pictured(rng)
    said = teacher(rng, scenes)
    straight = taught(scenes, said)[0].people[0]
    exchanged = {name: one.ordered(BODY.mirror) for name, one in said.items()}
    person = taught(scenes, exchanged)[0].people[0]
    np.testing.assert_array_equal(person.keypoints, straight.keypoints)
    np.testing.assert_allclose(person.scores[NOSE], straight.scores[NOSE] / 2)


def test_a_file_is_read_in_the_words_of_a_skeleton(rng, tmp_path):
    path, names = tmp_path / "teacher.npz", ("right_knee", "nose")
    values = {"keypoints": rng.normal(size=(3, 2, 2)), "scores": rng.random((3, 2)), "agreement": rng.random((3, 2))}
    np.savez(path, name=np.array(["a", "b", "c"]), keypoint_names=np.array(names), **values)
    said = pseudo_labels.read(path, COCO)["b"]
    np.testing.assert_array_equal(said.keypoints[COCO.index("nose")], values["keypoints"][1, 1])
    assert said.agreement[COCO.index("right_knee")] == values["agreement"][1, 0]
    assert np.isnan(said.keypoints[COCO.index("left_knee")]).all()
    assert said.scores[COCO.index("left_knee")] == 0


def test_what_does_not_fit_is_refused(rng, tmp_path):
    scenes = pictured(rng)
    with pytest.raises(DataError, match=r"1\.jpg: the teacher's labels do not have it"):
        taught(scenes, {"0.jpg": teacher(rng, scenes)["0.jpg"]})
    path = tmp_path / "teacher.npz"
    values = {"keypoints": np.zeros((1, 1, 2)), "scores": np.zeros((1, 1)), "agreement": np.zeros((1, 1))}
    np.savez(path, name=np.array(["a"]), keypoint_names=np.array(["tail"]), **values)
    with pytest.raises(DataError, match="none of tail is a keypoint of coco"):
        pseudo_labels.read(path, COCO)
    np.savez(path, name=np.array(["a"]), keypoint_names=np.array(["nose"]), **(values | {"scores": np.zeros((2, 1))}))
    with pytest.raises(DataError, match="scores"):
        pseudo_labels.read(path, COCO)
