"""Whole pictures: what looks at them is attacked in them, one person at a time, and people get their own answers."""

from dataclasses import replace

import numpy as np
import pytest

from posewright.cli import main
from posewright.estimators.adapters import Adapted, found, whole_picture
from posewright.occlusion import Occluder
from posewright.occlusion.fills import black
from posewright.occlusion.regions import KeypointDisc
from posewright.robustness import people_for, read_study, standard_attacks, study
from posewright.robustness.attacks.subjects import cut_for
from posewright.robustness.numbers.right import rule_for
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, LSP

NOSE = COCO.index("nose")


def standing(corner, rng):
    """A person of 40x90 px from a corner on, every keypoint a pixel of a tone of its own."""
    xy = np.rint(corner + rng.uniform(0, 1, (17, 2)) * (40, 90))
    return Person(xy, np.full(17, 2, np.uint8), box=np.array([*corner, *np.add(corner, (40, 90))], float))


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    scenes = []
    for n in range(8):
        people = (standing((20, 15), rng), standing((90, 10), rng))
        pixels = rng.integers(40, 250, (110, 150, 3), dtype=np.uint8)
        scenes.append(Scene(pixels, COCO, people, (150, 110), id=n))
    return scenes


def everybody(pictures, seen=None):
    """Find everybody, but nobody whose nose is black."""

    def find(pixels):
        scene = max(pictures, key=lambda scene: (scene.image == pixels).mean())
        if seen is not None:
            seen.append((scene, pixels))
        noses = [np.rint(person.keypoints[NOSE]).astype(int) for person in scene.people]
        return [found(person.keypoints, np.full(17, 0.5), box=person.box)
                for person, (x, y) in zip(scene.people, noses, strict=True) if pixels[y, x].any()]  # fmt: skip

    return Adapted(whole_picture(find))


def test_nothing_outside_the_attacked_window_changes_and_the_disc_is_as_large_as_in_a_crop(pictures):
    seen = []
    people = people_for(everybody(pictures), pictures)
    assert [len(one.boxes) for one in people] == [2] * 16
    one = people[0]
    hide = Occluder(KeypointDisc("nose", 18, 192), black)
    pixels, boxes = one.shown(hide(one.crop, np.random.default_rng(0)))
    np.testing.assert_array_equal(boxes[0], pictures[0].people[0].box)
    away = np.hypot(*(np.indices((110, 150))[::-1] - pictures[0].people[0].keypoints[NOSE][:, None, None]))
    radius = 18 * one.crop.pixels.shape[1] / 192
    np.testing.assert_array_equal((pixels != pictures[0].image).any(-1), away <= radius)
    assert one.crop.pixels.shape[1] == round(1.25 * 90 * 3 / 4)
    np.testing.assert_array_equal(one.shown(one.crop)[0], pictures[0].image)
    assert seen == []


def test_who_is_lost_in_a_whole_picture_does_not_get_a_neighbour_s_answer(pictures):
    listed = standard_attacks(COCO, ["keypoints"], ["blackout"])
    found = study(everybody(pictures), pictures, [a for a in listed if a.target == "nose"], draws=50)
    assert found.clean["all"].value == 1
    changes = found.changes["keypoints-nose-blackout-6"]
    assert changes["all"].value == -1, "the nose is black, and the person is not found at all"
    assert changes["swapped"].value == 0
    assert found.protocol["crop"] == "whole picture, one person attacked at a time"


def test_an_estimator_without_a_view_is_shown_crops_and_whole_ones_where_asked(pictures):
    shapes = []

    def estimator(pixels, boxes):
        shapes.append((pixels.shape, len(boxes)))
        return np.full((len(boxes), 17, 3), 0.5)

    few = standard_attacks(COCO, ["radii"], ["blackout"], [6])
    study(estimator, pictures[:2], few, draws=5)
    assert set(shapes) == {((384, 288, 3), 1)}
    shapes.clear()
    study(estimator, pictures[:2], few, whole=True, draws=5)
    assert set(shapes) == {((110, 150, 3), 2)}
    assert cut_for(everybody(pictures)) == {"whole": True, "others": True}


