"""ViTPose (Xu et al., NeurIPS 2022, arXiv:2204.12484) as `transformers` runs it; both are Apache-2.0.

The package's own processor cuts the boxes (x, y, width, height, 1.25 times as large, to 192x256) and reads the maps
(DARK after UDP). Its arithmetic counts pixels from the centre of the top-left one, as this library does, and it takes
RGB; so nothing is moved. What changes here: a keypoint whose map is nowhere above 0 is absent, where the package puts
it at a place without meaning, and scores, which are peaks of unbounded maps, are clipped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posewright.estimators.adapters.adapted import Adapted
from posewright.estimators.adapters.answer import about, array, found
from posewright.picture import Pixels
from posewright.scene import Floats, Person, whole
from posewright.skeleton import COCO, Skeleton


def load(
    name: str | Path = "usyd-community/vitpose-base-simple", skeleton: Skeleton = COCO, device: str = "cpu"
) -> Adapted:
    """Load a ViTPose by its name on the hub, or from a folder that `save_pretrained` wrote.

    Raises ImportError where transformers or torch is not installed, OSError where there is no such network.
    """
    try:
        import torch  # noqa: F401
        from transformers import AutoImageProcessor, VitPoseForPoseEstimation
    except ImportError as error:
        raise ImportError(f'{error.name} is not installed: pip install "posewright[adapters]"') from error
    processor = AutoImageProcessor.from_pretrained(str(name))
    model = VitPoseForPoseEstimation.from_pretrained(str(name)).to(device).eval()
    return adapt(model, processor, skeleton)


def adapt(
    model: Any, processor: Any, skeleton: Skeleton = COCO, own: Skeleton = COCO, dataset: int = 0, batch: int = 16
) -> Adapted:
    """Make an estimator of a `VitPoseForPoseEstimation` and its image processor.

    own: the keypoints of the network. dataset: which of a ViTPose+'s experts answers (0 is COCO; others have fewer
    keypoints than the network has maps). batch: boxes a call. Without boxes the whole picture is the box.
    """

    def look(pixels: Pixels, boxes: list[Floats] | None) -> list[Person]:
        asked = boxes or [whole((pixels.shape[1], pixels.shape[0]))]
        starts = range(0, len(asked), batch)
        return [person for start in starts for person in answered(pixels, asked[start : start + batch])]

    def answered(pixels: Pixels, boxes: list[Floats]) -> list[Person]:
        import torch

        xywh = [[[float(x0), float(y0), float(x1 - x0), float(y1 - y0)] for x0, y0, x1, y1 in boxes]]
        cut = processor(pixels, boxes=xywh, input_data_format="channels_last", return_tensors="pt")
        inputs = {"pixel_values": cut["pixel_values"].to(model.device)}
        if getattr(model.config.backbone_config, "num_experts", 1) > 1:
            inputs["dataset_index"] = torch.full((len(boxes),), dataset, device=model.device)
        with torch.no_grad():
            outputs = model(**inputs)
        (people,) = processor.post_process_pose_estimation(outputs, boxes=xywh)
        return [found(array(one["keypoints"]), array(one["scores"])) for one in people]

    return Adapted(look, own, skeleton, _about(model))


def _about(model: Any) -> dict[str, Any]:
    name = str(model.config.name_or_path)
    said = about("transformers", cut="1.25 times, cut by the package; the whole picture where none is given")
    file = Path(name) / "model.safetensors"
    if file.is_file():
        said |= about("transformers", file)
    commit = getattr(model.config, "_commit_hash", None)
    return said | {"weights": name} | ({"weights commit": commit} if commit else {})
