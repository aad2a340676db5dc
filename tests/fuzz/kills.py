"""The kill matrix: every verb that works for long is killed at several moments and called again.

`python tests/fuzz/kills.py` prints a row a kill: what was finished before it, what of that is still there, and whether
the same command then ends with what an undisturbed run has written. A row that lost finished work, or ends with
something else, is marked; the exit code is how many there are. `--quick` takes two moments of the quickest verbs.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).resolve().parents[2] / "src"
TINY = Path(__file__).resolve().parents[1] / "tiny.py"
RUN = [sys.executable, "-c", "import sys; from posewright.cli import main; sys.exit(main())"]
MOMENTS = (0.1, 0.3, 0.5, 0.7, 0.9)


class Verb(NamedTuple):
    """A command, what of its folder counts as finished work, and what an undisturbed run leaves."""

    words: list[str]
    finished: Callable[[Path], set[str]]
    result: Callable[[Path], str]
    again: Callable[[Path], list[str]] = lambda out: []  # noqa: ARG005


def lines(out: Path) -> set[str]:
    """The pictures that answers are kept of, or, at the end, those that were drawn."""
    file = out / "answers.jsonl"
    if not file.exists():
        return set()
    whole = [line for line in file.read_text().splitlines(keepends=True)[1:] if line.endswith("\n")]
    return {json.loads(line)["id"] for line in whole}


def files(folder: str, pattern: str) -> Callable[[Path], set[str]]:
    return lambda out: {one.name for one in (out / folder).glob(pattern) if not one.name.startswith(".")}


def text(*names: str) -> Callable[[Path], str]:
    return lambda out: "\n".join((out / name).read_text() for name in names)


def epochs(out: Path) -> set[str]:
    """The epochs of a training that its checkpoint has."""
    log = out / "log.jsonl"
    return {str(json.loads(line)["epoch"]) for line in log.read_text().splitlines()} if log.exists() else set()


def verbs(place: Path) -> dict[str, Verb]:
    """Name the verbs, on a small world in a folder."""
    data = str(place / "w")
    parts = ["--people", "12", "--attacks", "parts", "--fills", "blackout", "--backend", "onnxruntime"]
    drawn = ["--people", "40", "--attacks", "parts", "--fills", "blackout,blur"]
    bred = ["--generations", "1", "--children", "2", "--parents", "1", "--people", "8", "--judged", "4"]
    onnx = ["--backend", "onnxruntime"]
    return {
        "predict": Verb(["predict", f"{data}/images", *onnx], lines, text("predictions.json")),
        "evaluate": Verb(
            ["evaluate", "default", "--data", f"coco:{data}", "--split", "val", *onnx], lines, text("predictions.json")
        ),
        "occlude": Verb(["occlude", "--draws", "20", *parts], files("answers", "*.npz"), text("effects.csv")),
        "occlude export": Verb(["occlude", "export", *drawn], files("pictures", "*.png"), text("manifest.json")),
        "train": Verb(
            ["train", f"{TINY}:tiny", "--data", ".", "--epochs", "80", "--machine.save-every", "0"],
            epochs,
            text("log.jsonl"),
            lambda out: ["--resume"] if (out / "last.pt").exists() else [],
        ),
        "evolve": Verb(["evolve", *bred], files("candidates", "*.json"), text("search.json")),
    }


def call(words: list[str], out: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with open(out.with_name("said.txt"), "wb") as said:
        return subprocess.Popen([*RUN, *words, "--out", str(out)], env=environment, stdout=subprocess.DEVNULL,
                                stderr=said, start_new_session=True)  # fmt: skip


def killed(verb: Verb, out: Path, after: float, environment: dict[str, str]) -> set[str]:
    """Kill a run after so many seconds; returns what it had finished."""
    process = call(verb.words, out, environment)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return verb.finished(out) if out.exists() else set()


def row(verb: Verb, place: Path, after: float, wanted: str, environment: dict[str, str]) -> tuple[int, str]:
    """Kill and call again; returns how much was finished before, and what is wrong, "" where nothing is."""
    out = place / "killed"
    shutil.rmtree(out, ignore_errors=True)
    before = killed(verb, out, after, environment)
    stamps = {one: one.stat().st_mtime_ns for one in out.rglob("*") if one.is_file()} if out.exists() else {}
    code = call([*verb.words, *verb.again(out)], out, environment).wait()
    if code:
        said = out.with_name("said.txt").read_text(errors="replace").strip().splitlines()
        return len(before), f"the second call ends with {code}: {said[-1] if said else 'nothing is said'}"
    if lost := before - verb.finished(out) if verb.again(out) else set():
        return len(before), f"lost {', '.join(sorted(lost))}"
    if verb.result(out) != wanted:
        return len(before), "ends with another result"
    anew = [one.name for one, stamp in stamps.items() if one.name in before and one.stat().st_mtime_ns != stamp]
    return len(before), f"did {len(anew)} anew" if anew else ""


def matrix(names: list[str], moments: tuple[float, ...], told: Callable[[str], None] = print) -> list[str]:
    """Kill the verbs of these names; returns the rows that lost something."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([*RUN, "draw", "world", "--count", "60", "--out", str(place / "w")], env=environment, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        for name, verb in verbs(place).items():
            if name not in names:
                continue
            began = time.monotonic()
            assert call(verb.words, place / "whole", environment).wait() == 0, name
            took, wanted = time.monotonic() - began, verb.result(place / "whole")
            shutil.rmtree(place / "whole")
            for moment in moments:
                finished, trouble = row(verb, place, moment * took, wanted, environment)
                told(f"{name:15} killed at {moment:.0%}: {finished:4} finished before; {trouble or 'nothing lost'}")
                wrong += [f"{name} at {moment:.0%}: {trouble}"] if trouble else []
    return wrong


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    options.add_argument("--verbs", nargs="*", help="only these, at all moments")
    options.add_argument("--moments", nargs="*", type=float, default=MOMENTS, help="shares of an undisturbed run")
    chosen = options.parse_args()
    quick = chosen.quick
    everything = ["predict", "evaluate", "occlude", "occlude export", "train", "evolve"]
    names = ["predict"] if quick else chosen.verbs or everything
    sys.exit(len(matrix(names, (0.5, 0.8) if quick else tuple(chosen.moments))))
