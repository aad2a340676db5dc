"""Bottom-up estimators find everybody in a picture, in its pixels; boxes given, each is answered with its person.

The network here is an oracle: it knows the pictures, and says of each what its codec would encode.
"""

import numpy as np
import pytest

import posewright
from posewright.codecs.bottom_up.associative_embedding import AssociativeEmbedding
from posewright.codecs.bottom_up.higher_hrnet import HigherHRNet
from posewright.codecs.bottom_up.multiposenet import MultiPoseNet
from posewright.codecs.bottom_up.openpose import LightweightOpenPose, OpenPose
from posewright.codecs.bottom_up.simplepose import SimplePose
from posewright.datasets.synthetic import world
from posewright.estimators.bottom_up import BottomUp, fitted
from posewright.estimators.estimator import WHOLE_PICTURE
from posewright.estimators.runtimes import Network
from posewright.scene import Person, Scene, box_around
from posewright.skeleton import COCO
from posewright.warp import Warp, flipped

SIZE = (512, 384)
CODECS = (AssociativeEmbedding, HigherHRNet, OpenPose, LightweightOpenPose, SimplePose, MultiPoseNet)
APART = 1.1
"""People whose boxes are so far apart, in widths, are two to every codec."""


class Oracle:
    """Say of a picture of `scenes`, or its mirror image, what a perfect network would; of others, that nobody is."""

    def __init__(self, codec, scenes):
        self.codec, self.known, self.batches = codec, {}, []
        flip = flipped(codec.size)
        for scene in scenes:
            crop = fitted(scene, codec.size)
            mirrored = [person.moved(flip, COCO) for person in crop.people]
            self.known[crop.pixels.tobytes()] = crop.people
            self.known[np.ascontiguousarray(crop.pixels[:, ::-1]).tobytes()] = mirrored

    def __call__(self, pixels):
        self.batches.append(len(pixels))
        target = self.codec.encode([self.known.get(one.tobytes(), ()) for one in pixels])
        return [self.codec.perfect(target) if hasattr(self.codec, "perfect") else target]


def asked(codec, scenes, **options):
    return BottomUp(Network(Oracle(codec, scenes), codec), codec, **options)


def apart(scene):
    boxes = np.array([person.box for person in scene.people])
    x0, x1 = boxes[:, 0], boxes[:, 2]
    order = np.argsort(x0)
    return len(boxes) > 1 and (x0[order][1:] - x1[order][:-1] > 24).all()


@pytest.fixture(scope="module")
def scenes():
    """Three pictures of the world of two or three people who stand beside each other."""
    found = [scene for scene in world(60, seed=3, size=(480, 300), people=(2, 3)) if apart(scene)]
    assert len(found) >= 3
    return found[:3]
