"""PRN, the pose residual network (Kocabas, Karagoz and Akbas, ECCV 2018, arXiv:1807.04067): whose keypoint is it?

    keypoints in a box, 36x56 cells x K --> all in a row -> hidden nodes -> back to 36x56 x K -> + -> softmax
                                       \\------------------------------------------------------/

Two of one name: the thesis's (one hidden layer, a softmax a keypoint) and the one that the authors released (a second
hidden layer, a correction that cannot be negative, one softmax over all cells of all keypoints; commit c721006).
"""

from __future__ import annotations

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models.original import Original

CELLS = (36, 56)
"""Width and height that every box is brought to: 56 / 36 is the usual shape of a person."""
NODES, DROPOUT = 1024, 0.5


class PRN(nn.Module):
    """Return one map of probabilities a keypoint: which cell of the box is this person's.

    cells (P, K, h, w), what was found in P boxes; one stage of `Heatmaps` (P, K, h, w), each map sums to 1.

        y = softmax(phi(x) + x)        over the cells of each keypoint; phi: hidden layers with ReLU and dropout

    nodes: a hidden layer; layers: how many; residual: whether x is added (Kocabas's
    thesis, Eq. 21). Weights start as PyTorch draws them.
    """

    def __init__(
        self, keypoints: int = 17, nodes: int = NODES, layers: int = 1, dropout: float = DROPOUT, residual: bool = True
    ) -> None:
        super().__init__()
        self.keypoints, self.residual = keypoints, residual
        values = keypoints * CELLS[0] * CELLS[1]
        widths = [values, *[nodes] * layers]
        self.hidden = nn.Sequential()
        for inputs in widths[:-1]:
            self.hidden.extend([nn.Linear(inputs, nodes), nn.ReLU(), nn.Dropout(dropout)])
        self.out = nn.Linear(nodes, values)

    def logits(self, cells: Tensor) -> Tensor:
        """Return what the softmax is taken of, (P, h w K): the keypoints of a cell side by side."""
        row = cells.permute(0, 2, 3, 1).flatten(1)
        found = self.correction(row)
        return found + row if self.residual else found

    def correction(self, row: Tensor) -> Tensor:
        """Return phi of boxes in a row (P, h w K)."""
        found: Tensor = self.out(self.hidden(row))
        return found

    def forward(self, cells: Tensor) -> list[Heatmaps]:
        return [Heatmaps(self.in_maps(self.by_cell(self.logits(cells)).softmax(1)))]

    def by_cell(self, row: Tensor) -> Tensor:
        """Cut boxes in a row (P, h w K) into cells (P, h w, K)."""
        return row.reshape(-1, CELLS[1] * CELLS[0], self.keypoints)

    def in_maps(self, by_cell: Tensor) -> Tensor:
        """Turn cells (P, h w, K) into maps (P, K, h, w)."""
        return by_cell.transpose(1, 2).reshape(-1, self.keypoints, CELLS[1], CELLS[0])


class ReleasedPRN(PRN):
    """Return, as `PRN` does, one map a keypoint, but all maps of a box together sum to 1."""

    def __init__(self, keypoints: int = 17, nodes: int = NODES, dropout: float = DROPOUT) -> None:
        super().__init__(keypoints, nodes, layers=2, dropout=dropout)

    def correction(self, row: Tensor) -> Tensor:
        """Return what is added to boxes in a row (P, h w K), nothing below 0."""
        return super().correction(row).relu()

    def forward(self, cells: Tensor) -> list[Heatmaps]:
        return [Heatmaps(self.in_maps(self.by_cell(self.logits(cells).softmax(1))))]


def prn(keypoints: int = 17, nodes: int = NODES) -> PRN:
    """One hidden layer with dropout and the residual connection: best with 1024 nodes, worse with 2048 (table 2.3)."""
    return PRN(keypoints, nodes)


def prn_without_residual(keypoints: int = 17, nodes: int = 512) -> PRN:
    """One hidden layer with dropout, of 50 or 512 nodes in table 2.3."""
    return PRN(keypoints, nodes, residual=False)


def prn_plain(keypoints: int = 17, nodes: int = 50) -> PRN:
    """One hidden layer of 50 nodes without dropout and residual connection (table 2.3)."""
    return PRN(keypoints, nodes, dropout=0.0, residual=False)


def prn_two_layers(keypoints: int = 17, nodes: int = 512) -> PRN:
    """Two hidden layers of 512 nodes with dropout, without a residual connection (table 2.3)."""
    return PRN(keypoints, nodes, layers=2, residual=False)


def prn_released(keypoints: int = 17) -> ReleasedPRN:
    """The network of the authors' code."""
    return ReleasedPRN(keypoints)


# From the authors' names.
RENAMES = ((r"^dens1\.", "hidden.0."), (r"^bneck\.", "hidden.3."), (r"^dens2\.", "out."))

ORIGINAL = Original(RENAMES, head=r"(hidden\.0|out)\.")
