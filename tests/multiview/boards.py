"""Boards drawn as cameras see them: every pixel's ray is followed to the board's plane, four rays a pixel."""

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

SQUARES = 40
"""px of the texture a square."""


def texture(board):
    """The board as a picture, one square of white around it, and where its first inner corner lies, px."""
    if board.marker:
        size = (board.across + 1, board.down + 1)
        markers = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, board.dictionary))
        own = cv2.aruco.CharucoBoard(size, board.square, board.marker, markers)
        drawn = own.generateImage((size[0] * SQUARES, size[1] * SQUARES), marginSize=0)
    else:
        y, x = np.mgrid[: board.down + 1, : board.across + 1]
        drawn = np.kron(np.where((x + y) % 2 == 0, 0, 255), np.ones((SQUARES, SQUARES))).astype(np.uint8)
    return np.pad(drawn, SQUARES, constant_values=255), 2 * SQUARES - 0.5


def photograph(board, camera, size, R, t, rays=None):
    """(H, W, 3) the board at x_world = R x + t before a grey wall."""
    drawn, first = texture(board)
    rays = rays_of(camera, size) if rays is None else rays
    turn, shift = camera.R @ R, camera.R @ t + camera.t
    normal = turn[:, 2]
    with np.errstate(all="ignore"):
        depth = (normal @ shift) / (rays @ normal)
        at = (rays * depth[..., None] - shift) @ turn
        px = at[..., :2] / board.square * SQUARES + first
    px[~(depth > 0)] = -1e4
    shown = cv2.remap(drawn, *(np.nan_to_num(px[..., n], nan=-1e4).astype(np.float32) for n in (0, 1)),
                      cv2.INTER_LINEAR, borderValue=110)  # fmt: skip
    grey = shown.reshape(size[1], 2, size[0], 2).mean((1, 3))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)


def rays_of(camera, size):
    """(2H, 2W, 3) four rays a pixel."""
    x, y = ((np.arange(2 * n) - 0.5) / 2 for n in size)
    xy = np.stack(np.meshgrid(x, y), -1)
    return np.concatenate([camera.rays(xy), np.ones((*xy.shape[:2], 1))], -1)


def tilted(rng, middle, board):
    """A pose of the board near a place, facing somewhere up and around."""
    turn = Rotation.from_euler("zyx", [rng.uniform(-0.5, 0.5), *rng.uniform(-0.7, 0.7, 2)]).as_matrix()
    facing = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], float)
    R = facing @ turn
    centre = board.points.mean(0)
    return R, np.asarray(middle) + rng.uniform(-200, 200, 3) - R @ centre
