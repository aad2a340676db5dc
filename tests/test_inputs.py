"""Whatever a user names gives scenes, or a one-line reason each, and nothing else on standard error."""

import base64
import struct
import zlib

import cv2
import numpy as np
import pytest

from posewright import picture
from posewright.datasets.inputs import Unreadable, scenes_from
from posewright.scene import Scene

# An 8x8 JPEG in CMYK (Adobe's, inverted), all of it RGB (200, 40, 90).
CMYK = base64.b64decode(
    "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoK"
    "CgYICwwLCgwJCgoK/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB"
    "AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH"
    "SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV"
    "1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD9IK/J+vmev38r/9k="
)


@pytest.fixture
def photo(rng):
    noise = rng.integers(0, 255, (60, 80, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def turned_by_exif(jpeg: bytes) -> bytes:
    """Say in an EXIF tag that the picture must be turned by a quarter, clockwise."""
    tag = b"Exif\0\0" + b"II*\0\x08\0\0\0" + struct.pack("<HHHIHH", 1, 0x0112, 3, 1, 6, 0) + b"\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + jpeg[2:]


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that promises more pixels than anybody decodes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_folder_of_all_sorts_gives_a_scene_or_a_reason_for_each(tmp_path, photo, capfd):
    good = encoded(".jpg", photo)
    files = {
        "a_good.jpg": good,
        "b_cut_off.jpg": good[: len(good) // 2],
        "c_text.jpg": b"this is no picture\n",
        "d_empty.png": b"",
        "e_one_pixel.png": encoded(".png", photo[:1, :1]),
        "f_grey.JPG": encoded(".jpg", photo[..., 0]),
        "g_cmyk.jpg": CMYK,
        "h_turned.jpg": turned_by_exif(good),
        "i_cut_off.png": encoded(".png", photo)[:3000],
        "j_promises.png": huge_png(60_000, 60_000),
        "k_damaged.jpg": good[:700] + bytes(100) + good[800:],
        "notes.txt": b"left alone",
        "deep/er/photo.bmp": encoded(".bmp", photo),
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = {}
    for item in scenes_from([tmp_path]):
        name = item.source if isinstance(item, Unreadable) else str(item.id)
        found[name.removeprefix(f"{tmp_path}/")] = item
    assert list(found) == sorted(set(files) - {"notes.txt"})
    reasons = {name: str(item) for name, item in found.items() if isinstance(item, Unreadable)}
    assert sorted(reasons) == [
        "b_cut_off.jpg", "c_text.jpg", "d_empty.png", "i_cut_off.png", "j_promises.png", "k_damaged.jpg",
    ]  # fmt: skip
    assert all(reason.startswith(str(tmp_path / name)) and "\n" not in reason for name, reason in reasons.items())
    sizes = {name: item.size for name, item in found.items() if isinstance(item, Scene)}
    assert sizes["a_good.jpg"] == sizes["f_grey.JPG"] == sizes["deep/er/photo.bmp"] == (80, 60)
    assert sizes["e_one_pixel.png"] == (1, 1)
    assert sizes["h_turned.jpg"] == (60, 80)
    assert np.abs(found["g_cmyk.jpg"].pixels().astype(int) - (200, 40, 90)).max() <= 6
    assert capfd.readouterr().err == ""


def test_a_turned_picture_shows_what_the_photographer_saw(tmp_path, photo):
    (tmp_path / "plain.jpg").write_bytes(encoded(".jpg", photo))
    (tmp_path / "turned.jpg").write_bytes(turned_by_exif(encoded(".jpg", photo)))
    plain, turned = (scene.pixels() for scene in scenes_from([tmp_path]))
    np.testing.assert_array_equal(turned, np.rot90(plain, -1))


def test_a_picture_of_a_hundred_million_pixels_is_read(tmp_path):
    pixels = np.zeros((9000, 12000, 3), np.uint8)
    pixels[4000:5000, 4000:5000] = 255
    (tmp_path / "huge.png").write_bytes(encoded(".png", pixels))
    (scene,) = scenes_from([tmp_path / "huge.png"])
    assert scene.size == (12000, 9000)


def test_a_video_is_a_stream_of_frames(tmp_path):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    if not video.isOpened():
        pytest.skip("this OpenCV writes no MJPG")
    for level in (10, 120, 230):
        video.write(np.full((48, 64, 3), (0, 0, level), np.uint8))
    video.release()
    scenes = list(scenes_from([path]))
    assert [scene.id for scene in scenes] == [f"{path}#{n}" for n in range(3)]
    assert all(scene.size == (64, 48) for scene in scenes)
    reds = [scene.pixels()[..., 0].mean() for scene in scenes]
    np.testing.assert_allclose(reds, (10, 120, 230), atol=6)
    assert max(scene.pixels()[..., 2].mean() for scene in scenes) < 8


def test_what_is_no_video_and_what_is_not_there_have_a_reason(tmp_path, capfd):
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 50)
    (tmp_path / "nothing").mkdir()
    found = list(
        scenes_from([tmp_path / "bad.mp4", tmp_path / "none.mp4", tmp_path / "none.jpg", tmp_path / "nothing"])
    )
    assert [item.reason for item in found] == [
        "not a video that can be decoded",
        "no such file",
        "no such file",
        "the folder holds no picture and no video",
    ]
    assert capfd.readouterr().err == ""


def test_a_file_named_itself_is_read_whatever_its_suffix(tmp_path, photo):
    (tmp_path / "photo.upload").write_bytes(encoded(".png", photo))
    (scene,) = scenes_from([tmp_path / "photo.upload"])
    np.testing.assert_array_equal(scene.pixels(), photo[..., ::-1])


def test_a_promise_of_too_many_pixels_is_one_clear_error(tmp_path):
    (tmp_path / "promises.png").write_bytes(huge_png(60_000, 60_000))
    with pytest.raises(picture.PictureError, match=r"promises\.png: too large"):
        picture.read(tmp_path / "promises.png")


def test_a_whole_jpeg_may_have_a_tail_and_a_cut_one_may_not(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    whole = picture.encoded(pixels, ".jpg")
    thumbnail = b"\xff\xe1" + (len(whole) + 2).to_bytes(2, "big") + whole
    for name, data in {
        "tail": whole + b"\0\0\0\x18ftypmp42" + bytes(9000),
        "small": whole[:2] + thumbnail + whole[2:],
    }.items():
        (tmp_path / f"{name}.jfif").write_bytes(data)
        assert np.array_equal(picture.read(tmp_path / f"{name}.jfif"), picture.read(_put(tmp_path / "a.jpg", whole)))
    for data in (whole[:-200], (whole[:2] + thumbnail + whole[2:])[:-200]):
        with pytest.raises(picture.PictureError, match=r"ends too early|part of the picture is missing|not a picture"):
            picture.read(_put(tmp_path / "cut.jpg", data))


def _put(path, data):
    path.write_bytes(data)
    return path


def test_pictures_of_kinds_that_are_not_read_are_told(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(300))
    for name in ("c.gif", "d.gif", "e.dng", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    said = [str(entry) for entry in scenes_from([tmp_path]) if isinstance(entry, Unreadable)]
    assert "left out 1 .dng, 2 .gif" in said[-1]
    assert "b.heic" in said[0]
