"""Damaged and hostile files: one line that names the file, no signal, no filled memory, nothing half-written."""

import gzip
import io
import json
import os
import random
import struct
import zipfile
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from posewright import datasets, files, picture
from posewright.cli import main
from posewright.datasets import arrays, coco, documents, inputs, matlab, videos
from posewright.datasets.records import DataError
from posewright.occlusion.objects import read_objects
from posewright.picture import PictureError
from posewright.picture.header import size_in


def encoded(suffix, pixels, *how):
    return cv2.imencode(suffix, pixels, list(how))[1].tobytes()


@pytest.fixture
def photo(rng):
    return cv2.GaussianBlur(rng.integers(0, 255, (96, 128, 3)).astype(np.uint8), (0, 0), 3)


def refused(data, name="p"):
    with pytest.raises(PictureError) as caught:
        picture.decoded(data, name)
    assert str(caught.value).startswith(f"{name}: ")
    return str(caught.value)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_picture_that_promises_too_much_is_refused_by_its_header(photo):
    jpeg = bytearray(encoded(".jpg", photo))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 32000, 32000)
    png = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0))
    bmp = bytearray(encoded(".bmp", photo))
    bmp[18:26] = struct.pack("<ii", 20000, -20000)
    for data in (bytes(jpeg), png, bytes(bmp), b"P6 40000 40000 255\n", b"P5\n# a word\n30000 20000\n255\n"):
        assert "megapixels" in refused(data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif", ".ppm"])
def test_the_header_says_the_size_that_is_decoded(photo, suffix):
    assert size_in(encoded(suffix, photo)) == (128, 96)


def test_the_header_finds_the_frame_of_a_progressive_jpeg_behind_other_segments(photo):
    data = encoded(".jpg", photo, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    note = b"\xff\xfe" + struct.pack(">H", 12) + b"\xff\xc0" + bytes(8)  # a comment in which a frame seems to begin
    assert size_in(data[:2] + note + data[2:]) == (128, 96)
    assert picture.decoded(data[:2] + note + data[2:], "p").shape == (96, 128, 3)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("share", [0.4, 0.7])
def test_a_jpeg_of_which_a_part_is_missing_is_refused_though_it_ends_well(photo, progressive, share):
    data = encoded(".jpg", photo, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    assert "a part of the picture is missing" in refused(data[: int(share * len(data))] + b"\xff\xd9")


def test_a_jpeg_with_something_behind_its_end_is_whole(photo):
    data = encoded(".jpg", photo)
    for tail in (b"\0" * 5000, b"ftypmp42" * 900, b"\xff\xd8\xff" * 50):
        np.testing.assert_array_equal(picture.decoded(data + tail, "p"), picture.decoded(data, "p"))


def test_a_damaged_jpeg_stops_evaluate_and_is_named(tmp_path, capsys):
    from posewright.datasets.synthetic import world

    coco.write(world(2, 0), tmp_path / "data")
    first = tmp_path / "data" / "images" / "000001.png"
    data = encoded(".jpg", cv2.imread(str(first)))
    first.write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    words = ["evaluate", "default", "--data", f"coco:{tmp_path}/data", "--out", str(tmp_path / "out")]
    assert main(words) == 2
    assert "000001.png: damaged" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(("bits", "kind"), [(10, np.uint16), (12, np.uint16), (14, np.uint16), (12, np.int16)])
def test_bits_in_sixteen_are_as_bright_as_in_eight(photo, bits, kind):
    full = np.clip(photo.astype(int) * 2, 0, 255).astype(np.uint8)
    deep = (full.astype(kind) << (bits - 8)) if kind == np.uint16 else (full.astype(np.int16) << (bits - 8))
    found = picture.decoded(encoded(".tif", deep), "p")
    np.testing.assert_array_equal(found, picture.decoded(encoded(".png", full), "p"))


def test_what_is_no_regular_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    for name in ("pipe.jpg", "zero.png"):
        with pytest.raises(PictureError, match=f"{name}: not a file"):
            picture.read(tmp_path / name)
    for read in (documents.read_json, arrays.read_arrays, matlab.read_matlab):
        with pytest.raises(DataError, match=r"pipe\.json: .*not a file"):
            read(tmp_path / "pipe.json")
    assert [str(one).partition(": ")[2] for one in inputs.scenes_from([tmp_path])] == ["not a file", "not a file"]


def test_a_sparse_file_of_terabytes_is_no_picture(tmp_path):
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(1 << 42)
    with pytest.raises(PictureError, match="too large"):
        picture.read(tmp_path / "huge.jpg")


def bomb(path, size):
    with gzip.open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(bytes(1 << 20))


def test_what_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "BOMB", 1 << 22)
    monkeypatch.setattr(documents, "MOST_UNPACKED", 1 << 24)
    monkeypatch.setattr(arrays, "MOST_UNPACKED", 1 << 24)
    bomb(tmp_path / "a.json.gz", 1 << 25)
    with pytest.raises(DataError, match="unpacks to more than"):
        documents.read_json(tmp_path / "a.json.gz")
    np.savez_compressed(tmp_path / "a.npz", joints=np.zeros(1 << 22))
    with pytest.raises(DataError, match="unpacks to"):
        arrays.read_arrays(tmp_path / "a.npz")
    monkeypatch.setattr(matlab, "MOST_UNPACKED", 1 << 22)
    savemat(tmp_path / "a.mat", {"joints": np.zeros(1 << 20)}, do_compression=True)
    with pytest.raises(DataError, match="unpacks to more than"):
        matlab.read_matlab(tmp_path / "a.mat")


@pytest.mark.parametrize("kind", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_archive_of_pictures_is_one_line(tmp_path, photo, kind):
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w", kind) as archive:
        archive.writestr("im1.jpg", encoded(".png", photo))
    data = bytearray(file.read_bytes())
    data[200:240] = bytes(40)
    file.write_bytes(data)
    with pytest.raises(PictureError, match=r"a\.zip: holds no readable im1\.jpg"):
        picture.read(file / "im1.jpg")


def test_an_object_to_paste_has_the_same_guards(tmp_path):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 8, 6, 0, 0, 0))
    (tmp_path / "o.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header)
    with pytest.raises(PictureError, match=r"o\.png: too large to decode"):
        read_objects(tmp_path)
    (tmp_path / "o.png").write_bytes(b"")
    with pytest.raises(PictureError, match=r"o\.png: the file is empty"):
        read_objects(tmp_path)


def matlab_file(**said):
    file = io.BytesIO()
    savemat(file, said)
    return bytearray(file.getvalue())


def test_matlab_s_elements_are_checked_before_scipy_reads_them(tmp_path):
    """Each of these changes makes scipy 1.17 read beyond what is there, or take a type that there is not."""
    whole = matlab_file(joints=np.arange(84.0).reshape(3, 14, 2))
    matlab.check(bytes(whole))
    numbers = whole.index(struct.pack("<I", 84 * 8)) - 4
    for place, value in (
        (numbers, 0x4009),
        (numbers, 200),
        (numbers + 4, 1 << 30),
        (128, 77),
        (136, 999),
        (160, 1 << 30),
    ):
        damaged = bytearray(whole)
        damaged[place : place + 4] = struct.pack("<I", value)
        (tmp_path / "joints.mat").write_bytes(damaged)
        with pytest.raises(DataError, match=r"joints\.mat: not a MATLAB file"):
            matlab.read_matlab(tmp_path / "joints.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_matlab_s_whole_files_pass(tmp_path, packed):
    cells = np.array(["a", np.zeros((0, 3)), np.array([1 + 2j])], object)
    said = {
        "s": {"x": 1, "y": {"z": "word"}},
        "c": cells,
        "b": True,
        "u": np.arange(3, dtype=np.uint16),
        "long_name": 1,
    }
    savemat(tmp_path / "a.mat", said, do_compression=packed)
    found = matlab.read_matlab(tmp_path / "a.mat", squeeze_me=True)
    assert found["long_name"] == 1
    assert found["u"].tolist() == [0, 1, 2]
    savemat(tmp_path / "old.mat", {"joints": np.eye(3), "t": "abc"}, format="4")
    np.testing.assert_array_equal(matlab.read_matlab(tmp_path / "old.mat")["joints"], np.eye(3))


def test_no_damage_to_a_matlab_file_is_a_signal(tmp_path):
    whole, draw = matlab_file(joints=np.arange(84.0).reshape(3, 14, 2), s={"x": [1, 2], "t": "abc"}), random.Random(0)
    for _ in range(400):
        data = bytearray(whole)
        place = draw.randrange(128, len(data)) & ~3
        data[place : place + 4] = struct.pack("<I", draw.choice((0, 3, 9, 14, 17, 20, 255, 1 << 31, 2**32 - 1)))
        (tmp_path / "f.mat").write_bytes(data)
        with suppress(DataError):
            matlab.read_matlab(tmp_path / "f.mat")


@pytest.mark.parametrize("key", ["keypoints", "score", "image_id"])
def test_a_key_that_stands_twice_is_refused(tmp_path, key):
    from posewright.scene import Scene
    from posewright.skeleton import COCO

    entry = json.dumps({"image_id": 1, "category_id": 1, "keypoints": [1.0] * 51, "score": 0.5})
    value = json.loads(entry)[key]
    (tmp_path / "p.json").write_text(f"[{entry[:-1]}, {json.dumps(key)}: {json.dumps(value)}}}]")
    with pytest.raises(DataError, match=f"p.json: .*'{key}' stands twice"):
        coco.read_results(tmp_path / "p.json", [Scene("1.jpg", COCO, id=1)])


def avi(path, count=12):
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(count):
        video.write(np.full((48, 64, 3), 20 * level, np.uint8))
    video.release()
    return bytearray(path.read_bytes())


def chunks(data):
    inside = range(data.index(b"movi"), data.index(b"idx1"))
    return [place for place in inside if data[place : place + 4] == b"00dc"]


def numbers_of(path):
    found = list(inputs.scenes_from([path]))
    seen = [int(str(one.id).rpartition("#")[2]) for one in found if not isinstance(one, inputs.Unreadable)]
    return seen, [str(one).removeprefix(f"{path}: ") for one in found if isinstance(one, inputs.Unreadable)]


def test_frames_behind_a_hole_keep_their_numbers(tmp_path):
    path = tmp_path / "v.avi"
    data = avi(path)
    assert numbers_of(path) == (list(range(12)), [])
    at = chunks(data)
    data[at[4] : at[7]] = bytes(at[7] - at[4])
    path.write_bytes(data)
    assert numbers_of(path) == ([0, 1, 2, 3, 7, 8, 9, 10, 11], ["damaged, of its 12 frames 4 to 6 are lost"])
    levels = [scene.pixels().mean() for scene in inputs.scenes_from([path]) if not isinstance(scene, inputs.Unreadable)]
    np.testing.assert_allclose(levels, [20 * n for n in (0, 1, 2, 3, 7, 8, 9, 10, 11)], atol=4)


def test_a_frame_that_cannot_be_decoded_is_lost_and_said(tmp_path):
    path = tmp_path / "v.avi"
    data = avi(path)
    at = chunks(data)
    data[at[5] + 8 : at[6]] = bytes(at[6] - at[5] - 8)  # its chunk stands, what is in it is no picture
    path.write_bytes(data)
    seen, said = numbers_of(path)
    assert seen == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert said == ["damaged, of its 12 frames 5 are lost"]


def test_a_video_that_ends_early_says_so(tmp_path):
    path = tmp_path / "v.avi"
    data = avi(path)
    path.write_bytes(data[: chunks(data)[7] + 10])
    seen, said = numbers_of(path)
    assert seen == list(range(7))
    assert said == ["ends after 7 of 12 frames"]


def test_videos_of_other_containers_count_from_nought(tmp_path):
    for name, code in (("v.mp4", "mp4v"), ("v.mkv", "MJPG"), ("v.mov", "mp4v")):
        video = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
        for level in range(9):
            video.write(np.full((48, 64, 3), 20 * level, np.uint8))
        video.release()
        assert numbers_of(tmp_path / name) == (list(range(9)), [])
        assert videos.packets(tmp_path / name) == 9


def test_what_a_folder_holds_beside_is_said(tmp_path, photo):
    for name in ("a.jpg", "b.jfif"):
        (tmp_path / name).write_bytes(encoded(".jpg", photo))
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "d.3gp").write_bytes(b"\0\0\0\x18ftyp3gp4" + bytes(40))
    for name in ("e.gif", "f.cr2", "g.cr2", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    found = list(inputs.scenes_from([tmp_path]))
    reasons = [str(one) for one in found if isinstance(one, inputs.Unreadable)]
    assert len(found) - len(reasons) == 2
    assert [reason.partition(": ")[0].rpartition("/")[2] for reason in reasons] == ["c.heic", "d.3gp", tmp_path.name]
    assert "left out 2 .cr2, 1 .gif" in reasons[-1]


def test_a_temporary_name_is_nobody_s(tmp_path):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / ".a.json.partial").symlink_to(tmp_path / "victim")
    files.write_whole(tmp_path / "a.json", b"new")
    assert (tmp_path / "victim").read_text() == "mine"
    long = tmp_path / ("x" * 250 + ".json")
    files.write_whole(long, b"new")
    assert long.read_bytes() == b"new"
    with suppress(KeyError), files.whole(tmp_path / "a.json") as partial:
        partial.write_bytes(b"half")
        raise KeyError
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.endswith("partial.json")) == []
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o666 & ~files._umask()


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught, files.whole(tmp_path / "a.bin"):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(tmp_path / "a.bin")
    with pytest.raises(FileNotFoundError) as caught:
        files.write_whole(tmp_path / "none" / "a.bin", b"")
    assert caught.value.filename == str(tmp_path / "none" / "a.bin")


def test_pictures_outside_of_their_data_are_refused_unless_they_are_allowed(tmp_path, photo, monkeypatch):
    (tmp_path / "secret.jpg").write_bytes(encoded(".jpg", photo))
    (tmp_path / "data").mkdir()
    category = {"id": 1, "name": "person", "keypoints": ["nose"], "skeleton": []}
    for name in ("../secret.jpg", str(tmp_path / "secret.jpg"), "a/../../secret.jpg"):
        content = {"images": [{"id": 1, "file_name": name}], "annotations": [], "categories": [category]}
        (tmp_path / "data" / "annotations.json").write_text(json.dumps(content))
        for where in (f"coco:{tmp_path}/data", f"{tmp_path}/data/annotations.json"):
            with pytest.raises(DataError, match="lies outside of"):
                datasets.read(where, "val")
            monkeypatch.setenv("POSEWRIGHT_PICTURES", str(tmp_path))
            assert len(datasets.read(where, "val")) == 1
            monkeypatch.delenv("POSEWRIGHT_PICTURES")
