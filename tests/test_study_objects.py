"""Real occluders: cut-outs laid over people with their silhouettes, as attacks of a study."""

import json

import cv2
import numpy as np
import pytest

from posewright import picture
from posewright.cli import main
from posewright.datasets import masks
from posewright.datasets.cut_outs import read_cut_outs
from posewright.datasets.records import DataError
from posewright.datasets.synthetic import thing, world
from posewright.occlusion.choices import OneObject
from posewright.recipes.occlusion import occlusion_named
from posewright.robustness import object_attacks, people_for, read_study, standard_attacks
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.numbers.levels import group_of
from posewright.robustness.numbers.measure import measured, reached
from posewright.skeleton import COCO

THINGS = [thing(0, number) for number in range(4)]


@pytest.fixture(scope="module")
def people():
    return people_for(None, world(4, 3, size=(160, 128), people=(1, 2)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("my things")
    for number, one in enumerate(THINGS):
        cv2.imwrite(str(place / f"{number}.png"), cv2.cvtColor(one, cv2.COLOR_RGBA2BGRA))
    return place


@pytest.mark.parametrize("by", ["width", "height"])
def test_an_object_covers_a_keypoint_and_as_many_px_as_its_size_says(people, by):
    """The silhouette's area is the square of its size; every px beyond it stays; the disc's keypoint is covered."""
    (attack,) = object_attacks(THINGS, "things", [0.3], by)
    (disc,) = standard_attacks(COCO, ["radii"], ["blackout"], [1])
    for n, one in enumerate(people):
        after, behind_disc = (a.hide(one.crop, np.random.default_rng((5, n))) for a in (attack, disc))
        box = one.truth.box
        length = one.crop.pixels.shape[1] if by == "width" else (box[2:] - box[:2]).max()
        changed = (after.pixels != one.crop.pixels).any(-1)
        assert 0 < changed.sum() <= 1.15 * (0.3 * length) ** 2 + 4 * length
        covered = [crop.people[0].visible == 1 for crop in (after, behind_disc)]
        assert (covered[0] >= covered[1]).all()
        assert covered[1].any()


def test_in_the_middle_of_a_large_crop_the_area_is_met(people):
    one = people[0]
    middle = np.array(one.crop.pixels.shape[1::-1]) / 2
    there = [
        thing for n in range(200)
        for thing in OneObject(THINGS, 0.1)(one.crop, 0, np.random.default_rng(n))
    ]  # fmt: skip
    areas = [o.region.alpha.sum() for o in there if np.abs(o.region.centre - middle).max() < 60]
    assert len(areas) > 20
    assert np.sqrt(areas) == pytest.approx(0.1 * one.crop.pixels.shape[1], rel=0.06)


def test_attacks_are_named_by_folder_size_and_length():
    names = [attack.name for attack in object_attacks(THINGS, "my things!", [0.1, 0.25])]
    assert names == ["objects-any-my_things-0.1", "objects-any-my_things-0.25"]
    (high,) = object_attacks(THINGS, "chairs", [0.2], "height")
    assert (high.name, group_of(high)) == ("objects-any-chairs_by_height-0.2", "objects-0.2-chairs_by_height")
    other = [THINGS[0], *THINGS[2:], THINGS[1]]
    assert repr(high.hide) != repr(object_attacks(other, "chairs", [0.2], "height")[0].hide)
    for things, sizes, said in ((THINGS, [0.0], "sizes must be shares above 0"), ([], [0.1], "there is no object")):
        with pytest.raises(ValueError, match=said):
            object_attacks(things, "x", sizes)


def annotated(place, wanted=True):
    """Write a picture and COCO's masks: a person, a crowd, a small thing, one at the edge, and one to cut out."""
    pixels = np.arange(60 * 80 * 3, dtype=np.uint8).reshape(60, 80, 3)
    picture.write(place / "images" / "a.png", pixels)
    spans = {"person": (5, 40, 5, 40), "crowd": (5, 40, 5, 40), "small": (2, 5, 2, 5), "edge": (10, 60, 20, 60),
             "thing": (10, 40, 30, 60)}  # fmt: skip
    found = []
    for number, (name, (top, bottom, left, right)) in enumerate(spans.items(), 1):
        mask = np.zeros((60, 80), bool)
        mask[top:bottom, left:right] = True
        found.append({"id": number, "image_id": 7, "category_id": 1 if name == "person" else 3,
                      "iscrowd": int(name == "crowd"), "segmentation": masks.encode(mask)})  # fmt: skip
    content = {"images": [{"id": 7, "file_name": "a.png", "width": 80, "height": 60}],
               "annotations": found if wanted else found[:4],
               "categories": [{"id": 1, "name": "person"}, {"id": 3, "name": "chair"}]}  # fmt: skip
    (place / "instances.json").write_text(json.dumps(content))
    return place / "instances.json", pixels


def test_things_are_cut_out_by_cocos_masks(tmp_path):
    (tmp_path / "images").mkdir()
    file, pixels = annotated(tmp_path)
    (one,) = read_cut_outs(file)
    np.testing.assert_array_equal(one[..., :3], pixels[10:40, 30:60])
    assert (one[..., 3] > 0).all()
    assert occlusion_named(f"objects:{file}")(()).choices[0].things[0].shape == one.shape
    with pytest.raises(DataError, match="has masks of no thing"):
        read_cut_outs(annotated(tmp_path, wanted=False)[0])
    with pytest.raises(FileNotFoundError, match=r"no folder of cut-outs, and no \.json"):
        read_cut_outs(tmp_path / "nothing")


def test_the_command_line_hides_people_behind_objects(folder, tmp_path, capsys):
    line = ["occlude", "--attacks", f"objects:{folder}", "--object-sizes", "0.2,0.4", "--sized-by", "height", "--out",
            f"{tmp_path}/s", "--people", "5", "--draws", "100"]  # fmt: skip
    assert main(line) == 0
    assert "objects-0.4" in capsys.readouterr().out
    study = read_study(tmp_path / "s")
    assert len(study.attacks) == 2
    assert [attack.at_hand for attack in study.attacks] == [False, False]
    answers = {n: read_answers(tmp_path / "s" / "answers" / f"{n}.npz")[0]
               for n in ("clean", *(a.name for a in study.attacks))}  # fmt: skip
    m = measured(kept(tmp_path / "s").people, answers)
    for attack in study.attacks:
        there = m.asked & reached(answers[attack.name])
        gain = (m.kinds[attack.name].right.astype(int) - m.kinds["clean"].right)[there]
        assert study.changes[attack.name]["all"].value == pytest.approx(gain.mean())
        assert study.pooled[group_of(attack)]["all"].value == pytest.approx(gain.mean())
    page = (tmp_path / "s" / "report.html").read_text()
    assert "Real occluders" in page
    assert "of the height" in page
    assert main([*line, "--object-sizes", "large"]) == 2
    assert "--object-sizes must be numbers" in capsys.readouterr().err
    assert main(["occlude", "--attacks", f"objects:{tmp_path}/none", "--out", f"{tmp_path}/t"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "no folder of cut-outs" in said
    assert not (tmp_path / "t").exists()


def test_objects_are_exported_for_other_tools(folder, tmp_path):
    line = ["occlude", "export", "--attacks", f"objects:{folder}", "--object-sizes", "0.3", "--people", "2", "--out",
            f"{tmp_path}/e"]  # fmt: skip
    assert main(line) == 0
    content = json.loads((tmp_path / "e" / "manifest.json").read_text())
    assert [attack["kind"] for attack in content["attacks"]] == ["objects"]
    assert len(list((tmp_path / "e" / "pictures").glob("objects-any-*.png"))) == 2
