"""The app in a real browser: open, drop, drag, compare, search, save; and nobody but its page is answered."""

import http.client
import json
import threading
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from posewright import load, picture
from posewright.cli import main
from posewright.datasets.synthetic import world
from posewright.demo.app.covers import Cover, cover_of, put_on, told
from posewright.demo.app.looks import Side, looked_at, matched
from posewright.demo.app.server import App, server
from posewright.estimators.adapters import Adapted
from posewright.scene import Person
from posewright.skeleton import LSP


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A photograph of one large person, as the embedded network finds them."""
    path = tmp_path_factory.mktemp("app") / "it's me.png"
    (scene,) = world(1, 11, size=(320, 320), skeleton=LSP, people=(1, 1))
    picture.write(path, scene.pixels())
    return path


@pytest.fixture(scope="module")
def sides():
    """The embedded network, and somebody's function that finds two people wherever the picture is bright."""
    return [Side("default", load()), Side("mine.py:two", Adapted(two, LSP, LSP))]


def two(pixels, boxes):
    height, width = pixels.shape[:2]
    bright = float(pixels.mean()) / 255
    stick = np.column_stack([np.tile([0.2, 0.3], 7), np.linspace(0.1, 0.9, 14)]) * [width, height]
    people = [
        Person(stick + np.array([n * width / 2 + 9 * bright, 0]), scores=np.full(14, bright), score=bright)
        for n in (0, 1)
    ]
    return people if boxes is None else people[: len(boxes)]


@pytest.fixture
def serving(sides):
    """The address of an app that runs until the test is over."""
    running = server(App(sides))
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running.server_address
    running.shutdown()
    running.server_close()
    thread.join()


def asked(address, method, where, body=None, **heads):
    line = http.client.HTTPConnection(*address, timeout=60)
    line.request(method, where, body, {name.replace("_", "-"): value for name, value in heads.items()})
    answer = line.getresponse()
    content = answer.read()
    line.close()
    return answer.status, content


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_photograph_is_dropped_and_an_occluder_dragged(browser, screenshots, serving, photo, scheme):
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, color_scheme=scheme)
    page, wrong = context.new_page(), []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    home = f"http://127.0.0.1:{serving[1]}/"
    page.on("request", lambda one: None if one.url.startswith((home, "data:", "blob:")) else wrong.append(one.url))
    page.goto(home)
    drop(page, photo)
    page.wait_for_selector("#stage canvas")
    assert page.locator("#stage figure").count() == 2
    assert page.locator("#name").text_content() == photo.name
    page.click("#add")
    until(page, "state.patches.length == 1")
    before = page.evaluate("state.now")
    box = page.locator("#stage canvas").first.bounding_box()
    scale = box["width"] / 320
    at = [box[side] + (page.evaluate("state.covers[0]")[side] + 0.5) * scale for side in ("x", "y")]
    page.mouse.move(*at)
    page.mouse.down()
    goal = page.evaluate("state.now[0][0].keypoints[state.sides[0].keypoints.indexOf('left knee')]")
    page.mouse.move(box["x"] + goal[0] * scale, box["y"] + goal[1] * scale, steps=30)
    page.mouse.up()
    until(page, "!state.busy && state.now[0][0].covered.some(Boolean)")
    after = page.evaluate("state.now")
    assert after[0] != before[0]
    assert page.evaluate("[state.covers[0].x, state.covers[0].y]") == pytest.approx(goal, abs=3)
    assert "covered" in page.locator("#tables").text_content()
    assert "person 1" in page.locator("figcaption").first.text_content()
    assert "person 2" in page.locator("figcaption").last.text_content()
    assert page.locator("#tables tr").count() == 20 + 15
    page.screenshot(path=screenshots / f"app-1400-{scheme}.png", full_page=True)
    page.click("#worst")
    until(page, "!state.busy && document.getElementById('said').textContent == ''")
    found = page.evaluate("state.covers[0]")
    assert all(round(found[side], 1) == found[side] for side in ("x", "y", "width", "height"))
    page.select_option("#shape", "part")
    until(page, "!state.busy && state.covers[0].shape == 'part' && !state.again")
    seen = "document.querySelectorAll('#stage canvas')[1].toDataURL()"
    chosen = page.evaluate(seen)
    assert page.evaluate(f"(state.person = 1, draw(), {seen})") != chosen, "the number of who is chosen is on blue"
    assert page.evaluate(f"(state.person = 0, draw(), {seen})") == chosen
    assert "--beside mine.py:two" in page.locator("#command").text_content()
    with page.expect_download() as saved:
        page.click("#save")
    assert picture.read(saved.value.path().rename(saved.value.path().with_suffix(".png"))).shape == (320, 640, 3)
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=screenshots / f"app-390-{scheme}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not wrong
    context.close()


