"""Associative embedding (Newell, Huang and Deng 2017, arXiv:1611.05424): keypoints of one person bear like tags.

By the authors' code (pose-ae-train, 16af9ba): pictures of 512x512, jittered by +-30 degrees, 0.75 to 1.25 of the longer
side, +-40 px of 200, and in their colours; Adam at 2e-4, and 1e-5 after 200,000 steps of 32, which are 100 epochs of
COCO's 64,000 pictures with people. How long it goes on from there is not said: 20 epochs are a choice.
"""

from __future__ import annotations

from typing import Any

from posewright.augment.picture_jitter import Colours, PictureJitter, Side
from posewright.codecs.bottom_up.associative_embedding import AssociativeEmbedding
from posewright.recipes.data import on_coco
from posewright.recipes.losses import associative_embedding
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import COCO

PAPER = "https://arxiv.org/abs/1611.05424"
TEST = "AP (test-dev2017, flip, "


def network(keypoints: int = len(COCO)) -> Any:
    """Build four stacked hourglasses."""
    from posewright.models import associative_embedding as models

    return models.associative_embedding(keypoints)


associative_embedding_coco = on_coco(
    "associative_embedding",
    "Associative embedding, 4 hourglasses",
    AssociativeEmbedding(COCO),
    paper=PAPER,
    network=network,
    loss=associative_embedding,
    phases=(Phase(100, 2e-4), Phase(20, 1e-5)),
    jitter=PictureJitter(Side("longer"), scale=(0.75, 1.25), colours=Colours()),
    batch=32,
    optimiser=Optimiser("adam"),
    parameters=138_893_840,
    reported={
        f"{TEST}one scale)": 0.566,
        f"{TEST}scales 0.5, 1, 2)": 0.630,
        f"{TEST}scales, each person refined)": 0.655,
    },
)
