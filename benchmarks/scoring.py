"""What scoring verbs cost as whole processes on a problem of COCO val2017's size, this tree beside another one.

    git worktree add ../before COMMIT
    python benchmarks/scoring.py --before ../before/src [--rounds N] [--rows NAME ...]

The problem is that of benchmarks/oks.py. Each command runs in a process of its own, one thread, before and after in
turn; CPU seconds are the median of the rounds, memory the largest peak. What `scores.json` says must be the same to the
last bit.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src"
FILES = ["results.json", "--truth", "annotations.json"]
ROWS = {
    "score, defaults": ["score", *FILES, "--out", "out"],
    "score --draws 0": ["score", *FILES, "--draws", "0", "--out", "out"],
    "score --metric oks_ap --draws 0": ["score", *FILES, "--metric", "oks_ap", "--draws", "0", "--out", "out"],
    "score --metric ap_by_keypoint --draws 0": [
        *("score", *FILES, "--metric", "ap_by_keypoint"), "--draws", "0", "--out", "out",
    ],
    "diagnose": ["diagnose", *FILES, "--out", "out"],
    "diagnose --draws 0": ["diagnose", *FILES, "--draws", "0", "--out", "out"],
}  # fmt: skip
RUN = """
import resource, sys
from posewright import cli
code = getattr(cli, "run", cli.main)()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
sys.exit(code)
"""


def measured(source: Path, words: list[str], place: Path) -> tuple[float, float, str]:
    """CPU seconds and peak MB of a process, and the numbers that it wrote."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=place, env=environment, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = float(done.stderr.split()[-1])
    file = place / "out" / ("diagnosis.json" if words[0] == "diagnose" else "scores.json")
    told = json.loads(file.read_text())
    return seconds, peak, json.dumps({key: value for key, value in told.items() if key != "versions"})


def main() -> None:
    """Print a table: before, after, their ratio, memory, and whether numbers are the same."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", nargs="*", default=list(ROWS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        # in a process of its own: a child begins with its parent's peak
        made = "import sys; from pathlib import Path; from oks import problem; problem(Path(sys.argv[1]))"
        subprocess.run([sys.executable, "-c", made, folder], cwd=Path(__file__).parent, check=True)
        for name in options.rows:
            pairs = [
                [measured(source, ROWS[name], place) for source in (options.before.resolve(), HERE)]
                for _ in range(options.rounds)
            ]
            before, after = (statistics.median(pair[i][0] for pair in pairs) for i in (0, 1))
            peaks = [max(pair[i][1] for pair in pairs) for i in (0, 1)]
            same = all(pair[0][2] == pair[1][2] for pair in pairs)
            print(
                f"{name:42} {before:7.2f} s {after:7.2f} s x{before / after:.2f} {peaks[0]:.0f} MB {peaks[1]:.0f} MB  "
                f"{'same numbers' if same else 'OTHER NUMBERS'}",
                flush=True,
            )


if __name__ == "__main__":
    main()