def test_a_frame_of_the_webcam_and_of_a_video_is_taken(browser, serving, tmp_path):
    page = browser.new_context().new_page()
    wrong = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(f"http://127.0.0.1:{serving[1]}/")
    page.click("#webcam")
    until(page, "document.getElementById('video').videoWidth > 0")
    page.click("#frame")
    page.wait_for_selector("#stage canvas")
    assert page.locator("#name").text_content() == "webcam.png"
    assert page.locator("#film").is_hidden()
    clip = tmp_path / "clip.webm"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"VP80"), 10, (160, 120))
    if not writer.isOpened():
        pytest.skip("this OpenCV writes no WebM")
    for tone in range(10):
        writer.write(np.full((120, 160, 3), 20 * tone, np.uint8))
    writer.release()
    page.set_input_files("#file", clip)
    until(page, "document.getElementById('video').videoWidth == 160")
    page.click("#frame")
    until(page, "state.picture.name == 'clip.webm.png'")
    assert page.evaluate("state.picture.size") == [160, 120]
    assert not wrong


def until(page, what, seconds=60):
    """Wait until something is so; the page's own policy lets no string be run in it, as playwright's waiting would."""
    ended = time.monotonic() + seconds
    while not page.evaluate(what):
        assert time.monotonic() < ended, f"{what}: not in {seconds} s"
        page.wait_for_timeout(20)


def drop(page, path):
    """Drop a file on the page, as a hand would."""
    given = page.evaluate_handle(
        """async ([bytes, name]) => {
             const data = new DataTransfer();
             data.items.add(new File([new Uint8Array(bytes)], name, {type: 'image/png'}));
             return data;
           }""",
        [list(path.read_bytes()), path.name],
    )
    page.dispatch_event("#stage", "drop", {"dataTransfer": given})


def test_the_command_on_the_page_repeats_what_is_seen(photo, tmp_path, capsys):
    cover = "--cover=rectangle:150,120,60,80:meanout"
    assert main(["app", str(photo), cover, "--out", str(tmp_path / "seen.png")]) == 0
    assert "seen.png" in capsys.readouterr().out
    seen, clean = picture.read(tmp_path / "seen.png"), picture.read(photo)
    inside = np.abs(seen.astype(int) - clean.mean((0, 1))).sum(2)[85:155, 125:175]
    assert np.median(inside) < 6
    for bad, reason in (
        ([str(photo), "--cover", "disc:1,2:blur"], "must be as in disc"),
        (["--out", str(tmp_path / "x.png")], "name one PHOTO"),
        ([str(photo), "--port", "70000"], "--port"),
        ([str(photo), "--cover", "star:1,2,3,4:blur"], "no cover 'star'"),
        ([str(photo), "--cover", "disc:1,2,3,4:gold"], "no fill 'gold'"),
    ):
        assert main(["app", *bad]) == 2
        said = capsys.readouterr().err
        assert reason in said
        assert said.count("\n") == 1


