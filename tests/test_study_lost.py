"""People lost whole: counted by what became of them, and drawn, to another person, to nobody, or turned over."""

import numpy as np
import pytest

from posewright.robustness import people_for, standard_attacks, study
from posewright.robustness.attacks.attack import CLEAN
from posewright.robustness.numbers.right import Fate
from posewright.robustness.pages.examples import judged_in
from posewright.robustness.pages.lost import EACH, lost, lost_of
from posewright.robustness.pages.report import answers_in, write_report
from posewright.scene import Person, Scene
from posewright.skeleton import COCO

NOSE = COCO.index("nose")


def standing(corner, rng):
    """A person of 40x90 px from a corner on."""
    xy = np.rint(corner + rng.uniform(0, 1, (17, 2)) * (40, 90))
    return Person(xy, np.full(17, 2, np.uint8), box=np.array([*corner, *np.add(corner, (40, 90))], float))


class Losing:
    """Know the truth; where the nose is black, take every third person for their neighbour, for nobody, or shift it."""

    skeleton = COCO

    def __init__(self):
        self.people = []

    def __call__(self, pixels, _boxes):
        n = int(np.argmin([(one.crop.pixels != pixels).any(-1).mean() for one in self.people]))
        one = self.people[n]
        truth, other = one.truth.keypoints, one.crop.people[1].keypoints
        x, y = np.rint(truth[NOSE]).astype(int)
        gone = not pixels[y, x].any()
        place = {0: other, 1: np.full((17, 2), np.nan), 2: truth + np.array([0, 400])}[n % 3] if gone else truth
        return [Person(place, scores=np.full(17, 0.5), score=0.5)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder, rng, scenes = tmp_path_factory.mktemp("lost"), np.random.default_rng(1), []
    for n in range(9):
        people = (standing((20 + n, 15), rng), standing((90, 10 + n), rng))
        scenes.append(Scene(rng.integers(40, 250, (130, 150, 3), dtype=np.uint8), COCO, people, (150, 130), id=n))
    estimator = Losing()
    estimator.people = people = people_for(estimator, scenes)
    listed = [a for a in standard_attacks(COCO, ["keypoints"], ["blackout"]) if a.target in ("nose", "left_ankle")]
    return study(estimator, scenes, listed, out=folder, draws=200), folder, people


def test_people_are_counted_by_what_became_of_them(made):
    found, folder, people = made
    answers = answers_in(folder, found)
    m = judged_in(found, people, answers)
    for one in lost_of(found, m):
        count = 0
        for attack in found.attacks:
            right = [(m.kinds[name].right & m.asked).sum(1) / m.asked.sum(1) for name in (CLEAN, attack.name)]
            gone = (right[0] >= 0.5) & (right[1] <= 0.2)
            said = answers[attack.name].keypoints
            nobody = ~np.isfinite(said).all(-1).any(1)
            other = np.array([np.array_equal(said[n], p.crop.people[1].keypoints) for n, p in enumerate(people)])
            kind = {Fate.TO_NOBODY: nobody, Fate.TO_ANOTHER: other, Fate.LOST: ~nobody & ~other}[one.fate]
            count += (gone & kind).sum()
        assert one.people == count >= 6
        assert len(one.cases) == EACH == len({case.person for case in one.cases})
        for case in one.cases:
            assert m.fate[case.attack.name][case.person] == one.fate
    share = found.pooled["keypoints-blackout"]["lost"].value
    reached = sum((answers[a.name].attacked & m.asked.any(1)).sum() for a in found.attacks)
    assert share == pytest.approx(sum(one.people for one in lost_of(found, m)) / reached)


def test_the_page_draws_them(made):
    found, folder, people = made
    m = judged_in(found, people, answers_in(folder, found))
    section = lost(found, people, m)
    assert section.title.startswith("People are lost whole: ")
    (cases,) = section.cases
    for words in ("Taken for another person. ", "Nobody is found. ", "Lost, and found as nobody else. "):
        assert cases.count(f"<figcaption>{words}") == EACH
    assert "taken for another person: 6; nobody is found: 6; lost, and found as nobody else: 6" in section.text
    assert not lost(found).cases
    page = write_report(found, folder, people).read_text()
    assert "Who is lost" in page
    assert "Nobody is found. " in page


def test_where_nobody_is_lost_there_is_no_such_chapter(made):
    found, _, people = made
    still = study(lambda pixels, _: [Person(np.full((17, 2), float(len(pixels))))],
                  [Scene(np.full((130, 150, 3), 90, np.uint8), COCO, (people[0].truth,), (150, 130))],
                  list(found.attacks), draws=5)  # fmt: skip
    assert lost(still) is None
