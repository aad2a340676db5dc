"""An estimator is asked about whatever holds a picture, and its answer draws, writes and names itself."""

import io
import json
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import posewright
from posewright import picture
from posewright.datasets.synthetic import world
from posewright.estimators.adapters import Adapted, found
from posewright.report.drawing import OF_PEOPLE
from posewright.scene import HIDDEN, Person
from posewright.skeleton import LSP
from posewright.verbs.ask import Asked
from posewright.verbs.people import COLUMNS, People


def brightest(pixels, boxes):  # noqa: ARG001
    """Everything is where red is brightest, one person a row of 7 keypoints up and down from there."""
    y, x = np.unravel_index(int(pixels[..., 0].argmax()), pixels.shape[:2])
    return [found(np.array([[float(x), float(y)]] * 14), np.full(14, 0.5))]


ASKED = Asked(Adapted(brightest, LSP, LSP))


@pytest.fixture
def dot(tmp_path):
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[12, 34], pixels[30, 5] = (255, 0, 0), (0, 0, 255)
    picture.write(tmp_path / "dot.png", pixels)
    return pixels


def place(people):
    assert isinstance(people, People)
    (person,) = people
    return tuple(person.keypoints[0].tolist())


def test_every_form_of_one_picture_has_one_answer(dot, tmp_path):
    file = tmp_path / "dot.png"
    pil = pytest.importorskip("PIL.Image")
    for source in (dot, file, str(file), file.read_bytes(), pil.open(io.BytesIO(file.read_bytes()))):
        assert place(ASKED(source)) == (34, 12)
    assert place(ASKED(dot[..., ::-1], bgr=True)) == (34, 12)
    assert place(ASKED(dot[..., ::-1])) == (5, 30)
    assert [place(people) for people in ASKED([dot, file])] == [(34, 12)] * 2
    assert ASKED(file).source == str(file)


def test_an_address_is_read(dot, tmp_path, monkeypatch):  # noqa: ARG001
    monkeypatch.setattr("urllib.request.urlopen", lambda address, timeout: open(tmp_path / "dot.png", "rb"))  # noqa: ARG005, SIM115
    people = ASKED("https://example.org/dot.png")
    assert place(people) == (34, 12)
    assert people.source == "https://example.org/dot.png"


def test_a_folder_is_a_stream_and_what_is_no_picture_is_told(dot, tmp_path):
    picture.write(tmp_path / "more.png", dot)
    answers = ASKED(tmp_path)
    assert place(next(answers)) == (34, 12)
    assert place(next(answers)) == (34, 12)
    (tmp_path / "z.jpg").write_text("none")
    with pytest.raises(picture.PictureError, match=r"z\.jpg"):
        list(ASKED(tmp_path))
    with pytest.raises(picture.PictureError, match=r"none\.jpg"):
        ASKED(tmp_path / "none.jpg")
    with pytest.raises(TypeError, match="a dict holds no picture"):
        ASKED({})


def test_the_default_answers_as_before():
    estimator = posewright.load()
    (scene,) = world(1, seed=1, people=(1, 1))
    people = estimator(scene.pixels(), [scene.people[0].box])
    assert isinstance(people, list)
    plain = estimator.estimator(scene.pixels(), [scene.people[0].box])
    np.testing.assert_array_equal(people[0].keypoints, plain[0].keypoints)
    assert repr(estimator) == repr(estimator.estimator)
    assert isinstance(estimator, posewright.TopDown)


def group():
    visible = np.full(14, 2, np.uint8)
    visible[0] = HIDDEN
    one = Person(np.tile([[20.0, 20]], (14, 1)) + np.arange(14)[:, None] * 3.0, visible=visible, score=0.5, id=4)
    keypoints = one.keypoints + np.array([60, 0])
    keypoints[3] = np.nan
    two = Person(keypoints, scores=np.linspace(0, 1, 14), box=np.array([75.0, 15, 130, 70]))
    return People([one, two], LSP, np.full((100, 160, 3), 128, np.uint8), "photo.jpg")