def test_the_default_on_whole_pictures_is_nearly_the_same_as_on_its_crops(tmp_path, capsys):
    base = ["occlude", "--people", "3", "--attacks", "radii", "--fills", "blackout", "--draws", "20"]
    for name, more in (("crops", []), ("whole", ["--whole", "--name", "in pictures"])):
        assert main([*base, "--out", str(tmp_path / name), *more]) == 0, capsys.readouterr().err
    crops, whole = (read_study(tmp_path / name) for name in ("crops", "whole"))
    assert whole.clean["all"].value == pytest.approx(crops.clean["all"].value, abs=0.05)
    assert whole.protocol["name"] == "in pictures"
    assert main([*base, "--out", str(tmp_path / "crops"), "--whole"]) == 2
    assert "holds another study" in capsys.readouterr().err


def test_frames_of_a_video_are_drawn_together_and_a_kept_study_knows_them(pictures, tmp_path):
    from posewright.robustness.answers.truth import kept
    from posewright.robustness.numbers.measure import groups_of

    videos = [replace(scene, group=f"video {n // 4}") for n, scene in enumerate(pictures)]
    few = standard_attacks(COCO, ["radii"], ["blackout"], [18])
    found = study(everybody(videos), videos, few, out=tmp_path, draws=50)
    assert (found.protocol["groups"], found.protocol["pictures"]) == (2, 8)
    assert found.clean["all"].pictures == 2
    asked = kept(tmp_path)
    assert groups_of(asked.people, asked.scenes) == ["video 0"] * 8 + ["video 1"] * 8
    assert groups_of(asked.people, pictures) is None
    assert "groups" not in study(everybody(pictures), pictures, few, draws=50).protocol


# The rule of what is right


def lsp(rng, without=()):
    """A person of LSP's keypoints whose torso is 40 px, the other diagonal 50, the box 100x200."""
    xy = rng.uniform(0, 100, (14, 2))
    for name, at in (
        ("left_shoulder", (40, 20)),
        ("right_hip", (40, 60)),
        ("right_shoulder", (10, 20)),
        ("left_hip", (40, 60)),
    ):
        xy[LSP.index(name)] = at
    visible = np.full(14, 2, np.uint8)
    for name in without:
        xy[LSP.index(name)], visible[LSP.index(name)] = np.nan, 0
    return Person(xy, visible, box=np.array([0.0, 0, 100, 200]))


def test_the_rule_belongs_to_the_data_and_not_to_the_estimator(rng):
    scenes = [Scene(np.zeros((200, 100, 3), np.uint8), LSP, (lsp(rng),), (100, 200)) for _ in range(3)]
    estimator = Adapted(whole_picture(lambda _: [found(np.full((17, 2), 50.0))]))
    few = standard_attacks(COCO, ["radii"], ["blackout"], [6])
    assert study(estimator, scenes, few, draws=5).protocol["right"] == "PCK@0.2 by the torso"
    other = study(estimator, scenes, few, rule="similarity", draws=5)
    assert other.protocol["right"].startswith("similarity of 0.5")
    assert other.protocol["rule"] == "similarity"


def test_who_has_no_torso_is_judged_by_the_other_diagonal_or_the_box(rng):
    without = [(), ("right_hip",), ("right_hip", "left_hip")]
    scenes = [Scene(np.zeros((200, 100, 3), np.uint8), LSP, (lsp(rng, some),), (100, 200)) for some in without]
    people = people_for(None, scenes)
    rule = rule_for(LSP, people)
    scale = people[0].crop.warp.scale
    np.testing.assert_allclose(rule.reach[:, 0] / scale, [8.0, 10.0, 0.2 * 0.2 * 200])
    np.testing.assert_array_equal(rule.fallback, [False, True, True])
    assert rule.how == "the other diagonal, else 0.200 of the box's longer side"
    boxless = replace(scenes[2].people[0], box=None)
    assert boxless.box is None
    with pytest.raises(ValueError, match="no torso"):
        rule_for(replace(LSP.only(["neck", "head_top"])), people[:1], "torso")
