"""NME, EPE, AUC and the accuracy of heatmaps by hand."""

import math

import numpy as np
import pytest

from posewright.metrics import auc, epe, heatmap_accuracy, nme
from posewright.scene import Person, Scene
from posewright.skeleton import Skeleton

TWO = Skeleton("two", ("a", "b"), ())


def scene(*rows, box=None):
    people = (Person(np.array(rows, float), box=None if box is None else np.array(box, float)),) if rows else ()
    return Scene("", TWO, people)


TRUTH = [scene([0, 0], [10, 0], box=[0, 0, 5, 20]), scene([0, 0], [np.nan, np.nan], box=[0, 0, 10, 1])]
FOUND = [scene([3, 4], [np.nan, np.nan]), scene([0, 1], [7, 7])]


def test_the_error_is_a_mean_over_what_is_labelled_and_predicted():
    score = epe(FOUND, TRUTH)
    assert score == {"EPE": 3.0, "EPE/a": 3.0, "EPE/b": pytest.approx(math.nan, nan_ok=True)}
    assert (score.protocol["keypoints"], score.protocol["keypoints_not_predicted"]) == (2, 1)
    assert score.protocol["normalised_by"] == "px"
    assert nme(FOUND, TRUTH)["NME"] == pytest.approx((5 / 20 + 1 / 10) / 2)
    assert nme(FOUND, TRUTH, [2.5, 0])["NME/a"] == 2.0
    assert nme(FOUND, TRUTH, [2.5, 0]).protocol["people_without_size"] == 1


def test_nobody_predicted_has_no_error_and_no_area():
    score = epe([scene(), scene()], TRUTH)
    assert math.isnan(score["EPE"])
    assert score.protocol["keypoints_not_predicted"] == 3
    assert set(auc([scene(), scene()], TRUTH).values()) == {0.0}


def test_the_area_counts_what_is_strictly_below_each_threshold():
    score = auc(FOUND, TRUTH, 10.0, 4)
    # a is 5 and 1 px away: of thresholds 0, 2.5, 5 and 7.5 px, 1 lies above 5 and 3 above 1
    assert score == {"AUC": 0.25, "AUC/a": 0.5, "AUC/b": 0.0}
    assert auc(TRUTH, TRUTH)["AUC"] == pytest.approx(0.95)
    with pytest.raises(ValueError, match="steps must be at least 1, not 0"):
        auc(FOUND, TRUTH, steps=0)


def maps(*places, shape=(40, 20)):
    found = np.zeros((1, len(places), *shape), np.float32)
    for k, (x, y) in enumerate(places):
        found[0, k, y, x] = 1
    return found


def test_heatmaps_measure_x_by_the_height_and_y_by_the_width():
    target = maps((10, 10), (10, 10), (10, 10), (10, 10), (1, 10))
    found = heatmap_accuracy(maps((11, 10), (12, 10), (10, 10), (10, 11), (1, 10)), target)
    np.testing.assert_array_equal(found.each, [1, 0, 1, 0, np.nan])
    assert found.mean == 0.5


def test_heatmaps_without_a_peak_are_at_the_corner():
    target = maps((10, 10), (10, 10))
    assert heatmap_accuracy(-target, target).each.tolist() == [0, 0]
    nothing = heatmap_accuracy(target, -target)
    assert math.isnan(nothing.mean)
    assert np.isnan(nothing.each).all()


def test_heatmaps_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match=r"must be \(B, K, h, w\) both, not \(1, 1, 40, 20\) and \(1, 2, 40, 20\)"):
        heatmap_accuracy(maps((0, 0)), maps((0, 0), (0, 0)))