def test_keypoints_are_told_by_name():
    people = group()
    assert people["right_ankle"].tolist() == [[20, 20], [80, 20]]
    said = json.loads(people.to_json())
    assert (said["skeleton"], said["source"]) == ("lsp", "photo.jpg")
    first, second = said["people"]
    assert first["keypoints"]["right_ankle"] == {"x": 20, "y": 20, "score": 0.5, "visible": HIDDEN}
    assert first["id"] == 4
    assert LSP.keypoints[3] not in second["keypoints"]
    assert len(second["keypoints"]) == 13
    assert second["box"] == [75, 15, 130, 70]


def test_it_draws_and_writes_itself(tmp_path):
    people = group()
    drawn = people.draw()
    assert (drawn != people.pixels()).any()
    assert picture.read(people.save(tmp_path / "drawn.png")).tolist() == drawn.tolist()
    assert json.loads(people.save(tmp_path / "said.json").read_text())["people"]
    assert cv2.imdecode(np.frombuffer(people._repr_png_(), np.uint8), cv2.IMREAD_COLOR).shape == (100, 160, 3)


class Camera:
    """Stands for OpenCV's VideoCapture of a webcam: five frames, blue first, of a red dot on its way."""

    opened, released = True, 0

    def __init__(self, number):
        assert number == 3
        self.left = 5

    def isOpened(self):
        return self.opened

    def read(self):
        self.left -= 1
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[12, 34 - self.left, 2] = 255
        return self.left >= 0, pixels if self.left >= 0 else None

    def release(self):
        type(self).released += 1


def test_a_webcam_is_a_number_and_answers_frame_after_frame(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(Camera, "released", 0)
    frames = ASKED(3)
    assert iter(frames) is frames
    first = next(frames)
    assert (place(first), first.frame, first.source, first[0].id) == ((30, 12), 0, "camera 3", 0)
    assert [place(people) for people in frames] == [(31, 12), (32, 12), (33, 12), (34, 12)]
    assert Camera.released == 1
    left = ASKED(np.int64(3), track=False)
    assert next(left)[0].id is None
    left.close()
    assert Camera.released == 2, "whoever stops asking gives the webcam back"
    monkeypatch.setattr(Camera, "opened", False)
    with pytest.raises(picture.PictureError, match="camera 3: there is none, or another program uses it"):
        next(ASKED(3))


def test_supervision_has_everybodys_keypoints():
    pytest.importorskip("supervision")
    people = group()
    told = people.to_supervision()
    assert told.xy.shape == (2, 14, 2)
    np.testing.assert_allclose(told.xy[0], people[0].keypoints)
    sure = getattr(told, "keypoint_confidence", None)
    sure = told.confidence if sure is None else sure
    assert told.xy[1, 3].tolist() == [0, 0], "absent"
    assert sure[1, 3] == 0
    assert sure[0, 0] == pytest.approx(0.5)
    assert len(People([], LSP, people.pixels()).to_supervision()) == 0


def test_a_table_has_a_row_a_keypoint(monkeypatch):
    people = group()
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # noqa: ARG005
    for ask in (people.to_dataframe, people.to_supervision):
        with pytest.raises(ImportError, match="is not installed; `pip install"):
            ask()
    monkeypatch.undo()
    told = SimpleNamespace(DataFrame=lambda rows, columns: (rows, columns))
    monkeypatch.setattr("posewright.verbs.people._installed", lambda name: told)  # noqa: ARG005
    rows, columns = people.to_dataframe()
    assert columns == COLUMNS
    assert len(rows) == 27
    assert all(tuple(row) == COLUMNS for row in rows)


def test_several_people_have_a_colour_each():
    people = group()
    drawn = people.draw(width=3)
    middle = people.skeleton.index("neck")
    x, y = people[1].keypoints[middle].astype(int)
    assert abs(drawn[y, x].astype(int) - OF_PEOPLE[1]).max() < 60
    (alone,) = (People([person], LSP, people.pixels()).draw() for person in people[1:])
    assert (alone != drawn).any()
    named = people.draw(ids=True)
    assert (named != people.draw()).any()
    sure = people.draw(least=0.9)
    assert (sure[14:24, 70:85] == 128).all()