def test_only_its_own_page_is_answered(serving, photo):
    host = f"127.0.0.1:{serving[1]}"
    assert asked(serving, "GET", "/")[0] == 200
    for heads in ({"Host": "evil.example"}, {"Host": f"evil.example:{serving[1]}"}, {"Origin": "http://evil.example"},
                  {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):  # fmt: skip
        assert asked(serving, "GET", "/about", **heads)[0] == 403, heads
        assert asked(serving, "POST", "/picture", photo.read_bytes(), **heads)[0] == 403, heads
    assert asked(serving, "GET", "/about", Origin=f"http://{host}")[0] == 200
    for where in ("/../covers.py", "/page/app.js", "/etc/passwd", "/%2e%2e/covers.py", "/app.js/"):
        assert asked(serving, "GET", where)[0] == 404, where
    assert asked(serving, "GET", "/pixels/../about")[0] == 400
    assert serving[0] == "127.0.0.1"


def test_what_is_too_large_or_no_picture_is_refused_in_a_line(serving):
    for where, body, code in (
        ("/picture", b"no picture", 400),
        ("/picture", b"", 413),
        ("/ask", b"x" * 70_000, 413),
        ("/ask", b"{", 400),
        ("/ask", b"[]", 400),
        ("/ask", b'{"picture": 7, "covers": []}', 400),
        ("/worst", b'{"picture": {}, "covers": []}', 400),
    ):
        status, content = asked(serving, "POST", where, body)
        assert status == code, (where, body)
        assert "\n" not in json.loads(content)["error"]
    line = http.client.HTTPConnection(*serving, timeout=60)
    line.putrequest("POST", "/picture")
    line.putheader("Content-Length", str(1 << 40))
    line.endheaders()
    assert line.getresponse().status == 413
    line.close()


def test_covers_cover_and_say_what_they_are(sides):
    pixels = np.full((60, 80, 3), 200, np.uint8)
    person = Person(np.tile([[40.0, 30.0]], (14, 1)), box=np.array([20.0, 10, 60, 50]))
    disc = Cover("disc", 40, 30, 20, 20, "blackout")
    found = put_on(pixels, [disc], [person], LSP)
    assert (found.pixels == 0).all(2).sum() == found.alpha.sum() == pytest.approx(np.pi * 100, rel=0.05)
    assert found.beneath(person).all()
    assert (pixels == 200).all(), "the picture itself stays as it is"
    assert cover_of(told(disc)) == disc
    part = Cover("part", 40, 30, 1, 1, "", 0, "left_arm")
    assert put_on(pixels, [replace_part(part, person=5)], [person], LSP).windows == []
    assert cover_of(told(part)) == part
    with pytest.raises(ValueError, match="above 0"):
        cover_of("disc:1,2,0,4:blur")
    shown = looked_at("x", np.full((2000, 100, 3), 90, np.uint8), sides[1:])
    assert shown.pixels.shape == (1280, 64, 3)
    assert len(shown.clean[0]) == 2


def test_without_a_cover_nothing_has_changed(sides):
    shown = looked_at("world", world(1, 11, size=(320, 320), skeleton=LSP, people=(1, 1))[0].pixels(), sides)
    app = App(sides, (shown, []))
    for people in app.ask({"picture": 1, "covers": []})["people"]:
        assert people
        for person in people:
            assert max(person["moved"]) == 0
            assert not any(person["change"] + person["covered"])


def replace_part(cover, **changed):
    return cover._replace(**changed)


def test_people_of_whole_pictures_are_matched_each_once():
    clean = [Person(np.full((14, 2), at), box=np.array([at - 50, at - 50, at + 50, at + 50])) for at in (100.0, 300.0)]
    moved = [replace(one, keypoints=one.keypoints + 8) for one in clean]
    assert matched(moved[::-1], clean) == moved
    assert matched(moved[:1], clean) == [moved[0], None]
    assert matched([], clean) == [None, None]
    far = replace(clean[0], keypoints=clean[0].keypoints + 60)
    assert matched([far], clean[:1]) == [None]
