"""One keypoint, however its name is spelt."""

import pytest

from posewright.skeleton import COCO, SKELETONS, Skeleton
from posewright.skeleton.spelling import doubtful, spelt

STYLES = (
    "LShoulder shoulder_left l_shoulder LEFT_SHOULDER leftShoulder shoulderL shoulder.L lsho LSHO ShoulderLeft "
    "Lshoulder left-shoulder l.shoulder shoulder-l leftshoulder L_Sho LSho shldr_l lft_shoulder lshoulder SHOULDER_L"
).split()


@pytest.mark.parametrize("name", [*STYLES, "Left Shoulder", "shoulder (left)", "L Shoulder", "Shoulder, Left"])
def test_every_usual_style_is_one_name(name):
    assert spelt([name]) == ("left_shoulder",)


@pytest.mark.parametrize(
    "names",
    ["rear tail", "heel toe", "tail root", "lower_lip upper_lip", "neck pelvis", "L1 L2 L3", "light", "ring lip"],
)
def test_what_is_no_side_stays(names):
    assert spelt(names.split()) == tuple(name.lower() for name in names.split())


def test_the_library_speaks_its_own_spelling():
    assert all(spelt(skeleton.keypoints) == skeleton.keypoints for skeleton in SKELETONS)


def test_the_mirror_and_the_mapping_follow_any_spelling():
    mine = Skeleton("mine", ("tail", "LShoulder", "RShoulder", "ear_left", "ear_right", "l_paw", "r_paw"), ())
    assert mine.mirror.tolist() == [0, 2, 1, 4, 3, 6, 5]
    assert COCO.to(mine).tolist() == [-1, 5, 6, 3, 4, -1, -1]
    assert (mine.index("left_shoulder"), mine.index("LShoulder")) == (1, 1)
    assert mine.doubtful == []


def test_sides_may_be_told():
    told = Skeleton("mine", ("a", "b", "c"), (), sides=(("a", "c"),))
    assert (told.mirror.tolist(), told.doubtful) == ([2, 1, 0], [])
    assert told.only(["a", "b"]).mirror.tolist() == [0, 1]
    with pytest.raises(ValueError, match="sides name unknown keypoints \\['d'\\]"):
        Skeleton("mine", ("a", "b", "c"), (), sides=(("a", "d"),))
    with pytest.raises(ValueError, match="stands twice: LEar, ear_left"):
        Skeleton("mine", ("LEar", "ear_left"), ())


@pytest.mark.parametrize(
    ("names", "which"),
    [("nose left_eye right_eye", []), ("a b", ["a", "b"]), ("l_ear r_ear paw_left", ["paw_left"]),
     ("LEar REar wing1 wing2", ["wing1", "wing2"]), ("LEar REar s1 s2 s3", []), ("snout", [])],
)  # fmt: skip
def test_what_cannot_be_told_is_asked(names, which):
    assert doubtful(names.split()) == which
