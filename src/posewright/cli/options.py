"""Options that several verbs have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import arg

QUIET: Any = {"help_behavior_hint": ""}
"""Leaves out of the help that a default is nothing."""
Backend = Literal["auto", "onnxruntime", "openvino", "torch"]
Model = Annotated[
    str,
    arg(
        metavar="MODEL",
        help="`pose`, the embedded network; an exported network (.onnx), a checkpoint (.pt), a URL of either, or a "
        "recipe's name, which means its runs/NAME/last.pt; transformers:NAME (ViTPose), rtmlib:FILE.onnx, "
        "mediapipe:FILE.task, movenet:FILE, blazepose:FILE, or my_file.py:my_estimator",
    ),
]
Data = Annotated[
    str,
    arg(
        metavar="DIR",
        help="a folder, or its kind and folder as in coco:DIR; coco+corners:DIR and the like say what else its "
        "files mean",
    ),
]
Split = Annotated[str, arg(metavar="NAME", help="the part of the data, as its files name it")]
Out = Annotated[Path, arg(metavar="DIR", help="the folder to write into")]
Flip = Annotated[bool, arg(help="average with the mirrored picture, at twice the cost")]
Scales = Annotated[
    tuple[float, ...],
    arg(
        metavar="TIMES",
        help="show whole pictures to a bottom-up network's checkpoint at these sizes, 1 unless you say: 0.5 1 2",
        **QUIET,
    ),
]
Run = Annotated[
    Backend, arg(help="what runs the network; auto is onnxruntime where that has CUDA or is alone, else openvino")
]
Precision = Annotated[Literal["fp32", "bf16"], arg(help="bf16 needs openvino or torch")]
RecipeFile = Annotated[
    str | None,
    arg(
        metavar="RECIPE",
        help="what a checkpoint of the authors', of MMPose's or of your my_file.py:my_recipe is of",
        **QUIET,
    ),
]
MetricNames = Annotated[
    str | None,
    arg(
        metavar="NAME,...",
        help="such as oks_ap,pck (a wrong name lists all); without it, what the data set is scored by",
        **QUIET,
    ),
]
Sigmas = Annotated[
    str | None,
    arg(
        metavar="NUMBER|FILE",
        help="sigmas of OKS: one for all keypoints, or a JSON file of a list or of names and numbers; without it, the "
        "data set's, those of the file's category, or a guess that is said",
        **QUIET,
    ),
]
Draws = Annotated[int, arg(metavar="N", help="how often the pictures are drawn anew for the intervals; 0 for none")]
Seed = Annotated[int, arg(metavar="N", help="of these draws")]
Cluster = Annotated[
    str | None,
    arg(
        metavar="auto|ADDRESS",
        help="share the work out by Ray: auto, among the cores of this machine, or the address that `ray start --head` "
        "told, as 10.0.0.1:6379, among all machines there, which must see the same files under the same paths",
        **QUIET,
    ),
]
