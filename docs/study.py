"""Draw docs/images/study.png: figures of the page of a study, `python docs/study.py STUDY`, from `posewright occlude`.

Needs a browser that takes pictures of pages: chromium, or what CHROMIUM in the environment names.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from posewright import picture
from posewright.report.page import Section, write_page
from posewright.robustness import read_study
from posewright.robustness.pages.figures import beside
from posewright.robustness.pages.relations import influence
from posewright.robustness.pages.sections import radii

SIZE = (1130, 1500)
SHOWN = {influence: (0, 2), radii: (0, 1, 2)}
"""Of which sections which figures are shown: the matrices of blackout and blur, and how losses grow."""


def figures_of(section: Section | None) -> list[str]:
    """Return the figures of a section, as SVG."""
    return [] if section is None else re.findall("<svg.*?</svg>", "".join(section.figures), re.DOTALL)


def main(folder: str) -> None:
    """Write the picture of a study."""
    study = read_study(folder)
    drawn = [beside(figures_of(told(study))[i] for i in places) for told, places in SHOWN.items()]
    with tempfile.TemporaryDirectory() as place:
        page = write_page(Path(place) / "study.html", "", "", [], [Section("", figures=drawn)])
        shot = Path(place) / "study.png"
        browser = [os.environ.get("CHROMIUM", "chromium"), "--headless", "--no-sandbox", "--disable-gpu"]
        size = "--window-size={},{}".format(*SIZE)
        subprocess.run([*browser, "--hide-scrollbars", f"--user-data-dir={place}/profile", size,
                        f"--screenshot={shot}", page.as_uri()], check=True, capture_output=True)  # fmt: skip
        pixels = picture.read(shot)
    inside = (pixels != pixels[0, 0]).any(-1) & (pixels < 250).any(-1)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    cut = np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    out = Path(__file__).parent / "images" / "study.png"
    cv2.imwrite(str(out), cv2.cvtColor(cut, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"{out}: {cut.shape[1]}x{cut.shape[0]}, {out.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main(*sys.argv[1:])
