"""PRN, the pose residual network (Kocabas, Karagoz and Akbas, ECCV 2018, arXiv:1807.04067): whose keypoint is it?

    keypoints in a box, 36x56 cells x K --> all in a row -> hidden nodes -> back to 36x56 x K -> + -> softmax
                                       \\------------------------------------------------------/

Two of one name: the thesis's (one hidden layer, a softmax a keypoint) and the one that the authors released (a second
hidden layer, a correction that cannot be negative, one softmax over all cells of all keypoints; commit c721006).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from posewright.fields import Heatmaps
from posewright.models.original import Original
from posewright.models.report import WeightsError, renamed

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
        return self.summed(self.out(self.hidden(row)), row)

    def summed(self, found: Tensor, row: Tensor) -> Tensor:
        """Return phi of boxes, and what they were shown in a row (P, h w K) where that is added."""
        return found + row if self.residual else found

    def told(self, found: Tensor, row: Tensor) -> Tensor:
        """Return the maps (P, K, h, w) of phi of boxes that were shown in a row (P, h w K)."""
        return self.in_maps(self.by_cell(self.summed(found, row)).softmax(1))

    def forward(self, cells: Tensor) -> list[Heatmaps]:
        row = cells.permute(0, 2, 3, 1).flatten(1)
        return [Heatmaps(self.told(self.out(self.hidden(row)), row))]

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

    def summed(self, found: Tensor, row: Tensor) -> Tensor:
        """Return phi of boxes, nothing below 0, and what they were shown."""
        return found.relu() + row

    def told(self, found: Tensor, row: Tensor) -> Tensor:
        """Return the maps of phi of boxes that were shown in a row, all of a box under one softmax."""
        return self.in_maps(self.by_cell(self.summed(found, row).softmax(1)))


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


def loaded(content: Any, keypoints: int, path: Path) -> tuple[PRN, tuple[str, ...]]:
    """Build the network that a file's content is of, with its weights; returns the names of its keypoints too.

    content: a checkpoint that says its shape as `prn` and its `keypoints`, or the authors' weights alone, which name
    no keypoints. Raises WeightsError where it is neither, or of another number of keypoints.
    """
    said = content.get("prn") if isinstance(content, Mapping) else None
    weights = content["network"] if said is not None and "network" in content else content
    if not isinstance(weights, Mapping) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise WeightsError(f"{path}: no weights of a pose residual network")
    state = {renamed(str(key), RENAMES): value for key, value in weights.items()}
    _known(state, keypoints, path)
    bias = state.get("hidden.0.bias")
    released = ReleasedPRN(keypoints, NODES if bias is None or bias.dim() != 1 else len(bias))
    network = released if said is None else _shaped(said, keypoints, path)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: no pose residual network of {keypoints} keypoints: {reason}") from None
    return network.eval(), tuple(map(str, content.get("keypoints", ())))


def _known(state: Mapping[str, Tensor], keypoints: int, path: Path) -> None:
    """Refuse weights whose last layer answers for another number of keypoints, which torch tells by its matrices."""
    last = state.get("out.bias")
    cells = CELLS[0] * CELLS[1]
    if last is not None and last.dim() == 1 and len(last) % cells == 0 and len(last) != keypoints * cells:
        raise WeightsError(f"{path}: a pose residual network of {len(last) // cells} keypoints, not {keypoints}")


def _shaped(said: Any, keypoints: int, path: Path) -> PRN:
    kinds = {"nodes": int, "layers": int, "dropout": float, "residual": bool}
    known = isinstance(said, Mapping) and said.keys() == kinds.keys()
    if not known or not all(isinstance(said[name], kind) for name, kind in kinds.items()):
        raise WeightsError(f"{path}: prn must say {', '.join(kinds)}")
    if not (1 <= said["nodes"] <= 65_536 and 1 <= said["layers"] <= 8 and 0 <= said["dropout"] < 1):
        raise WeightsError(f"{path}: prn says {dict(said)}, which is no network")
    return PRN(keypoints, **said)
