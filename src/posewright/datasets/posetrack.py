"""PoseTrack18 (Andriluka et al., CVPR 2018): people followed through videos.

v is 0 absent or 1 labelled. The file does not tell hidden from seen, so every labelled keypoint is *seen*.
Ears are never labelled. There are no areas; `bbox_head` becomes `head`. A person's id is the track's, which
joins frames within one video. Regions to ignore have no place in a scene and are left out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from posewright.datasets.annotations import Dialect, read_annotations
from posewright.datasets.records import DataError
from posewright.scene import ABSENT, SEEN, Scene
from posewright.skeleton import POSETRACK

DIALECT = Dialect(POSETRACK, visible={0: ABSENT, 1: SEEN}, head="bbox_head", identity="track_id")


def read(root: Path, split: str, *, annotations: Path | str | None = None) -> list[Scene]:
    """Read PoseTrack18, one scene a labelled frame, video after video by name, without decoding any.

    Reads every video's file in `annotations/{split}/`, or `annotations`, one file (relative to `root`) with one
    video or with many. Pictures are named from `root`. Raises DataError.
    """
    root = Path(root)
    if annotations is not None:
        return read_annotations(root / annotations, root, DIALECT)
    files = sorted(file for form in ("*.json", "*.json.gz") for file in (root / "annotations" / split).glob(form))
    if not files:
        raise DataError(f"{root}: holds no PoseTrack18 annotations; looked for annotations/{split}/*.json, one a video")
    return [
        replace(scene, group=file.name.partition(".")[0])
        for file in files
        for scene in read_annotations(file, root, DIALECT)
    ]
