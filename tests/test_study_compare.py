"""Comparisons of studies: paired differences that are those of the studies themselves, and honest refusals."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posewright import load
from posewright.cli import main
from posewright.codecs.efficientpose import EfficientPose
from posewright.datasets.synthetic import world
from posewright.estimators.estimator import View
from posewright.robustness import people_for, read_study, standard_attacks, study
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.numbers.compare import compare, write_compared
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.numbers.measure import POOLED, measured
from posewright.robustness.pages.compare_page import verdicts, write_compare_page
from posewright.scene import Person
from posewright.skeleton import COCO, LSP
from posewright.warp import Warp, around

DRAWS = 300


class Harmed:
    """Know the truth of clean crops; move keypoints away by `harm` times how much of the crop has changed."""

    skeleton = COCO

    def __init__(self, people, harm):
        self.people, self.harm = people, harm

    def __call__(self, pixels, _boxes):
        changed = [np.mean(cv2.inRange(cv2.absdiff(one.crop.pixels, pixels), 0, 0) == 0) for one in self.people]
        truth = self.people[int(np.argmin(changed))].truth.keypoints
        away = np.arange(len(truth))[:, None] * self.harm * min(changed)
        scores = np.full(len(truth), 0.9 - min(changed))
        return [Person(truth + away, scores=scores, score=0.5)]


@pytest.fixture(scope="module")
def scenes():
    return world(9, 3, size=(160, 128), people=(1, 2))  # of fewer than 8 pictures nothing could be clear


@pytest.fixture(scope="module")
def listed():
    return [
        *standard_attacks(COCO, ["keypoints", "parts"], ["blackout"])[::3],
        *standard_attacks(COCO, ["radii"], ["blackout"], [18]),
    ]


@pytest.fixture(scope="module")
def place(tmp_path_factory, scenes, listed):
    place = tmp_path_factory.mktemp("compare")
    people = people_for(None, scenes)
    for name, harm in (("strong", 30.0), ("weak", 300.0), ("same", 30.0)):
        study(Harmed(people, harm), scenes, listed, out=place / name, draws=DRAWS)
    return place


def test_a_verdict_is_corrected_for_the_rows_of_its_table():
    """One p of 0.02 alone is clear; beside 23 rows without a difference it is not, and a tiny one still is."""
    one, none, tiny = (Effect(0.1, 0.01, 0.2, 0.02, 0.19, 900, p) for p in (0.02, 0.6, 0.0004))
    rows = {f"row{n}": none._replace(low=-0.1, high=0.3) for n in range(23)}
    assert verdicts({"odd": one}, 0.02)["odd"] == (0.02, "higher")
    assert verdicts({"odd": one, **rows}, 0.02)["odd"] == (pytest.approx(0.48), "undecided")
    assert verdicts({"odd": tiny, **rows}, 0.02)["odd"] == (pytest.approx(0.0096), "higher")


def test_differences_are_those_of_the_studies(place, listed):
    (found,) = compare([place / "strong", place / "weak"], DRAWS)
    first, second = read_study(place / "strong"), read_study(place / "weak")
    assert found.names == ("strong", "weak")
    for attack in listed:
        for number in POOLED:
            a, b = first.changes[attack.name][number], second.changes[attack.name][number]
            np.testing.assert_allclose(found.differences[attack.name][number].value, a.value - b.value, atol=1e-12)
            np.testing.assert_allclose(found.own["weak"][attack.name][number][:9], b[:9], atol=1e-12)
    for group in found.groups:
        expected = first.pooled[group]["all"].value - second.pooled[group]["all"].value
        np.testing.assert_allclose(found.differences[group]["all"].value, expected, atol=1e-12)
    assert found.differences["clean"]["all"].value == 0
    parts = found.differences["parts-blackout"]["all"]
    assert parts.verdict() == "higher"
    assert 0.05 < parts.low < parts.value < parts.high


def test_videos_are_drawn_together_as_in_the_studies(tmp_path, scenes, listed):
    videos = [replace(scene, group=f"video {n // 3}") for n, scene in enumerate(scenes)]
    people = people_for(None, videos)
    for name, harm in (("strong", 30.0), ("weak", 300.0)):
        study(Harmed(people, harm), videos, listed[:4], out=tmp_path / name, draws=DRAWS)
    (found,) = compare([tmp_path / "strong", tmp_path / "weak"], DRAWS)
    for name in ("strong", "weak"):
        for attack in listed[:4]:
            own = read_study(tmp_path / name).changes[attack.name]["all"]
            np.testing.assert_allclose(found.own[name][attack.name]["all"][:9], own[:9], atol=1e-12)


def test_pairing_makes_intervals_narrower(place):
    (found,) = compare([place / "strong", place / "weak"], DRAWS)
    paired, (a, b) = (
        found.differences["parts-blackout"]["all"],
        (one["parts-blackout"]["all"] for one in found.own.values()),
    )
    assert paired.high - paired.low < (a.high - a.low) + (b.high - b.low)


def test_turning_the_order_turns_the_sign(place):
    (forth,), (back,) = (compare([place / a, place / b], DRAWS) for a, b in (("strong", "weak"), ("weak", "strong")))
    for row, some in forth.differences.items():
        for number, effect in some.items():
            other = back.differences[row][number]
            np.testing.assert_allclose(effect.value, -other.value, atol=1e-12)
            np.testing.assert_allclose((effect.low, effect.high), (-other.high, -other.low), atol=1e-12)


def test_the_same_answers_do_not_differ(place):
    (found,) = compare([place / "strong", place / "same"], DRAWS)
    for some in found.differences.values():
        for effect in some.values():
            assert effect.value == effect.low == effect.high == 0 or np.isnan(effect.value)


def test_several_are_compared_with_the_first(place):
    found = compare([place / "strong", place / "weak", place / "same"], DRAWS)
    assert [one.names for one in found] == [("strong", "weak"), ("strong", "same")]


def test_crops_of_other_sizes_are_of_the_same_people(tmp_path):
    scenes, some = world(2, 8, people=(1, 1), skeleton=LSP), standard_attacks(LSP, ["keypoints"], ["blackout"])
    people = people_for(None, scenes)
    own = Harmed(people, 30.0)
    own.skeleton = LSP
    study(own, scenes, some, out=tmp_path / "large", draws=1)
    study(load("default"), scenes, some, out=tmp_path / "default", draws=1)
    (found,) = compare([tmp_path / "large", tmp_path / "default"], 10)
    assert found.differences["clean"]["all"].value > 0


class Seeing:
    """Be shown crops of a size, aimed at as `aim` does, and say always the same of them."""

    skeleton = LSP

    def __init__(self, size, aim):
        self.view = View(size, 1.25, aim)

    def __call__(self, _pixels, boxes):
        return [Person(np.arange(2.0 * len(LSP)).reshape(-1, 2), scores=np.ones(len(LSP))) for _ in boxes]


def stretched(by):
    """Aim as ever, then make everything wider by a factor."""

    def aim(*args, **named):
        warp = around(*args, **named)
        return Warp(np.diag([by, 1.0, 1.0]) @ warp.matrix, warp.size)

    return aim


def test_sides_rounded_to_whole_px_are_allowed_for_and_no_more(tmp_path):
    """EfficientPose's crops of 224 and 240 px have other scales in x and y; a crop that is 5 % wider is another."""
    scenes, some = world(6, 8, people=(1, 1), skeleton=LSP), standard_attacks(LSP, ["keypoints"], ["blackout"])[:1]
    cuts = {"rt": Seeing((224, 224), EfficientPose.around), "i": Seeing((240, 240), EfficientPose.around),
            "even": Seeing((224, 224), around), "wide": Seeing((224, 224), stretched(1.05)),
            "barely": Seeing((224, 224), stretched(1.004))}  # fmt: skip
    torso = {}
    for name, estimator in cuts.items():
        study(estimator, scenes, some, out=tmp_path / name, draws=1, rule="torso")
        people = kept(tmp_path / name).people
        ends = [LSP.index("left_shoulder"), LSP.index("right_hip")]
        torso[name] = [np.hypot(*np.subtract(*p.truth.keypoints[ends])) / p.crop.warp.scale for p in people]
    assert np.abs(np.divide(torso["rt"], torso["i"]) - 1).max() > 1e-3
    for first, second in (("rt", "i"), ("even", "rt"), ("even", "barely")):
        (found,) = compare([tmp_path / first, tmp_path / second], 2)
        assert not found.left_out
    with pytest.raises(ValueError, match="right reaches elsewhere"):
        compare([tmp_path / "rt", tmp_path / "wide"])


