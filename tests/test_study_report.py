"""The page of a study: one file, whose every number stands in the study, and which claims no more than they carry."""

import json
import math
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from posewright import picture
from posewright.robustness import Study, people_for, read_study, standard_attacks, study
from posewright.robustness.attacks.attack import Attack
from posewright.robustness.numbers.effect import Effect
from posewright.robustness.pages.figures import Spot, compared, influences, scatter
from posewright.robustness.pages.lost import WORDS as LOST_WORDS
from posewright.robustness.pages.relations import outliers
from posewright.robustness.pages.report import FILE, Told, answers_in, write_report
from posewright.robustness.pages.words import points, stands_out
from posewright.scene import Person, Scene, box_around
from posewright.skeleton import LSP

TONES = 80 + 12 * np.arange(len(LSP))
"""Grey levels: keypoint k is a patch of tone k on black."""
PLACES = np.array([(x, y) for y in range(5) for x in range(3)][:14], float) * 40 + 30


def dotted(count, rng):
    """Draw people whose keypoints are patches, each of its own tone, far enough apart to be covered one by one."""
    scenes = []
    for place in range(count):
        pixels = np.zeros((230, 150, 3), np.uint8)
        keypoints = np.round(PLACES + rng.uniform(-3, 3, PLACES.shape))
        for (x, y), tone in zip(keypoints.astype(int), TONES, strict=True):
            pixels[y - 3 : y + 4, x - 3 : x + 4] = tone
        person = Person(keypoints, np.full(14, 2, np.uint8), box=box_around(keypoints))
        scenes.append(Scene(pixels, LSP, (person,), (150, 230), id=f"dots {place}"))
    return scenes


class Finder:
    """Find every patch by its tone; what is covered is said to be in the corner, with a low score."""

    skeleton = LSP

    def __call__(self, pixels, boxes):
        found = np.zeros((len(boxes), 14, 3))
        grey = pixels[..., 1].astype(int)
        rows, columns = np.nonzero(grey)
        for k, tone in enumerate(TONES):
            near = abs(grey[rows, columns] - tone) <= 1
            y, x = rows[near], columns[near]
            steady = len(x) >= 60
            found[:, k] = (np.median(x), np.median(y), 0.9) if steady else (0, 0, 0.4)
        return found


def same(pixels, boxes):  # noqa: ARG001
    """Answer always the same, whatever is in the picture."""
    return np.full((len(boxes), 14, 3), 20.0) * [1, 1, 0.01]


