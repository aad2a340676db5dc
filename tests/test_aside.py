"""Large arrays in files: equal to what they were, wherever they lie, and a study of them says the same."""

import pickle
from itertools import islice

import numpy as np
import pytest

from posewright.datasets import synthetic
from posewright.robustness import people_for, standard_attacks, study
from posewright.robustness.answers.ask import Answers
from posewright.robustness.attacks import aside as place
from posewright.robustness.attacks.aside import aside, let_go, scene_aside
from posewright.robustness.attacks.subjects import arrays_of
from posewright.robustness.numbers import effect
from posewright.robustness.numbers.right import Kinds
from posewright.skeleton import COCO


def in_file(array):
    return place._block_of(array) is not None


def test_what_is_put_aside_is_equal_before_and_after_memory_forgets_it(rng, monkeypatch):
    monkeypatch.setattr(place, "BLOCK", 1 << 16)
    given = [rng.integers(0, 255, shape, dtype=np.uint8) for shape in [(90, 70, 3)] * 6 + [(300, 300, 3), (0, 3)]]
    given += [rng.random((400, 30)) < 0.5]
    put = aside(30_000)
    kept = [put(array) for array in given]
    assert [in_file(array) for array in kept] == [False] + [True] * 6 + [False] + [True]
    assert kept[0] is given[0]
    for _ in range(2):
        for array, expected in zip(kept, given, strict=True):
            assert array.dtype == expected.dtype
            np.testing.assert_array_equal(array, expected)
        let_go([*kept, None])
    assert put(kept[3]) is kept[3]
    assert in_file(kept[3][5:20, ::2])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(kept[6])), given[6])


def test_where_no_file_has_room_arrays_stay_in_memory(rng, monkeypatch):
    def full(_size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(place, "_opened", full)
    array = rng.random((20, 20))
    assert aside(0)(array) is array


@pytest.mark.parametrize("whole", [False, True])
def test_a_study_of_crops_in_files_says_what_one_in_memory_says(monkeypatch, whole):
    scenes = list(islice(synthetic.scenes(3, skeleton=COCO), 5))

    def guess(pixels, boxes):
        bright = pixels[::40, ::40].mean() / 255
        spread = np.linspace(0, 1, 17)[:, None]
        return np.stack([np.concatenate([b[:2] + spread * (b[2:] - b[:2]) * bright, spread], 1) for b in boxes])

    attacks = standard_attacks(COCO)[::30]
    expected = study(guess, scenes, attacks, whole=whole, draws=20)
    files = []

    def all_aside():
        put = aside(0)
        return lambda array: files.append(put(array)) or files[-1]

    for room in ("attacks.subjects", "answers.ask", "numbers.measure"):
        monkeypatch.setattr(f"posewright.robustness.{room}.aside", all_aside)
    put = aside(0)
    kept = [scene_aside(scene, put) for scene in scenes]
    people = people_for(guess, kept, whole=whole)
    assert all(in_file(array) for one in people for array in arrays_of(one) if array is not None)
    assert all(in_file(scene.image) for scene in kept)
    files.clear()
    found = study(guess, kept, attacks, whole=whole, draws=20)
    assert len(files) >= len(attacks) * (len(Answers._fields) + len(Kinds._fields) + 4)
    assert all(in_file(array) for array in files)
    assert any(effect.value for some in found.changes.values() for effect in some.values())
    for part in ("protocol", "clean", "changes", "influence", "AP", "pooled"):
        np.testing.assert_equal(str(getattr(found, part)), str(getattr(expected, part)), err_msg=part)


def test_effects_of_rows_in_files_are_those_of_arrays_in_however_many_lots(rng, monkeypatch):
    whole = rng.integers(0, 5, (12, 30)).astype(float)
    part = np.minimum(whole, rng.integers(0, 5, whole.shape))
    families = [n % 4 for n in range(30)]
    expected = effect.effects(part, whole, 50, 3, families)
    assert any(one.low_all < one.low for one in expected)
    put = aside(0)
    rows = [put(np.ascontiguousarray(array.T)) for array in (part, whole)]
    for at_once in (effect.AT_ONCE, 50 * 8):
        monkeypatch.setattr(effect, "AT_ONCE", at_once)
        assert effect.effects_of_rows(*rows, 50, 3, families) == expected
    assert effect.effects_of_rows([], []) == []