def other(place, folder, name, scenes, listed, **how):
    people = people_for(None, scenes)
    study(Harmed(people, 30.0), scenes, listed, out=folder / name, draws=1, **how)
    return [place / "strong", folder / name]


def test_studies_of_other_things_are_refused_in_one_line(place, tmp_path, scenes, listed):
    words = {
        "no attack": (scenes, standard_attacks(COCO, ["radii"], ["blur"], [3]), {}, "have no attack in common"),
        "other seed": (scenes, listed, {"seed": 1}, "its seed is 1, not 0"),
        "other people": (world(9, 3, size=(160, 128), people=(1, 2))[::-1], listed, {}, "is another"),
        "other truth": ([_moved(scenes[0]), *scenes[1:]], listed, {}, "person 0 is another"),
        "other area": ([_of_area(s, 900.0) for s in scenes], listed, {}, "right reaches elsewhere"),
    }
    for name, (given, some, how, said) in words.items():
        folders = other(place, tmp_path, name, given, some, **how)
        with pytest.raises(ValueError, match=said) as error:
            compare(folders)
        assert "\n" not in str(error.value)
        assert str(folders[1]) in str(error.value)


def _of_area(scene, area):
    return replace(scene, people=tuple(replace(p, area=area) for p in scene.people))


def _moved(scene):
    return replace(scene, people=tuple(replace(p, keypoints=p.keypoints + 1.0) for p in scene.people))


