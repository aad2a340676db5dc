"""Numbers under weights against data that are really repeated, and intervals against what chance makes of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posewright.metrics.matching import Matches, summary
from posewright.metrics.resampling import again_of, resampled


@st.composite
def matches(draw):
    """Draw matches of a few images: equal scores in different images, ignored ones, images without anybody."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images, count = draw(st.integers(1, 6)), draw(st.integers(0, 40))
    hits, dropped = draw(st.sampled_from([0.0, 0.3, 0.8, 1.0])), draw(st.sampled_from([0.0, 0.4, 1.0]))
    image = np.sort(rng.integers(images, size=count))
    score = rng.permutation(count) / max(count, 1)
    if draw(st.booleans()):
        rank = np.arange(count) - np.searchsorted(image, image)
        score = 1.0 - rank / 40
    person = np.where(rng.random((3, 10, count)) < hits, 0, -1)
    ignored = rng.random((3, 10, count)) < dropped
    true = (person >= 0) & ~ignored
    most = np.stack([[true[a, :, image == i].sum(0).max(initial=0) for a in range(3)] for i in range(images)])
    return Matches(image, score, person, ignored, most + rng.integers(0, 3, most.shape) * draw(st.booleans()))


def repeated(found: Matches, times: np.ndarray) -> Matches:
    """Put image i into the data times[i] times, all its copies as images of their own, side by side."""
    name = np.repeat(np.arange(len(times)), times)
    pieces = [np.flatnonzero(found.image == i) for i in name]
    copies = np.concatenate([*pieces, np.zeros(0, int)]).astype(int)
    image = np.repeat(np.arange(len(name)), [len(piece) for piece in pieces]).astype(int)
    return Matches(
        image, found.score[copies], found.person[..., copies], found.ignored[..., copies], found.counted[name]
    )


@given(matches(), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=150)
def test_weights_are_the_same_as_images_that_are_really_repeated(found, seed):
    times = np.random.default_rng(seed).integers(0, 4, (5, len(found.counted)))
    times[0] = 1
    numbers = resampled(found, times.astype(float))
    for row, weights in enumerate(times):
        expected = summary(repeated(found, weights))
        assert list(numbers) == list(expected)
        for name, value in expected.items():
            assert numbers[name][row] == pytest.approx(value, rel=0, abs=1e-12), (name, weights)


@given(matches())
@settings(deadline=None, max_examples=30)
def test_only_the_proportions_of_weights_matter_and_chunks_leave_no_trace(found):
    weights = np.random.default_rng(0).integers(0, 4, (70, len(found.counted))).astype(float)
    again = again_of(found)
    whole, scaled = again(weights), again(weights * 0.375)
    for name, values in whole.items():
        np.testing.assert_allclose(scaled[name], values, rtol=0, atol=1e-12)
        np.testing.assert_allclose(again(weights[41:42])[name], values[41:42], rtol=0, atol=1e-15)