same.skeleton = LSP


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of a finder on six people, its folder, and its people."""
    folder = tmp_path_factory.mktemp("study")
    scenes = dotted(12, np.random.default_rng(3))  # 12 of 12 changed pictures have p = 2^-11, of 28 attacks .014
    listed = standard_attacks(LSP, ["keypoints", "parts", "radii"], ["blackout", "blur"], [3, 18])
    found = study(Finder(), scenes, listed, out=folder, draws=300, protocol={"model": "<i>finder</i>", "data": "a & b"})
    people = people_for(Finder(), scenes)
    write_report(found, folder, people, "posewright occlude --data 'a < b'")
    return found, folder, people


def page_of(folder):
    return (folder / FILE).read_text(encoding="utf-8")


def titles(text):
    return [unescape(title) for title in re.findall("<h2>(.*?)</h2>", text)]


def effects_in(found):
    """Yield every effect of a study."""
    for name in ("changes", "influence", "AP", "pooled"):
        for some in getattr(found, name).values():
            yield from some.values()
    yield from found.clean.values()


def test_the_page_is_one_file_that_needs_nothing_from_elsewhere(made):
    _, folder, _ = made
    text = page_of(folder)
    outside = set(re.findall(r"https?://[^\"'\s<>]+", text))
    assert all(url.startswith("http://www.w3.org/") for url in outside), "names of XML's own, which nobody fetches"
    assert all(source.startswith("data:image/jpeg;base64,") for source in re.findall('src="(.*?)"', text))
    assert all(link.startswith("#") for link in re.findall('href="(.*?)"', text))
    assert all(link.startswith("#") for link in re.findall(r"url\((.*?)\)", text))
    assert "<script" not in text
    assert "<link" not in text
    marks = re.findall(r'\bid="(.*?)"', text)
    assert len(marks) == len(set(marks)), "two figures that share an id would draw each other's shapes"
    assert not list(folder.glob(".*"))


def test_every_number_with_an_interval_stands_in_the_study(made):
    _, folder, _ = made
    content = read_study(folder)
    text = unescape(
        re.sub(r"<svg.*?</svg>|<style>.*?</style>|<figcaption>.*?</figcaption>", "", page_of(folder), flags=re.S)
    )
    known = {
        f"{100 * v:+.1f}".replace("-", "\u2212")
        for e in effects_in(content)
        for v in (*e[:3], *e[9:])
        if math.isfinite(v)
    }
    shown = set(re.findall(r"[+\u2212]\d+\.\d\b", text))
    assert len(shown) > 20
    assert shown <= known
    shares = {f"{100 * v:.1f} %" for e in effects_in(content) for v in e[:1] if math.isfinite(v)}
    assert set(re.findall(r"\b\d+\.\d %", text)) <= shares
    intervals = {
        tuple(f"{100 * v:+.1f}".replace("-", "\u2212") for v in some)
        for e in effects_in(content)
        for some in (e[:3], (e.value, e.low_all, e.high_all))  # of the largest the interval that holds for all
        if e.value == e.value
    }
    triples = re.findall(r"([+\u2212]\d+\.\d)(?: points)? \(([+\u2212]\d+\.\d) to ([+\u2212]\d+\.\d)\)", text)
    assert len(triples) > 20
    assert set(triples) <= intervals


def test_it_says_what_a_finder_of_patches_must_show(made):
    found, folder, _ = made
    told = json.loads((folder / "study.json").read_text())
    for attack in found.attacks:
        if attack.fill == "blackout" and attack.kind == "keypoints":
            assert told["changes"][attack.name]["target"]["value"] == -1, "a covered patch is not found"
            assert told["changes"][attack.name]["others"]["value"] == 0, "and every other one is"
    text = page_of(folder)
    heads = titles(text)
    assert heads[1].startswith("One keypoint covered: the largest loss is \u22127.1 points")
    assert any(head == "Keypoints that nothing covers do not clearly change" for head in heads), (
        "12 pictures, 150 are needed"
    )
    assert any(head == "No covered keypoint clearly harms another" for head in heads)
    assert any(head == "No attack stands out by confusing left and right" for head in heads)
    arm = found.pooled["parts-left_arm-blackout - keypoints-left_elbow-blackout-6"]["all"]
    lost = found.changes["parts-left_arm-blackout"]["all"].value
    assert arm.value == pytest.approx(lost + 1 / 14)
    assert found.pooled["keypoints-blackout"]["collateral_share"].value == 0
    assert found.pooled["keypoints-blackout"]["overconfidence"].value == pytest.approx(0.4)
    assert found.pooled["clean"]["overconfidence"].value == pytest.approx(-0.1)
    assert found.pooled["clean"]["score_right"].value == pytest.approx(0.9)
    assert math.isnan(found.pooled["clean"]["score_wrong"].value)


def test_it_escapes_what_it_is_told(made):
    _, folder, _ = made
    text = page_of(folder)
    assert "<i>finder" not in text
    assert "&lt;i&gt;finder&lt;/i&gt;" in text
    assert "a &amp; b" in text
    assert "a &lt; b" in text


def test_examples_are_drawn_only_of_people_who_are_at_hand(made, tmp_path):
    found, folder, _ = made
    text = page_of(folder)
    captions = [unescape(said) for said in re.findall("<figcaption>(.*?)</figcaption>", text)]
    chapters = [said for said in captions if said.startswith("Worst case. ")]
    assert len(chapters) == 3, "of keypoints, parts and discs; what is not covered loses nothing"
    lost = [said for said in captions if said.startswith(tuple(LOST_WORDS.values()))]
    assert 0 < len(lost) <= 6
    rest = [said for said in captions if said not in (*chapters, *lost)]
    assert len(rest) == 8, "worst and typical, of keypoints and parts, with two fills"
    assert "In the worst cases a person loses" in text
    said = r"\w+ ?\w*, blackout: 14 of 14 keypoints right, then 13; score 0\.90, then 0\.86"
    assert re.fullmatch(said, rest[0])
    assert "<figure>" not in write_report(found, tmp_path).read_text(encoding="utf-8")


def test_it_begins_with_findings_and_a_list_of_what_follows(made):
    found, folder, people = made
    text = page_of(folder)
    cards = re.findall("<li><b>(.*?)</b><span>(.*?)</span><p>(.*?)</p>", text)
    most = min(found.changes[a.name]["all"].value for a in found.attacks if a.kind == "parts")
    assert [number for number, *_ in cards][:2] == ["100.0 %", f"\u2212{-100 * most:.1f} points"]
    assert len(cards) == 5
    links = re.findall('<a href="#(.*?)">', text)
    assert links[0] == "chapter-which-keypoints"
    assert set(links) <= set(re.findall('<section id="(.*?)"', text))
    assert len(links) == text.count("<section id=")
    told = Told(found, people, answers_in(folder, found))
    attack = next(a for a in found.attacks if a.name == "keypoints-left_elbow-blackout-6")
    drawn, about = told.picture(attack, "all")
    assert drawn[:2] == b"\xff\xd8"
    assert about == f"Typical of the {len(people)} of {len(people)} people who lose something here: 1 keypoint."
    assert (
        told.picture(attack, "collateral")[1] == f"Left elbow, blackout: none of {len(people)} people loses a keypoint."
    )
    assert told.picture(None, "all")[1].startswith("A typical person")


def test_the_summary_is_a_page_for_a_paper(made):
    _, folder, _ = made
    assert picture.read(folder / "summary.png").shape == (1360, 1760, 3)


def test_a_study_read_from_disk_makes_the_same_page(made, tmp_path):
    found, folder, _ = made
    first = write_report(found, tmp_path).read_bytes()
    assert write_report(read_study(folder), tmp_path).read_bytes() == first


def test_who_answers_always_the_same_is_not_said_to_be_harmed(tmp_path, rng):
    found = study(same, dotted(4, rng), standard_attacks(LSP, ["keypoints", "parts"], ["blackout"]), draws=50)
    heads = titles(write_report(found, tmp_path).read_text(encoding="utf-8"))
    assert heads[1] == "One keypoint covered: none of 14 attacks does clear harm"
    assert "loss is" not in " ".join(heads)
    assert "No covered keypoint clearly harms another" in heads


def test_an_own_occluder_on_one_person_makes_a_page_without_a_matrix(tmp_path, rng):
    def half(crop, rng):  # noqa: ARG001
        pixels = crop.pixels.copy()
        pixels[: len(pixels) // 2] = 0
        return type(crop)(pixels, crop.people, crop.warp, crop.skeleton, crop.source_size)

    scenes = dotted(1, rng)
    found = study(Finder(), scenes, {"upper_half": half}, out=tmp_path, draws=20)
    heads = titles(write_report(found, tmp_path, people_for(Finder(), scenes)).read_text(encoding="utf-8"))
    assert heads[1].startswith("Occluders of your own: ")
    assert not any("influence" in head.lower() for head in heads)
    assert any("cases" in head for head in heads)
    alone = write_report(read_study(tmp_path), tmp_path, people_for(Finder(), scenes)).read_text(encoding="utf-8")
    assert "<figure>" not in alone, "read from disk, nobody knows the caller's occluder any more"


NOTHING = Effect(*[math.nan] * 5, 0.0)
NUMBERS = ("all", "hit", "collateral", "target", "others", "inverted", "swapped", "score_hit", "score_collateral")


@pytest.mark.parametrize("kind", ["keypoints", "parts", "radii", "own"])
def test_a_study_without_data_says_so(tmp_path, kind):
    attack = Attack(kind, "left_<b>$_$", "blackout", None if kind in ("parts", "own") else 6.0, lambda crop, _: crop)
    number = dict.fromkeys(NUMBERS, NOTHING)
    group = {f"{kind}-blackout": number}
    found = Study(
        {"people": 1, "pictures": 1},
        (attack,),
        {"all": NOTHING, "AP": NOTHING},
        {attack.name: number},
        {attack.name: {"left_<b>$_$": NOTHING}},
        {attack.name: dict.fromkeys(("AP", "AP_others", "AP_target"), NOTHING)},
        group,
    )
    text = write_report(found, tmp_path).read_text(encoding="utf-8")
    assert "no data" in titles(text)[1]
    assert "<b>$" not in text
    assert "nan" not in re.sub(r"data:\S+", "", text).lower()


def test_few_pictures_are_warned_of(made, tmp_path):
    found, folder, _ = made
    warned = "What these numbers cannot tell"
    assert titles(page_of(folder))[0] == warned
    many = replace(found, protocol={**found.protocol, "pictures": 100})
    assert warned not in titles(write_report(many, tmp_path).read_text(encoding="utf-8"))


def test_a_largest_effect_must_stand_out_among_all_that_it_was_picked_from():
    clear = Effect(-0.05, -0.09, -0.01, -0.08, -0.02, 100)
    assert stands_out(clear, 1)
    assert not stands_out(clear, 40)
    assert not stands_out(NOTHING, 1)
    certain = Effect(-1.0, -1.0, -1.0, -1.0, -1.0, 100)
    assert not stands_out(certain, 40), "without a spread, and without a count of pictures, it may be of one picture"
    assert stands_out(certain._replace(p=2.0**-19, changed=20), 40)
    assert not stands_out(certain._replace(p=2.0**-4, changed=5), 1)
    assert not stands_out(Effect(0.0, 0.0, 0.0, 0.0, 0.0, 100), 1)
    assert points(NOTHING) == "no data"


def test_a_matrix_colours_what_its_verdicts_carry_and_nothing_else():
    strong = Effect(-0.3, -0.4, -0.2, -0.4, -0.2, 100)
    cells = {(0, 0): (strong, "lower"), (0, 1): (strong, "undecided"), (1, 0): (strong, "none")}
    drawn = influences("Test", ["a", "b"], ["c", "d"], cells, 0.4)
    assert drawn.count("var(--red)") == 1
    assert drawn.count("\u221230") == 1
    assert "var(--blue)" not in drawn


def test_rows_of_a_figure_may_be_without_data():
    drawn = compared("Rows", ["a_b", "c"], {"blur": [NOTHING, Effect(0.1, 0.0, 0.2, 0.0, 0.2, 9)]}, "points")
    assert "a b" in drawn
    assert "nan" not in drawn.lower()


def test_what_nobody_has_stands_in_no_figure_and_is_named(tmp_path):
    scenes = dotted(12, np.random.default_rng(1))
    gone = LSP.index("neck")
    for place, scene in enumerate(scenes):
        xy, visible = scene.people[0].keypoints.copy(), scene.people[0].visible.copy()
        xy[gone], visible[gone] = np.nan, 0
        scenes[place] = replace(scene, people=(replace(scene.people[0], keypoints=xy, visible=visible),))
    found = study(Finder(), scenes, standard_attacks(LSP, ["keypoints"], ["blackout"]), draws=20)
    text = write_report(found, tmp_path).read_text(encoding="utf-8")
    assert ">neck<" not in text
    assert ">head top<" in text
    assert "Of 1 of 14 attacks there is no data, as they reach nobody: neck." in text
    assert "13 of 13 do clear harm" in titles(text)[1]


def test_people_who_cannot_be_judged_are_counted(tmp_path):
    """Who lacks the torso is judged by another length since studies have a fallback; the head has none without any."""
    scenes = dotted(4, np.random.default_rng(1))
    xy, visible = scenes[0].people[0].keypoints.copy(), scenes[0].people[0].visible.copy()
    xy[LSP.index("right_hip")], visible[LSP.index("right_hip")] = np.nan, 0
    scenes[0] = replace(scenes[0], people=(replace(scenes[0].people[0], keypoints=xy, visible=visible),))
    few = standard_attacks(LSP, ["parts"], ["blackout"])
    found = study(Finder(), scenes, few, draws=20)
    assert (found.protocol["people"], found.protocol["judged"]) == (4, 4)
    assert found.protocol["judged_by_another_length"].startswith("1 people, by the other diagonal")
    found = replace(found, protocol={**found.protocol, "judged": 3})
    assert "by which 3 of them can be judged" in write_report(found, tmp_path).read_text(encoding="utf-8")


def near(value, spread):
    return Effect(value, value - spread, value + spread, value - spread, value + spread, 100)


def test_only_outliers_of_a_scatter_are_named_and_no_name_lies_on_another():
    listed = standard_attacks(LSP, ["keypoints"], ["blackout"])
    pairs = {a: (near(-0.01 * n, 0.1), near(-0.3 if n == 5 else 0.0, 0.05)) for n, a in enumerate(listed)}
    assert outliers(pairs, listed) == {listed[5]}
    crowd = [Spot("blur", f"name {n}", near(-0.2 + 1e-4 * n, 0.3), near(-0.1, 0.2)) for n in range(9)]
    drawn = scatter("Crowd", crowd, ("x", "y"), (100, 100))
    assert 1 <= len(re.findall("name [0-9]", drawn)) <= 4
    apart = [Spot("blur", f"name {n}", near(-0.1 * n, 0.1), near(-0.1 * n, 0.1)) for n in range(4)]
    assert len(set(re.findall("name [0-9]", scatter("Apart", apart, ("x", "y"), (100, 100))))) == 4