def test_what_two_studies_share_is_compared_and_the_rest_is_named(place, tmp_path, scenes, listed):
    """A rival with LSP's keypoints, fewer attacks and people stands beside COCO's, in what both have."""
    people = people_for(None, scenes)
    rival = Harmed(people, 300.0)
    shared = [name for name in LSP.keypoints if name in COCO.keypoints]

    class Fewer(Harmed):
        skeleton = LSP

        def __call__(self, pixels, boxes):
            return [person.to(COCO, LSP) for person in rival(pixels, boxes)]

    few = standard_attacks(LSP, ["radii"], ["blackout"], [18])
    study(Fewer(people, 0.0), scenes[:4], few, out=tmp_path / "rival", draws=1, rule="similarity")
    (found,) = compare([place / "strong", tmp_path / "rival"], DRAWS)
    assert len(found.left_out) == 4
    assert found.left_out[0].startswith(f"{len(listed) - 1} attacks of strong alone ({listed[0].name}, ")
    assert any(note.startswith("5 keypoints of strong alone (nose, left_eye") for note in found.left_out)
    assert "2 keypoints of rival alone (neck, head_top)" in found.left_out
    assert set(found.differences["clean"]) == {"all", *shared}
    first, second = (
        measured(kept(f).people, answers_of(f), "similarity") for f in (place / "strong", tmp_path / "rival")
    )
    n = len(second.asked)
    for name, m in (("strong", first), ("rival", second)):
        columns = [m.skeleton.index(k) for k in shared]
        right, wanted = (a[:n][:, columns] for a in (m.kinds["clean"].right, m.asked))
        value = found.own[name]["clean"]["all"].value
        assert value == pytest.approx((right & wanted).sum() / wanted.sum())
    page = write_compare_page([found], tmp_path / "page").read_text()
    assert "Left out, as only one of them has it" in page


def answers_of(folder):
    return {file.stem: read_answers(file)[0] for file in (folder / "answers").glob("*.npz")}


def test_another_rule_is_refused(place, tmp_path, scenes, listed):
    named = replace(COCO, sigmas=tuple(2 * s for s in COCO.sigmas), sigmas_source="mine")
    again = [replace(scene, skeleton=named) for scene in scenes]
    estimator = Harmed(people_for(None, again), 30.0)
    estimator.skeleton = named
    study(estimator, again, listed, out=tmp_path / "mine", draws=1)
    with pytest.raises(ValueError, match=r"right means similarity of 0\.5 .*mine"):
        compare([place / "strong", tmp_path / "mine"])


def test_what_is_no_study_is_refused(place, tmp_path, scenes, listed):
    with pytest.raises(ValueError, match="two studies or more"):
        compare([place / "strong"])
    with pytest.raises(ValueError, match="the same study twice"):
        compare([place / "strong", place / "strong"])
    with pytest.raises(FileNotFoundError, match="no such file"):
        compare([place / "strong", tmp_path])
    folders = other(place, tmp_path, "damaged", scenes, listed)
    (tmp_path / "damaged" / "answers" / "clean.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"clean\.npz: not an npz file"):
        compare(folders)
    (tmp_path / "damaged" / "people.json").write_text("{}")
    with pytest.raises(ValueError, match=r"people\.json: skeleton: missing"):
        compare(folders)


def test_the_command_line_compares(place, tmp_path, capsys):
    line = f"occlude compare {place}/strong {place}/weak --out {tmp_path}/c --draws 1000"
    assert main(line.split()) == 0
    assert "weak loses more under" in capsys.readouterr().out
    content = json.loads((tmp_path / "c" / "compare.json").read_text())
    (pair,) = content["compared"]
    assert pair["differences"]["parts-blackout"]["all"]["verdict"] == "higher"
    page = (tmp_path / "c" / "compare.html").read_text()
    assert "<svg" in page
    assert "weak loses more under" in page
    assert main(["occlude", "compare", f"{place}/strong", f"{tmp_path}/no"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_written_comparison_holds_every_number(place, tmp_path):
    found = compare([place / "strong", place / "weak"], 20)
    content = json.loads(write_compared(found, tmp_path, draws=20).read_text())
    for row, some in found[0].differences.items():
        for number, effect in some.items():
            said = content["compared"][0]["differences"][row][number]["value"]
            assert said == effect.value or (said is None and np.isnan(effect.value))
