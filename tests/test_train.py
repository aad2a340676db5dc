"""Training: repeatable to the bit, resumable to the bit whatever ended it, alone or with two processes."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn

from posewright import train as training
from posewright.codecs.distribution import Distribution
from posewright.models.load import WeightsError
from posewright.recipes import recipe_named
from posewright.recipes.recipe import Optimiser, Phase
from posewright.skeleton import LSP
from posewright.train import CheckpointError, Machine, train
from posewright.train.machine import settled

ALONE = Machine(device="cpu", precision="fp32", workers=0, threads=1)
TINY = Path(__file__).parent / "tiny.py"
tiny = recipe_named(f"{TINY}:tiny")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning")
QUICKLY = [
    "--machine.device",
    "cpu",
    "--machine.workers",
    "0",
    "--machine.threads",
    "1",
    "--machine.precision",
    "fp32",
    "--machine.save-every",
    "0",
]
TEAM = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def contents(checkpoint):
    return torch.load(checkpoint, map_location="cpu", weights_only=True)


def same(one, other):
    """Whether two nests of tensors and plain values are equal to the bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def run(command, out, *options, **environment):
    """Train tiny in a process of its own, which pytest's warnings do not reach."""
    told = {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", **environment}
    return subprocess.run(
        [*command, str(TINY), "--out", str(out), *QUICKLY, *options],
        env={**os.environ, **told}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of an uninterrupted training."""
    return train(tiny, ".", tmp_path_factory.mktemp("whole"), machine=ALONE)


@pytest.fixture
def half(tmp_path):
    """The checkpoint of a training that an error ended in the middle of the second epoch."""
    steps = []

    def loss(stages, target):
        steps.append(1)
        if len(steps) == 6:
            raise InterruptedError
        return tiny.loss(stages, target)

    with pytest.raises(InterruptedError):
        train(replace(tiny, loss=loss), ".", tmp_path / "half", machine=replace(ALONE, save_every=0))
    return tmp_path / "half" / "last.pt"


def test_a_seed_makes_training_repeatable(whole, tmp_path):
    assert same(contents(train(tiny, ".", tmp_path / "again", machine=replace(ALONE, workers=1))), contents(whole))
    other = contents(train(tiny, ".", tmp_path / "other", seed=1, machine=ALONE))
    assert not same(other["network"], contents(whole)["network"])


def test_a_run_goes_on_in_the_middle_of_an_epoch(half, whole):
    assert contents(half)["step"] == 5
    assert len(contents(half)["losses"]) == 2
    train(tiny, ".", half.parent, resume=True, machine=ALONE)
    assert same(contents(half), contents(whole))
    assert (half.parent / "log.jsonl").read_text() == (whole.parent / "log.jsonl").read_text()


def test_a_killed_process_goes_on_as_if_it_had_not_been(whole, tmp_path):
    killed = run([sys.executable], tmp_path / "run", TINY_DIES_AT="5")
    assert killed.returncode == -9, killed.stderr
    checkpoint = tmp_path / "run" / "last.pt"
    assert contents(checkpoint)["step"] == 4
    (checkpoint.parent / ".last.pt.partial").write_bytes(checkpoint.read_bytes()[:1000])  # as if killed while saving
    resumed = run([sys.executable], tmp_path / "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert same(contents(checkpoint), contents(whole))


@pytest.mark.parametrize("epoch", [1, 2, 3])
@pytest.mark.parametrize("place", ["scores", "_write_lines"])
def test_a_run_that_ends_while_an_epoch_is_judged_or_told_judges_it_afterwards(
    whole, tmp_path, monkeypatch, place, epoch
):
    real, calls = getattr(training, place), count(1)

    def ending(*arguments):
        if next(calls) == epoch:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(training, place, ending)
    with pytest.raises(KeyboardInterrupt):
        train(tiny, ".", tmp_path, machine=ALONE)
    monkeypatch.undo()
    checkpoint = train(tiny, ".", tmp_path, resume=True, machine=ALONE)
    assert same(contents(checkpoint), contents(whole))
    assert (tmp_path / "log.jsonl").read_text() == (whole.parent / "log.jsonl").read_text()


def test_two_processes_end_with_equal_weights_and_resume(tmp_path):
    done = run(TEAM, tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    ranks = [contents(tmp_path / "whole" / f"weights_of_rank_{rank}.pt") for rank in (0, 1)]
    assert same(*ranks)
    wanted = contents(tmp_path / "whole" / "last.pt")
    assert wanted["step"] == 6  # 3 epochs of 3 batches, the last one filled up
    assert run(TEAM, tmp_path / "run", TINY_DIES_AT="4").returncode != 0
    assert contents(tmp_path / "run" / "last.pt")["step"] < 4
    resumed = run(TEAM, tmp_path / "run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert same(contents(tmp_path / "run" / "last.pt"), wanted)
    with pytest.raises(CheckpointError, match="steps 2, not 3"):
        train(tiny, ".", tmp_path / "run", resume=True, machine=ALONE)


def test_a_finished_run_has_nothing_left_to_do(whole):
    before = whole.read_bytes()
    train(tiny, ".", whole.parent, resume=True, machine=ALONE)
    assert whole.read_bytes() == before


def test_a_run_may_be_made_longer(whole, tmp_path):
    (tmp_path / "last.pt").write_bytes(whole.read_bytes())
    longer = replace(tiny, phases=(*tiny.phases, Phase(1, 1e-4)))
    found = contents(train(longer, ".", tmp_path, resume=True, machine=ALONE))
    assert found["step"] == contents(whole)["step"] + 3
    assert [line["epoch"] for line in found["history"]] == [1, 2, 3, 4]


def test_one_line_an_epoch_is_logged(whole):
    lines = [json.loads(line) for line in (whole.parent / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert all(line["loss"] > 0 and 0 <= line["PCK@0.2"] <= 1 for line in lines)
    assert contents(whole)["history"] == lines


def test_the_precision_is_bf16_where_it_is_faster_and_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("posewright.train.machine.has_bf16", lambda device: device == "cpu")
    found = contents(train(tiny, ".", tmp_path, machine=replace(ALONE, precision="auto")))
    assert found["precision"] == "bf16"
    assert "trained in bf16 on cpu" in capsys.readouterr().err
    asked = contents(train(tiny, ".", tmp_path / "asked", machine=replace(ALONE, precision="bf16")))
    assert same(asked["network"], found["network"])


@pytest.mark.parametrize("then", ["fp32", "bf16", None])
def test_a_run_goes_on_in_the_precision_that_it_had(tmp_path, monkeypatch, then):
    """One that said none is of a version that computed in fp32."""
    monkeypatch.setattr("posewright.train.machine.has_bf16", lambda _device: then != "bf16")
    checkpoint = train(tiny, ".", tmp_path, machine=replace(ALONE, precision=then or "fp32"))
    content = contents(checkpoint)
    if then is None:
        del content["precision"]
        torch.save(content, checkpoint)
    longer = replace(tiny, phases=(*tiny.phases, Phase(1, 1e-3)))
    train(longer, ".", tmp_path, resume=True, machine=replace(ALONE, precision="auto"))
    assert contents(checkpoint)["precision"] == (then or "fp32")


def test_bf16_is_for_whole_convolutions_on_what_has_it(tmp_path, monkeypatch):
    cpu = Machine(device="cpu")
    whole, apart, linear = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Linear(4, 4)
    for words, has in (("sse avx512_bf16", True), ("amx_bf16", True), ("sse avx512f", False)):
        (tmp_path / "cpuinfo").write_text(f"flags : {words}\n")
        monkeypatch.setattr("posewright.train.machine.CPUINFO", tmp_path / "cpuinfo")
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
        assert settled(cpu, whole).precision == ("bf16" if has else "fp32")
        assert settled(cpu, nn.Sequential(whole, apart)).precision == "fp32"
        assert settled(cpu, linear).precision == "fp32"
        assert settled(replace(cpu, precision="bf16"), linear).precision == "bf16"


def test_half_precision_computes_nearly_the_same(whole, tmp_path):
    found = contents(train(tiny, ".", tmp_path, machine=replace(ALONE, precision="bf16")))
    assert {value.dtype for value in found["network"].values()} == {torch.float32, torch.int64}
    losses, wanted = ([line["loss"] for line in one["history"]] for one in (found, contents(whole)))
    assert losses != wanted
    assert losses == pytest.approx(wanted, rel=0.02)


def test_kept_crops_are_decoded_once(tmp_path):
    checkpoint = train(tiny, ".", tmp_path, machine=replace(ALONE, keep=True))
    first = contents(checkpoint)
    made = (tmp_path / "crops.npy").stat().st_mtime_ns
    checkpoint.unlink()
    assert same(contents(train(tiny, ".", tmp_path, machine=replace(ALONE, keep=True))), first)
    assert (tmp_path / "crops.npy").stat().st_mtime_ns == made


def test_nothing_is_overwritten_and_nothing_resumed_from_nowhere(whole, tmp_path):
    with pytest.raises(FileExistsError, match="go on from it with --resume"):
        train(tiny, ".", whole.parent, machine=ALONE)
    with pytest.raises(FileNotFoundError, match="no checkpoint to resume"):
        train(tiny, ".", tmp_path, resume=True, machine=ALONE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda good: good[: len(good) // 2], "cut off, damaged"),
        (lambda _: b"", "an empty file"),
        (lambda _: b"epoch 3\n", "a text that begins"),
    ],
)
def test_a_damaged_checkpoint_is_one_clear_line(whole, tmp_path, change, reason):
    (tmp_path / "last.pt").write_bytes(change(whole.read_bytes()))
    with pytest.raises(WeightsError, match=reason) as error:
        train(tiny, ".", tmp_path, resume=True, machine=ALONE)
    assert str(error.value).startswith(f"{tmp_path}/last.pt: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"state_dict": {}}, "no checkpoint of a training by posewright, it lacks network, optimiser"),
        ([1, 2], "no checkpoint of a training"),
    ],
)
def test_a_foreign_file_is_no_checkpoint(tmp_path, content, reason):
    torch.save(content, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=reason):
        train(tiny, ".", tmp_path, resume=True, machine=ALONE)


def wider():
    from posewright.models.compact import Compact

    return Compact(len(LSP), widths=(4, 8, 8, 16), depths=(1, 1, 1))


@pytest.mark.parametrize(
    ("changes", "seed", "reason"),
    [
        ({}, 7, "trained with seed 0, not 7"),
        ({"name": "huge"}, 0, "trained with recipe tiny, not huge"),
        ({"batch": 5}, 0, "trained with steps 3, not 2"),
        ({"codec": Distribution(LSP, (64, 64), sigma=2.0)}, 0, "trained with codec"),
        ({"optimiser": Optimiser()}, 0, "its running average is not that of this recipe"),
        ({"network": wider}, 0, "its running average|another network"),
    ],
)
def test_another_training_is_not_gone_on_with(half, changes, seed, reason):
    before = half.read_bytes()
    with pytest.raises(CheckpointError, match=reason) as error:
        train(replace(tiny, **changes), ".", half.parent, seed, resume=True, machine=ALONE)
    assert "\n" not in str(error.value)
    assert half.read_bytes() == before


def test_a_checkpoint_is_replaced_only_by_a_whole_one(half, monkeypatch):
    before = half.read_bytes()

    def torn(_, file):
        file.write(b"half of it")
        raise OSError("no space left")

    monkeypatch.setattr(training.state.torch, "save", torn)
    with pytest.raises(OSError, match="no space left"):
        train(tiny, ".", half.parent, resume=True, machine=ALONE)
    assert half.read_bytes() == before
    assert not list(half.parent.glob(".*partial*"))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_picture_is_one_clear_line(tmp_path, workers):
    def read(folder, split):
        return [replace(scene, image=tmp_path / "gone.png") for scene in tiny.read(folder, split)]

    with pytest.raises(ValueError, match="no such file") as error:
        train(replace(tiny, read=read), ".", tmp_path / "out", machine=replace(ALONE, workers=workers))
    assert str(error.value) == f"{tmp_path}/gone.png: no such file"


def test_no_people_is_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="nobody in the train split is labelled"):
        train(replace(tiny, read=lambda _folder, _split: []), ".", tmp_path, machine=ALONE)
