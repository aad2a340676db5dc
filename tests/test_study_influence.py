"""Who influences whom: both sides of the body together, and nothing in full colour that chance among so many gives."""

import json

import numpy as np
import pytest

from posewright.datasets.synthetic import world
from posewright.robustness import people_for, read_study, standard_attacks, study
from posewright.robustness.answers.ask import read_answers
from posewright.robustness.answers.truth import kept
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.numbers.effect import effects
from posewright.robustness.numbers.measure import measured, uncovered
from posewright.robustness.numbers.sides import cell_of
from posewright.robustness.pages.figures import influences
from posewright.robustness.pages.influence import influence
from posewright.robustness.pages.report import write_report
from posewright.robustness.pages.words import MINUS, clear_of
from posewright.scene import Person
from posewright.skeleton import LSP


class Chained:
    """Know the truth, but look for an ankle from the knee of the same side: where that is black, the ankle is lost."""

    skeleton = LSP

    def __init__(self, people):
        self.people = people

    def __call__(self, pixels, boxes):
        one = next(p for p in self.people if np.array_equal(p.box, boxes[0]))
        found = one.truth.keypoints.copy()
        for side in ("left", "right"):
            at = one.truth.keypoints[LSP.index(f"{side}_knee")]
            if np.isfinite(at).all():
                x, y = np.rint(at).astype(int)
                inside = 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
                if inside and not pixels[y, x].any() and one.crop.pixels[y, x].any():
                    found[LSP.index(f"{side}_ankle")] += 1000
        return [Person(found, scores=np.full(len(LSP), 0.5), score=0.5)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, scenes = tmp_path_factory.mktemp("influence"), world(40, 5, skeleton=LSP, size=(160, 128), people=(1, 1))
    people = people_for(Chained([]), scenes)
    listed = standard_attacks(LSP, ["keypoints"], ["blackout"])
    return study(Chained(people), scenes, listed, out=folder, draws=4000), folder


def test_both_sides_together_are_the_sum_of_each(made):
    found, folder = made
    told = found.pooled["influence-blackout"]
    answers = {n: read_answers(folder / "answers" / f"{n}.npz")[0] for n in (CLEAN, *(a.name for a in found.attacks))}
    m = measured(kept(folder).people, answers)
    for name, pairs in {
        "knee on ankle, same side": (("left_knee", "left_ankle"), ("right_knee", "right_ankle")),
        "knee on ankle, other side": (("left_knee", "right_ankle"), ("right_knee", "left_ankle")),
        "neck on wrist": (("neck", "left_wrist"), ("neck", "right_wrist")),
        "head_top on neck": (("head_top", "neck"),),
    }.items():
        gain = count = 0
        for hidden, affected in pairs:
            (attack,) = (a for a in found.attacks if a.target == hidden)
            there = uncovered(m, attack)[:, LSP.index(affected)]
            change = m.kinds[attack.name].right.astype(int) - m.kinds[CLEAN].right
            gain += change[there, LSP.index(affected)].sum()
            count += there.sum()
        assert told[name].value == pytest.approx(gain / count)
        assert told[name].asked == count
    assert told["knee on ankle, same side"].value < -0.8
    assert told["knee on ankle, other side"].value == 0
    assert {cell_of(a.target, k) for a in found.attacks for k in LSP.keypoints} == set(told)
    assert read_study(folder).pooled["influence-blackout"] == told


def test_the_page_names_the_one_influence_that_there_is(made, tmp_path):
    found, folder = made
    section = influence(found)
    assert section.title.startswith(
        f"Strongest influence on another keypoint: knee → ankle, same side, blackout, {MINUS}"
    )
    assert "1 are clearly harmful" in section.text
    assert [row[0] for row in section.grid[1:]] == ["knee → ankle, same side, blackout"]
    assert section.figures[0].count(MINUS) == 1
    assert ">other ankle<" in section.figures[0]
    page = write_report(found, folder).read_text()
    assert "both sides together" in page
    older = json.loads((folder / "study.json").read_text())
    older["pooled"].pop("influence-blackout")
    (tmp_path / "study.json").write_text(json.dumps(older))
    section = influence(read_study(tmp_path))
    assert section.title == "What covering a keypoint or a part does to each keypoint"
    assert len(section.figures) == 1


def test_among_many_influences_that_are_none_seldom_any_is_called_clear():
    rng, any_clear, by_itself = np.random.default_rng(6), 0, 0
    for _ in range(60):
        whole = rng.integers(1, 4, (70, 30)).astype(float)
        part = rng.binomial(whole.astype(int), 0.15) - rng.binomial(whole.astype(int), 0.15).astype(float)
        found = dict(enumerate(effects(part, whole, 1500)))
        any_clear += bool(clear_of(found, 0.02))
        by_itself += any(e.high < 0 or e.low > 0 for e in found.values())
    assert any_clear <= 7  # 5 % of 60 are 3, and 7 have a chance of 3 %
    assert by_itself > 30


def test_what_does_not_survive_is_pale_and_has_no_number(made):
    strong = made[0].pooled["influence-blackout"]["knee on ankle, same side"]
    cells = {(0, 0): (strong, "lower"), (0, 1): (strong, "lower")}
    drawn = influences("Test", ["a"], ["c", "d"], cells, 0.4, None, {(0, 0)})
    assert drawn.count(MINUS) == 1
    assert influences("Test", ["a"], ["c", "d"], cells, 0.4).count(MINUS) == 2
    assert drawn.count("var(--red)") == 2
