"""The study: an estimator that knows the truth must give exactly the effects that its mistakes make."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from posewright.cli import main
from posewright.metrics import oks_ap
from posewright.metrics.trust.confidence import compare
from posewright.occlusion import Occluder
from posewright.occlusion.fills import black
from posewright.occlusion.regions import KeypointDisc, Nothing, Rectangle
from posewright.robustness import Effect, people_for, read_study, standard_attacks, study
from posewright.robustness.answers.ask import CLEAN, answers, attacked, clean_answers
from posewright.robustness.numbers.precision import returned, truth_of
from posewright.robustness.numbers.right import rule_for
from posewright.scene import Person, Scene
from posewright.skeleton import COCO, LSP, Skeleton

PLACES = {
    "head_top": (60, 10), "neck": (60, 40), "right_shoulder": (30, 40), "left_shoulder": (90, 40),
    "right_elbow": (10, 70), "left_elbow": (110, 70), "right_wrist": (10, 100), "left_wrist": (110, 100),
    "right_hip": (40, 110), "left_hip": (80, 110), "right_knee": (40, 150), "left_knee": (80, 150),
    "right_ankle": (40, 190), "left_ankle": (80, 190),
}  # fmt: skip
STANDING = np.array([PLACES[name] for name in LSP.keypoints], np.float64)
KNEE, ELBOW = LSP.index("left_knee"), LSP.index("left_elbow")
FAR = 1000.0


def scenes(count=6, without=(), skeleton=LSP):
    """Pictures of noise, one person in each; those in `without` have no left knee."""
    rng = np.random.default_rng(5)
    found = []
    for n in range(count):
        keypoints = STANDING + np.array([60, 40]) + rng.uniform(-4, 4, STANDING.shape)
        visible = np.full(len(LSP), 2, np.uint8)
        if n in without:
            keypoints[KNEE], visible[KNEE] = np.nan, 0
        person = Person(keypoints, visible, box=np.array([65.0, 45, 175, 235]), id=n).to(LSP, skeleton)
        pixels = rng.integers(1, 255, (280, 240, 3), dtype=np.uint8)
        found.append(Scene(pixels, skeleton, (person,), (240, 280), id=f"picture {n}"))
    return found


def right(xy, _covered):
    return xy


def nobody(_pixels, _boxes):
    return []


def saying(answer):
    return lambda _pixels, _boxes: answer


class Oracle:
    """Know the truth of every crop, and what of it is covered; `errs(xy, covered)` says what it gets wrong."""

    skeleton = LSP

    def __init__(self, scenes, errs=right, arrays=False):
        self.people = people_for(self, scenes)
        self.errs, self.arrays, self.calls = errs, arrays, 0

    def protocol(self):
        return {"estimator": "an oracle", "threads": id(self)}

    def __call__(self, pixels, boxes):
        self.calls += 1
        one = max(self.people, key=lambda one: (one.crop.pixels == pixels).mean())
        assert np.array_equal(boxes, [one.box])
        x, y = np.rint(np.nan_to_num(one.truth.keypoints)).astype(int).T
        covered = (pixels[y, x] != one.crop.pixels[y, x]).any(-1) & one.truth.labelled
        xy = self.errs(np.where(one.truth.labelled[:, None], one.truth.keypoints, 7.0), covered)
        scores = np.where(covered, 0.25, 0.75)
        if self.arrays:
            return np.dstack([xy[None], scores[None, :, None]])
        return [Person(xy, scores=scores, score=float(scores.mean()))]


def lost(xy, covered):
    """Find nothing of what is covered."""
    return np.where(covered[:, None], xy + FAR, xy)


def inverted(xy, covered):
    """Take what is covered for its mirror image."""
    return np.where(covered[:, None], xy[LSP.mirror], xy)


def confused(xy, covered):
    """Lose the left elbow where the left knee is covered, and find the knee."""
    return xy + np.where((np.arange(len(LSP)) == ELBOW)[:, None] & covered[KNEE], FAR, 0.0)


def blackout(*kinds, radii=(6,)):
    return standard_attacks(LSP, kinds or ("keypoints",), ["blackout"], radii)


def ends(effect):
    return effect.value, effect.low, effect.high


def test_who_is_always_right_loses_nothing_and_that_is_a_finding():
    found = study(Oracle(some := scenes(20)), some, blackout("keypoints", "parts"), draws=50, margin=0.2)
    assert ends(found.clean["all"]) == ends(found.clean["left_knee"]) == ends(found.clean["AP"]) == (1, 1, 1)
    assert found.clean["all"].asked == 20 * 14
    for name, rows in found.changes.items():
        for row in ("all", "hit", "target", "inverted", "swapped"):
            assert ends(rows[row]) == (0, 0, 0), (name, row)
            assert found.verdict(row, rows[row]) == "none"
        told = [effect for effect in found.influence[name].values() if effect.asked]
        assert all(effect.value == 0 for effect in told), "no data where a part covers most of a keypoint's people"
        assert all(ends(effect) == (0, 0, 0) for effect in found.AP[name].values() if effect.asked)


def test_who_loses_what_is_covered_loses_that_alone():
    found = study(Oracle(some := scenes(), lost), some, blackout("keypoints", "parts"), draws=50)
    for k, name in enumerate(LSP.keypoints):
        rows = found.changes[f"keypoints-{name}-blackout-6"]
        assert {row: rows[row].value for row in ("target", "hit", "others", "collateral")} == {
            "target": -1, "hit": -1, "others": 0, "collateral": 0}  # fmt: skip
        assert rows["all"].value == pytest.approx(-1 / 14)
        assert [effect.value for effect in found.influence[f"keypoints-{name}-blackout-6"].values()] == [
            -1.0 if k == other else 0.0 for other in range(14)
        ]
        assert (rows["score_hit"].value, rows["score_collateral"].value) == (-0.5, 0)
        assert (rows["score_wrong"].value, rows["score_wrong"].asked) == (0.25, 6)
        assert np.isnan(rows["score_right"].value)
        assert rows["score_right"].asked == 0
        precision = found.AP[f"keypoints-{name}-blackout-6"]
        assert (precision["AP_target"].value, precision["AP_others"].value) == (-1, 0)
        assert precision["AP"].value < 0
    arm = found.changes["parts-left_arm-blackout"]
    assert (arm["target"].asked, arm["target"].value, arm["others"].value) == (18, -1, 0)
    together = found.pooled["keypoints-blackout"]
    assert (together["hit"].value, together["hit"].asked, together["collateral"].value) == (-1, 6 * 14, 0)


def test_what_is_taken_for_its_mirror_image_is_inverted_and_not_swapped():
    found = study(Oracle(some := scenes(), inverted), some, blackout(), draws=50)
    rows = found.changes["keypoints-left_knee-blackout-6"]
    assert rows["inverted"].value == pytest.approx(1 / 14)
    assert (rows["swapped"].value, rows["target"].value) == (0, -1)
    middle = found.changes["keypoints-neck-blackout-6"]
    assert (middle["inverted"].value, middle["target"].value) == (0, 0)


def test_another_s_keypoint_is_a_swap():
    other = Person(STANDING + np.array([100, 40]), np.full(14, 2, np.uint8))
    some = [replace(scene, people=(*scene.people, other)) for scene in scenes()]
    oracle = Oracle(some)
    beside = {id(one): one.crop.people[1].keypoints for one in oracle.people}

    def estimator(pixels, boxes):
        (person,) = oracle(pixels, boxes)
        one = max(oracle.people, key=lambda one: (one.crop.pixels == pixels).mean())
        covered = person.scores < 0.5
        return [replace(person, keypoints=np.where(covered[:, None], beside[id(one)], person.keypoints))]

    rows = study(estimator, some, blackout(), draws=50).changes["keypoints-left_ankle-blackout-6"]
    assert (rows["swapped"].value, rows["target"].value) == (pytest.approx(1 / 14), -1)
    assert rows["inverted"].value == 0


def test_collateral_loss_is_found_off_the_diagonal():
    found = study(Oracle(some := scenes(), confused), some, blackout(), draws=50)
    rows = found.changes["keypoints-left_knee-blackout-6"]
    assert (rows["hit"].value, rows["collateral"].value) == (0, pytest.approx(-1 / 13))
    influence = found.influence["keypoints-left_knee-blackout-6"]
    assert {name for name, effect in influence.items() if effect.value} == {"left_elbow"}


def test_who_lacks_the_target_is_left_out():
    found = study(Oracle(some := scenes(6, without=(1, 4)), lost), some, blackout("keypoints", "parts"), draws=50)
    rows = found.changes["keypoints-left_knee-blackout-6"]
    assert (rows["target"].asked, rows["all"].asked, rows["all"].value) == (4, 4 * 14, pytest.approx(-1 / 14))
    assert found.changes["keypoints-neck-blackout-6"]["all"].asked == 4 * 14 + 2 * 13
    assert found.influence["keypoints-left_knee-blackout-6"]["neck"].asked == 4
    precision = found.AP["keypoints-left_knee-blackout-6"]
    assert (precision["AP"].asked, precision["AP_target"].asked) == (6, 4)


def test_nobody_is_asked_again_about_a_crop_that_no_attack_changed():
    oracle = Oracle(some := scenes(6, without=(1, 4)))
    study(oracle, some, {"knee": Occluder(KeypointDisc("left_knee", 9), black), "none": Occluder(Nothing(), black)})
    assert oracle.calls == 6 + 4


def test_arrays_and_people_are_the_same_answer():
    some = scenes()
    people, arrays = (study(Oracle(some, lost, kind), some, blackout(), draws=50) for kind in (False, True))
    assert (repr(people), people.protocol) == (repr(arrays), arrays.protocol)


def test_own_occluders_are_callables_by_name():
    some = scenes()
    mine = {"knee": Occluder(KeypointDisc("left_knee", 9), black), "corner": Occluder(Rectangle((0, 0, 20, 20)), black)}
    found = study(Oracle(some, lost), some, mine, draws=50)
    assert [attack.name for attack in found.attacks] == ["knee", "corner"]
    assert (found.changes["knee"]["hit"].value, found.changes["knee"]["hit"].asked) == (-1, 6)
    assert "target" not in found.changes["knee"]
    assert (found.changes["corner"]["all"].value, found.changes["corner"]["all"].asked) == (0, 6 * 14)
    assert np.isnan(found.changes["corner"]["hit"].value)
    assert (found.AP["knee"]["AP_target"].value, found.AP["knee"]["AP_others"].value) == (-1, 0)


def test_the_truth_is_put_into_the_estimator_s_words():
    found = study(Oracle(some := scenes(skeleton=COCO)), some, blackout(), draws=50)
    assert found.clean["left_knee"].asked == 6
    assert found.clean["neck"].asked == 0
    assert list(found.influence["keypoints-left_knee-blackout-6"]) == list(LSP.keypoints)


def test_precision_is_that_of_oks_ap_with_its_paired_interval():
    some = scenes(12)

    oracle = Oracle(some)

    def estimator(pixels, boxes):
        (person,) = oracle(pixels, boxes)
        rng = np.random.default_rng(int(pixels[:3].sum()))
        spread = np.where(person.scores < 0.5, 40, rng.uniform(1, 12))[:, None]
        return [replace(person, keypoints=person.keypoints + rng.normal(0, spread, (14, 2)), score=rng.random())]

    listed = blackout("parts")
    found = study(estimator, some, listed, draws=80, seed=3)
    people = people_for(estimator, some)
    clean = clean_answers(estimator, people)
    truth = [replace(scene, id=place) for place, scene in enumerate(some)]
    before = []
    for scene, one in zip(truth, people, strict=True):
        before.append(replace(scene, people=tuple(one.crop.back(estimator(one.crop.pixels, [one.box])))))
    assert [p.score for s in returned(people, clean, truth_of(some, people)) for p in s.people] == [
        p.score for s in before for p in s.people
    ]
    score = oks_ap(before, truth)
    assert 0.1 < score["AP"] < 1
    assert found.clean["AP"].value == pytest.approx(score["AP"], abs=1e-12)
    for attack in listed:
        after = []
        for scene, one, crop in zip(truth, people, attacked(people, attack, 3), strict=True):
            after.append(replace(scene, people=tuple(one.crop.back(estimator(crop.pixels, [one.box])))))
        expected = compare(oks_ap(after, truth), score, draws=80, seed=3)
        for number in ("AP", "AP50"):
            assert ends(found.AP[attack.name][number]) == pytest.approx(expected[number][:3], abs=1e-12)


def test_a_detected_box_leads_to_its_person_and_whom_none_leads_to_counts_as_missed():
    some = scenes(4)
    boxes = [[np.array([60.0, 40, 180, 240]), np.array([0.0, 0, 9, 9])], [np.array([0.0, 0, 9, 9])], [], []]
    people = people_for(Oracle(some), some, boxes)
    assert [one.scene for one in people] == [0]
    boxes[3] = [some[3].people[0].box]

    def estimator(pixels, _boxes):
        one = max(people_for(Oracle(some), some, boxes), key=lambda one: (one.crop.pixels == pixels).mean())
        return [Person(one.truth.keypoints, scores=np.ones(14), score=1.0)]

    found = study(estimator, some, blackout(), boxes=boxes, draws=50)
    assert found.protocol["people"] == 2
    assert found.protocol["boxes"] == "detected"
    assert found.clean["all"].value == 1
    assert found.clean["AP"].asked == 4
    assert found.clean["AP"].value == pytest.approx(51 / 101)


def test_most_counts_people_and_the_others_of_the_last_picture_are_not_missed():
    some = scenes(4)
    other = replace(some[1].people[0], id=99)
    some[1] = replace(some[1], people=(some[1].people[0], other))
    found = study(Oracle(some), some, blackout(), most=2, draws=50)
    assert (found.protocol["people"], found.clean["AP"].asked, found.clean["AP"].value) == (2, 2, 1)


def test_what_is_drawn_follows_the_seed(tmp_path):
    some = scenes()
    oracle = Oracle(some)
    (attack,) = blackout("radii")
    clean = clean_answers(oracle, oracle.people)
    drawn = {seed: answers(oracle, oracle.people, attack, clean, seed).covered for seed in (1, 2)}
    assert np.array_equal(drawn[1], answers(oracle, oracle.people, attack, clean, 1).covered)
    assert not np.array_equal(drawn[1], drawn[2])
    assert (drawn[1].sum(1) == 1).all()
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        study(Oracle(some, lost), some, blackout("radii"), out=tmp_path / folder, seed=seed, draws=50)
    written = [(tmp_path / folder / "study.json").read_bytes() for folder in "abc"]
    assert written[0] == written[1] != written[2]


def test_larger_discs_hide_the_same_keypoint():
    oracle = Oracle(scenes())
    crops = [attacked(oracle.people, attack, 0) for attack in blackout("radii", radii=(6, 12))]
    for small, large, one in zip(*crops, oracle.people, strict=True):
        changed = [(crop.pixels != one.crop.pixels).any(-1) for crop in (small, large)]
        assert changed[0].sum() < changed[1].sum()
        assert (changed[1] | ~changed[0]).all()


FILES = ("study.json", "effects.csv", "influence.csv")


def test_an_interrupted_study_goes_on_to_the_same_bytes(tmp_path):
    some, whole = scenes(), Oracle(scenes(), lost)
    study(whole, some, blackout("keypoints", "radii"), out=tmp_path / "whole", draws=50)

    class Stopped(Oracle):
        def __call__(self, pixels, boxes):
            if self.calls == 40:
                raise KeyboardInterrupt
            return super().__call__(pixels, boxes)

    with pytest.raises(KeyboardInterrupt):
        study(Stopped(some, lost), some, blackout("keypoints", "radii"), out=tmp_path / "part", draws=50)
    assert not (tmp_path / "part" / "study.json").exists()
    assert len(list((tmp_path / "part" / "answers").glob("[!.]*.npz"))) == 6
    again = Oracle(some, lost)
    study(again, some, blackout("keypoints", "radii"), out=tmp_path / "part", draws=50)
    assert again.calls == whole.calls - 36
    for name in FILES:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "part" / name).read_bytes()


def test_another_study_s_folder_is_refused(tmp_path):
    some = scenes()
    study(Oracle(some), some, blackout(), out=tmp_path, draws=50)
    study(Oracle(some), some, blackout("parts"), out=tmp_path, draws=60)
    assert "parts-left_arm-blackout" in read_study(tmp_path).changes
    with pytest.raises(ValueError, match=r"holds another study, its people, people_sha256 differ; go on with the same"):
        study(Oracle(some), some, blackout(), out=tmp_path, most=3)
    with pytest.raises(ValueError, match=r"its seed differs"):
        study(Oracle(some), some, blackout(), out=tmp_path, seed=1)


def test_another_occluder_of_the_same_name_is_asked_about_anew(tmp_path):
    some = scenes()
    for keypoint, calls in (("left_knee", 12), ("left_elbow", 6), ("left_elbow", 0)):
        oracle = Oracle(some, lost)
        found = study(oracle, some, {"mine": Occluder(KeypointDisc(keypoint, 9), black)}, out=tmp_path, draws=50)
        assert oracle.calls == calls
        assert [name for name, effect in found.influence["mine"].items() if effect.value] == [keypoint]


def test_a_study_is_read_back_as_it_was_written(tmp_path):
    some = scenes(6, without=(2,))
    found = study(Oracle(some, lost), some, [*blackout("keypoints", "parts", "radii")], out=tmp_path, draws=50)
    read = read_study(tmp_path)
    assert repr(read) == repr(read_study(tmp_path / "study.json")) == repr(found)
    assert read.attacks == found.attacks
    crop = people_for(Oracle(some), some)[0].crop
    again = [one.hide(crop, np.random.default_rng(0)).pixels for one in (read.attacks[3], found.attacks[3])]
    assert np.array_equal(*again)
    rows = (tmp_path / "effects.csv").read_text().splitlines()
    assert rows[0] == (
        "attack,kind,target,fill,radius,number,value,low,high,low90,high90,asked,p,pictures,changed,low_all,high_all,verdict"
    )
    (knee,) = [row for row in rows if row.startswith("keypoints-left_knee-blackout-6,") and ",target," in row]
    assert (
        knee == "keypoints-left_knee-blackout-6,keypoints,left_knee,blackout,6.0,target,-1.0,-1.0,-1.0,-1.0,-1.0,5.0,"
        "0.0625,5.0,5.0,-1.0,-1.0,undecided"  # five of five pictures: one time in sixteen by chance
    )
    assert len((tmp_path / "influence.csv").read_text().splitlines()) == 1 + 14 * len(found.attacks)
    for wrong in ("[]", "{", '{"format": "posewright occlusion study, 1"}'):
        (tmp_path / "study.json").write_text(wrong)
        with pytest.raises(ValueError, match="is no study"):
            read_study(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"posewright occlude"):
        read_study(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("effect", "verdict"),
    [
        (Effect(-0.3, -0.4, -0.2, -0.38, -0.22, 200), "lower"),
        (Effect(0.3, 0.2, 0.4, 0.22, 0.38, 200), "higher"),
        (Effect(-0.01, -0.03, 0.01, -0.019, 0.005, 200), "none"),
        (Effect(-0.01, -0.012, -0.008, -0.012, -0.008, 200), "small"),  # within the margin, and clearly not 0
        (Effect(-0.3, -0.4, -0.2, -0.38, -0.22, 900, 0.01, 50, 5), "undecided"),  # five pictures alone
        (Effect(-0.3, -0.4, -0.2, -0.38, -0.22, 900, 0.01, 50, 6), "lower"),
        (Effect(0.0, 0.0, 0.0, 0.0, 0.0, 900, 1.0, 149, 0), "undecided"),  # of pictures, not of keypoints
        (Effect(0.0, 0.0, 0.0, 0.0, 0.0, 900, 1.0, 150, 0), "none"),
        (Effect(0.0, -0.01, 0.01, -0.01, 0.01, 900, 1.0, 60, 10), "none"),
        (Effect(-0.01, -0.03, 0.01, -0.021, 0.005, 200), "undecided"),
        (Effect(0.0, 0.0, 0.0, 0.0, 0.0, 149), "undecided"),
        (Effect(0.0, 0.0, 0.0, 0.0, 0.0, 150), "none"),
        (Effect(*[np.nan] * 5, 0), "no data"),
    ],
)
def test_no_effect_is_a_finding_where_the_interval_and_the_numbers_allow_it(effect, verdict):
    assert effect.verdict(0.02) == verdict


def test_the_rule_of_right_is_a_fifth_of_the_torso():
    people = people_for(Oracle(some := scenes()), some)
    truth = people[0].truth.keypoints
    torso = np.linalg.norm(truth[LSP.index("left_shoulder")] - truth[LSP.index("right_hip")])
    assert rule_for(LSP, people).reach[0] == pytest.approx(np.full(14, 0.2 * torso))


def test_mistakes_say_what_is_wrong():
    some = scenes()
    oracle = Oracle(some)
    knee = Occluder(KeypointDisc("left_knee", 9), black)
    for name in ("a/b", "", ".hidden", CLEAN, "two words"):
        with pytest.raises(ValueError, match="cannot be the name of an attack's files"):
            study(oracle, some, {name: knee})
    with pytest.raises(ValueError, match="stands twice"):
        study(oracle, some, [*blackout(), *blackout()])
    with pytest.raises(ValueError, match="there is no attack"):
        study(oracle, some, {})
    with pytest.raises(ValueError, match="nobody to attack: in these 6 pictures"):
        study(oracle, [replace(scene, people=()) for scene in some])
    with pytest.raises(ValueError, match="boxes are of 1 scenes, but there are 6"):
        study(oracle, some, boxes=[[]])
    with pytest.raises(ValueError, match="a box that overlaps a detected one"):
        study(oracle, some, boxes=[[]] * 6)
    with pytest.raises(ValueError, match="3 keypoints, the study's skeleton has 14"):
        study(saying(np.zeros((1, 3, 3))), some)
    with pytest.raises(ValueError, match=r"an array \(N, K, 3\), not one of \(14, 2\)"):
        study(saying(np.zeros((14, 2))), some)
    with pytest.raises(ValueError, match="no fill red; there are blackout, meanout, blur, surroundings"):
        standard_attacks(LSP, fills=["red"])
    with pytest.raises(ValueError, match="face has no body part of two keypoints or more"):
        standard_attacks(Skeleton("face", ("nose",), ()), ["parts"])
    with pytest.raises(ValueError, match="radii must be px above 0, not 6, -1"):
        standard_attacks(LSP, ["radii"], radii=[6, -1])
    with pytest.raises(ValueError, match="draws must be 1 or more"):
        study(oracle, some, draws=0)


def test_an_estimator_that_says_nothing_finds_nothing():
    found = study(nobody, some := scenes(), blackout(), draws=50)
    assert (found.clean["all"].value, found.clean["AP"].value, found.clean["all"].asked) == (0, 0, len(some) * 14)


QUICK = ["--people", "3", "--attacks", "parts", "--fills", "blur", "--draws", "50"]


def test_the_verb_studies_the_world_and_goes_on(tmp_path, monkeypatch, capsys):
    from posewright.robustness.answers import ask as module

    real, count = module.answers, iter(range(100))

    def interrupted(*arguments):
        if next(count) == 4:
            raise KeyboardInterrupt
        return real(*arguments)

    command = ["occlude", *QUICK, "--out", str(tmp_path / "study")]
    monkeypatch.setattr(module, "answers", interrupted)
    assert main(command) == 130
    said = capsys.readouterr().err
    assert "interrupted; 4 of " in said
    assert "the same command goes on from there" in said
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "parts-blur" in out
    assert f"open {tmp_path / 'study' / 'report.html'}" in out
    assert f"posewright occlude --out {tmp_path}" in (tmp_path / "study" / "report.html").read_text()
    found = read_study(tmp_path / "study")
    assert found.protocol["model"] == "pose"
    assert found.protocol["data"] == "synthetic world, seed 2026, 1 to 2 people a picture"
    assert len(found.protocol["weights"]) == 64
    assert found.protocol["people"] == 3
    assert main([*command, "--seed", "1"]) == 2
    assert "holds another study, its seed differs" in capsys.readouterr().err


def test_control_c_leaves_what_is_done(tmp_path):
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored in a shell's background
    run = f"{heard}; import sys; from posewright.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", run, "occlude", "--people", "12", "--draws", "20", "--out", str(tmp_path)]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    end = time.monotonic() + 120
    while len(list((tmp_path / "answers").glob("keypoints*.npz"))) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 130
    assert "the same command goes on from there" in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "answers").glob("keypoints*.npz"))) >= 2
    assert not (tmp_path / "study.json").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--attacks", "knees"], "no attack knees; there are keypoints, parts, radii"),
        (["--fills", "blur,red"], "no fill red"),
        (["--people", "0"], "--people must be 1 or more"),
        (["--margin", "0"], "margin above 0"),
        (["--seed", "-1"], "seed 0 or more"),
        (["--world-seed", "-1"], "--world-seed must be 0 or more"),
        (["--data", "/nowhere"], "/nowhere: no such folder"),
        (["--boxes", "nowhere.json"], "nowhere.json"),
        (["more"], "no verb 'more' under occlude"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, monkeypatch, options, complaint, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["occlude", *options[: 1 if options == ["more"] else 0], *QUICK, *options]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("posewright: ")]
    assert complaint in line


def test_boxes_of_no_picture_are_a_mistake(tmp_path, capsys):
    (tmp_path / "boxes.json").write_text('[{"image_id": "elsewhere", "category_id": 1, "bbox": [1, 2, 30, 40]}]')
    assert main(["occlude", *QUICK, "--boxes", str(tmp_path / "boxes.json"), "--out", str(tmp_path)]) == 2
    assert "no box is of a picture of the data" in capsys.readouterr().err


def test_detected_boxes_are_read_by_the_picture_s_name(tmp_path, capsys):
    boxes = [{"image_id": "2026-0-0", "category_id": 1, "bbox": [0, 0, 256, 256], "score": 0.9}]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    command = ["occlude", *QUICK, "--boxes", str(tmp_path / "boxes.json"), "--out", str(tmp_path)]
    code = main(command)
    assert code == 0, capsys.readouterr().err
    found = read_study(tmp_path)
    assert found.protocol["boxes"] == "detected"
    assert 1 <= found.protocol["people"] <= 2
