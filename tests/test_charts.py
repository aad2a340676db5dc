"""Charts drawn as SVG by hand: marks lie where their numbers are, texts have room, names out of files do no harm."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from posewright.report import charts
from posewright.report.svg import Scale, width_of

NAN = float("nan")
HALF = np.array([0.0, 0.5, 1.0])
DRAWN = {
    "dots": charts.dots("AP by <group>", [("nose", 0.5, 0.4, 0.6), ("left_ear", 0.7, NAN, NAN)], "AP", 0.5),
    "nothing": charts.dots("nothing is known", [("nose", NAN, NAN, NAN)], "AP"),
    "stacked": charts.stacked("kinds", ["a", "b"], [("good", np.array([0.25, NAN]), "grey"),
                                                    ("bad", np.array([0.75, 1.0]), "red")], "share"),
    "steps": charts.steps("repairs", ("as it is", 0.5), [("one", 0.1), ("two", -0.2)], "AP"),
    "matrix": charts.matrix("cells", ["a", "b"], ["c"], {(0, 0): (0.25, 12), (1, 0): (0.5, 1_200)}),
    "curve": charts.curve("curve", [("score", HALF, HALF**2, np.array([1.0, 2.0, 4.0]))], ("said", "came true")),
    "roc": charts.curve("ROC", [("seen", HALF, HALF**0.5, None)], ("false", "true")),
}  # fmt: skip


def parts(drawn, tag):
    return [one.attrib | {"said": "".join(one.itertext()).strip()} for one in ElementTree.fromstring(drawn).iter(tag)]


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_whole_and_has_the_colours_of_its_page(name):
    drawn = DRAWN[name]
    assert drawn.startswith('<div class="chart"><svg')
    assert not re.findall(r"#[0-9a-f]{6}\b", drawn)
    assert "nan" not in re.sub(r"<title>.*?</title>|<text.*?</text>", "", drawn)
    width, height = map(float, parts(drawn, "svg")[0]["viewBox"].split()[2:])
    for one in parts(drawn, "text"):
        x, y, wide = float(one["x"]), float(one["y"]), width_of(one["said"], float(one.get("font-size", 10)))
        start = x - wide * {"start": 0.0, "middle": 0.5, "end": 1.0}[one["text-anchor"]]
        assert "transform" in one or (start >= 0 and start + wide <= width), one
        assert 0 < y < height


def test_dots_lie_where_their_values_are_between_the_ends_of_their_intervals():
    first, second = parts(DRAWN["dots"], "circle")
    interval = next(one for one in parts(DRAWN["dots"], "path") if "stroke-opacity" in one["style"])
    low, high = (float(place) for place in re.findall(r"[ML]([\d.]+) ", interval["d"]))
    assert float(first["cx"]) == pytest.approx((low + high) / 2, abs=0.02)
    assert float(second["cx"]) - float(first["cx"]) == pytest.approx(high - low, abs=0.02)
    assert first["said"] == "nose: 0.5000 (0.4000 to 0.6000)"
    assert second["said"] == "left ear: 0.7000"
    dashed = next(one for one in parts(DRAWN["dots"], "path") if "dasharray" in one["style"])
    assert dashed["d"].startswith(f"M{first['cx']} "), "the reference is 0.5 too"


def test_shares_lie_end_to_end_and_those_that_nobody_knows_are_left_out():
    boxes = [one for one in parts(DRAWN["stacked"], "rect") if one["said"]]
    assert [one["said"] for one in boxes] == ["a, good: 25.0%", "a, bad: 75.0%", "b, bad: 100.0%"]
    good, bad, whole = ((float(one["x"]), float(one["width"])) for one in boxes)
    assert sum(good) == pytest.approx(bad[0], abs=0.02)
    assert whole[0] == good[0]
    assert whole[1] == pytest.approx(good[1] + bad[1], abs=0.02)
    assert 3 * good[1] == pytest.approx(bad[1], abs=0.05)


def test_every_step_begins_where_the_last_one_ended():
    start, up, down = ((float(one["x"]), float(one["width"])) for one in parts(DRAWN["steps"], "rect"))
    assert sum(start) == pytest.approx(up[0], abs=0.02)
    assert sum(down) == pytest.approx(sum(up), abs=0.02)
    assert down[1] == pytest.approx(2 * up[1], abs=0.02)
    assert {"0.500", "+0.100", "\u22120.200"} <= {one["said"] for one in parts(DRAWN["steps"], "text")}


def test_a_cell_is_the_deeper_the_larger_its_value():
    depths = [float(one["style"].partition("fill-opacity: ")[2]) for one in parts(DRAWN["matrix"], "rect")]
    assert depths == [0.31, 0.56]
    assert "0.500, n = 1,200" in DRAWN["matrix"]


def test_dots_of_a_curve_are_as_large_as_their_counts():
    radii = [float(one["r"]) for one in parts(DRAWN["curve"], "circle")]
    np.testing.assert_allclose(np.square(radii) * 4, [42, 72, 132], rtol=0.01)
    assert not parts(DRAWN["roc"], "circle")


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (0.0, 1.03, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.31, 0.12, ["\u22120.30", "\u22120.25", "\u22120.20", "\u22120.15", "\u22120.10", "\u22120.05", "0.00",
                       "0.05", "0.10"]),
        (995.0, 1504.0, ["1000", "1100", "1200", "1300", "1400", "1500"]),
    ],
)  # fmt: skip
def test_ticks_are_round_and_lie_on_the_axis(low, high, names):
    found = Scale(low, high, 10.0, 110.0).ticks()
    assert [name for _, name in found] == names
    for place, name in found:
        assert place == pytest.approx(10 + 100 * (float(name.replace("\u2212", "-")) - low) / (high - low))


def test_a_long_name_makes_the_chart_wider_and_not_its_plot_small():
    long = charts.dots("t", [("left_ankle_" * 30, 0.5, 0.4, 0.6)], "AP")
    low, high = (float(place) for place in re.findall(r"[ML]([\d.]+) ", parts(long, "path")[-1]["d"]))
    assert high - low > 100
    assert float(parts(long, "svg")[0]["viewBox"].split()[2]) > charts.WIDE
