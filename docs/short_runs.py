"""Draw docs/images/short_runs.png: what five families learn from 20,000 crops at most.

python docs/short_runs.py runs/          # holds short_*/log.jsonl, of benchmarks/short_runs.py
"""

import json
import sys
from pathlib import Path

from matplotlib.figure import Figure

CROPS = 2500
"""An epoch's."""
NAMES = {
    "simple_baseline_r50": ("SimpleBaseline-R50", "#4269d0"),
    "hourglass_2": ("2 hourglasses", "#c2410c"),
    "cpn_r50": ("CPN-R50", "#15803d"),
    "rsn18": ("RSN-18", "#9333ea"),
    "efficientpose_rt": ("EfficientPose RT", "#0e7490"),
}
INK, PALE = "#282c34", "#9aa0aa"

figure = Figure(figsize=(7.2, 3.8), dpi=120, layout="constrained")
axes = figure.add_subplot()
for name, (title, colour) in NAMES.items():
    lines = (Path(sys.argv[1]) / f"short_{name}" / "log.jsonl").read_text().splitlines()
    hits = [100 * json.loads(line)["PCK@0.2"] for line in lines]
    axes.plot([CROPS * (epoch + 1) for epoch in range(len(hits))], hits, color=colour, linewidth=2, marker="o",
              markersize=4)  # fmt: skip
    axes.annotate(f"{title} {hits[-1]:.0f}", (CROPS * len(hits), hits[-1]), (7, 0), textcoords="offset points",
                  va="center", color=colour, fontsize=9)  # fmt: skip
axes.set_xlim(0, 8 * CROPS * 1.28)
axes.set_ylim(0)
axes.set_xticks([CROPS * epoch for epoch in range(0, 9, 2)], [f"{CROPS * epoch:,}" for epoch in range(0, 9, 2)])
axes.set_xlabel("crops seen in training, 128x128, from random weights", color=INK)
axes.set_title("PCK@0.2 (torso) on LSP-extended's test split, %", loc="left", color=INK, fontsize=10)
axes.spines[["top", "right"]].set_visible(False)
axes.grid(axis="y", color=PALE, alpha=0.3)
axes.tick_params(colors=INK)
figure.savefig(Path(__file__).parent / "images" / "short_runs.png")
