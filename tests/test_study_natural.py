"""Natural occlusion in a study: numbers equal to a few lines of numpy, for an estimator that loses hidden keypoints."""

import numpy as np
import pytest

from posewright.robustness import people_for, read_study, standard_attacks, study, write_study
from posewright.robustness.numbers.natural import _correlation
from posewright.robustness.pages.natural import natural_occlusion
from posewright.scene import HIDDEN, SEEN, Person, Scene
from posewright.skeleton import LSP

FAR = 1000.0
PLACES = np.array([(x, y) for y in range(5) for x in range(3)][:14], float) * 40 + 60
BLACK = standard_attacks(LSP, ("keypoints",), ["blackout"])


def scenes(count, hidden=0.0):
    """Pictures of noise, one person in each, a share of whose keypoints is annotated as hidden."""
    rng, found = np.random.default_rng(2), []
    for n in range(count):
        keypoints = PLACES + rng.uniform(-4, 4, PLACES.shape)
        visible = np.where(rng.random(len(LSP)) < hidden, HIDDEN, SEEN).astype(np.uint8)
        person = Person(keypoints, visible, box=np.array([50.0, 50, 150, 230]), id=n)
        pixels = rng.integers(1, 255, (280, 200, 3), dtype=np.uint8)
        found.append(Scene(pixels, LSP, (person,), (200, 280), id=f"picture {n}"))
    return found


class Forgetful:
    """Know the truth, but lose a keypoint that is hidden or covered in a share of the pictures."""

    skeleton = LSP

    def __init__(self, some, share):
        self.people = people_for(self, some)
        self.lost = np.random.default_rng(7).random((len(some), len(LSP))) < share

    def __call__(self, pixels, _boxes):
        n = max(range(len(self.people)), key=lambda n: (self.people[n].crop.pixels == pixels).mean())
        one = self.people[n]
        x, y = np.rint(one.truth.keypoints).astype(int).T
        covered = (pixels[y, x] != one.crop.pixels[y, x]).any(-1)
        wrong = self.lost[n] & (covered | (one.truth.visible == HIDDEN))
        return [Person(one.truth.keypoints + FAR * wrong[:, None], scores=np.full(len(LSP), 0.5), score=0.5)]


def test_hidden_keypoints_are_counted_apart_from_seen_ones():
    some = scenes(24, hidden=1 / 3)
    oracle = Forgetful(some, 0.5)
    lost, found = oracle.lost, study(oracle, some, BLACK, draws=200).pooled["natural"]
    hidden = np.array([scene.people[0].visible == HIDDEN for scene in some])
    assert found["right_seen"].value == 1
    assert found["right_hidden"].value == pytest.approx(1 - lost[hidden].mean())
    assert found["right_hidden"].asked == hidden.sum()
    assert found["hidden_less_seen"].value == pytest.approx(-lost[hidden].mean())
    assert found["hidden_less_seen"].high < 0


def test_attacks_predict_what_is_lost_for_the_same_reason(tmp_path):
    some = scenes(40, hidden=1 / 3)
    oracle = Forgetful(some, np.linspace(0, 1, len(LSP)))
    lost, told = oracle.lost, study(oracle, some, BLACK, draws=200)
    hidden = np.array([scene.people[0].visible == HIDDEN for scene in some])
    natural = [-lost[hidden[:, k], k].mean() for k in range(len(LSP))]
    attacked = [-(lost & ~hidden)[:, k].mean() for k in range(len(LSP))]
    effect = told.pooled["natural-blackout"]["pearson_r"]
    assert effect.value == pytest.approx(np.corrcoef(natural, attacked)[0, 1])
    assert effect.low > 0.5
    section = natural_occlusion(told)
    assert "harder in clean pictures" in section.title
    assert section.details[0][0] == "Pearson's r with blackout"
    assert f"{effect.value:.2f} (" in section.text
    write_study(told, tmp_path)
    file = tmp_path / "study.json"
    file.write_text(file.read_text().replace('"pearson_r"', '"foretold"'))  # as studies were written before
    assert read_study(tmp_path).pooled["natural-blackout"] == {"pearson_r": effect}


def test_truth_without_hidden_keypoints_has_no_such_chapter():
    told = study(Forgetful(some := scenes(6), 0.5), some, BLACK, draws=20)
    assert "natural" not in told.pooled
    assert natural_occlusion(told) is None


def test_correlation_is_numpy_s_over_what_both_have(rng):
    a, b = rng.normal(size=(2, 3, 9))
    a[1, 4] = np.nan
    b[2] = 1.0
    keep = np.isfinite(a[1])
    wanted = [np.corrcoef(a[0], b[0])[0, 1], np.corrcoef(a[1][keep], b[1][keep])[0, 1], np.nan]
    np.testing.assert_allclose(_correlation(a, b), wanted)
