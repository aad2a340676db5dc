"""Evolution: the search is a function of its seed, goes on as if it had not ended, and keeps what it should."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from html import escape
from inspect import signature

import numpy as np
import pytest
import torch

from posewright.augment.jitter import Jitter
from posewright.cli import main
from posewright.cli.evolve import evolve as verb
from posewright.codecs.evopose import EvoPose
from posewright.datasets.synthetic import world
from posewright.fields import Heatmaps
from posewright.models.count import macs
from posewright.models.evopose2d import ANCESTOR, BRED, EvoPose2D, output_stride
from posewright.models.report import WeightsError
from posewright.recipes import recipe_named
from posewright.recipes.recipe import Phase
from posewright.scene import Person
from posewright.skeleton import COCO
from posewright.train import Machine, prepared, steps
from posewright.train.evolve import AUTHORS, Comparison, Search, compared, evolve, fittest, side_by_side, training
from posewright.train.evolve.comparison import contestants, differences
from posewright.train.evolve.folder import Folder
from posewright.train.evolve.page import spelled, verdict, write_search_page
from posewright.train.evolve.search import Candidate, Trained, bred
from posewright.train.evolve.transfer import inherited
from posewright.train.loader import Batches

TINY = Search(
    generations=2,
    children=4,
    parents=2,
    first_epochs=2,
    epochs=1,
    size=(32, 32),
    width=0.1,
    people=16,
    judged=8,
    batch=8,
)
OPTIONS = [
    "--generations", "2", "--children", "4", "--first-epochs", "2", "--epochs", "1", "--size", "32", "32", "--width",
    "0.1", "--people", "16", "--judged", "8", "--batch", "8", "--compare-seeds", "1", "--compare-epochs", "1",
]  # fmt: skip


def known(folder):
    """What is known of all candidates, but for the time it took."""
    return [one._replace(seconds=0.0) for one in Folder(folder).trained()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a search that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    evolve(TINY, folder)
    return folder


def test_every_child_is_a_new_mutant_of_one_of_the_fittest(whole):
    found = Folder(whole).trained()
    assert [one.candidate.number for one in found] == list(range(9))
    assert len({one.candidate.genes for one in found}) == 9
    for one in found[1:]:
        parent = found[one.candidate.parent].candidate
        changed = [a != b for old, new in zip(parent.genes, one.candidate.genes, strict=True)
                   for a, b in zip(old, new, strict=True)]  # fmt: skip
        assert sum(changed) == 1
    assert {one.candidate.parent for one in found[1:5]} == {0}
    first, second = (one.candidate.number for one in fittest(TINY, found[:5])[:2])
    assert [one.candidate.parent for one in found[5:]] == [first, second, first, second]


def test_only_parents_keep_their_weights(whole):
    kept = {int(file.stem) for file in (whole / "weights").iterdir()}
    assert kept == {one.candidate.number for one in fittest(TINY, Folder(whole).trained())[:2]}


def test_a_candidate_is_counted_as_the_original_counts(whole):
    one = Folder(whole).trained()[3]
    model = EvoPose2D(one.candidate.genes, 14, width=TINY.width)
    state = model.state_dict()
    assert one.numbers == sum(value.numel() for key, value in state.items() if not key.endswith("tracked"))
    assert one.macs == macs(model, TINY.size)
    assert one.fitness(TINY) == pytest.approx(one.loss * (5e6 / one.numbers) ** -0.07, rel=1e-12)


def test_larger_networks_are_fined():
    small, large = (Trained(Candidate(0, 0, None, ANCESTOR), 1.0, count, 0, 0.0) for count in (1_000_000, 2_000_000))
    assert large.fitness(TINY) / small.fitness(TINY) == pytest.approx(2**0.07)
    assert small.fitness(AUTHORS) == pytest.approx(5**-0.07)
    assert fittest(TINY, [large, small]) == [small, large]


def test_a_search_goes_on_where_it_was_ended(whole, tmp_path):
    def ended(one):
        if one.candidate.number == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evolve(TINY, tmp_path, told=ended)
    assert len(known(tmp_path)) == 7
    told = []
    evolve(TINY, tmp_path, told=told.append)
    assert len(told) == 9
    assert known(tmp_path) == known(whole)
    assert sorted(f.name for f in (tmp_path / "weights").iterdir()) == sorted(
        f.name for f in (whole / "weights").iterdir()
    )


def test_a_search_can_be_made_longer(whole, tmp_path):
    evolve(replace(TINY, generations=1), tmp_path)
    assert known(tmp_path) == known(whole)[:5]
    evolve(TINY, tmp_path)
    assert known(tmp_path) == known(whole)
    assert [one._replace(seconds=0.0) for one in evolve(replace(TINY, generations=1), tmp_path)] == known(whole)[:5]


def test_a_folder_holds_one_search(whole):
    with pytest.raises(ValueError, match="another search, its seed is 0, not 1"):
        evolve(replace(TINY, seed=1), whole)


def test_another_seed_is_another_search():
    ancestor = [Trained(Candidate(0, 0, None, ANCESTOR), 1.0, 1, 1, 0.0)]
    one, other = (bred(replace(TINY, seed=seed), 1, ancestor) for seed in (0, 100))
    assert [child.genes for child in one] != [child.genes for child in other]


def test_processes_change_nothing_and_a_killed_search_goes_on(whole, tmp_path):
    """Two processes; the first search is killed as `kill -9` does, and takes its processes with it."""
    command = [sys.executable, "-c", "import sys; from posewright.cli import main; sys.exit(main())", "evolve",
               "--out", str(tmp_path), "--processes", "2", *OPTIONS]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not list(tmp_path.glob("candidates/[0-9]*.json")) and running.poll() is None:
            time.sleep(0.05)
        children = _children(running.pid)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert children
    assert len(known(tmp_path)) < 9
    for _ in range(600):
        if not any(map(_alive, children)):
            break
        time.sleep(0.1)
    assert not any(map(_alive, children))
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert "the fittest of 9 is number" in done.stdout
    assert known(tmp_path) == known(whole)
    assert len(list((tmp_path / "compared").iterdir())) == 3
    page = (tmp_path / "search.html").read_text()
    assert "Is it better than its ancestor?" in page
    assert "Fitness against cost" in page


def _children(pid):
    tasks = f"/proc/{pid}/task/{pid}/children"
    if not os.path.exists(tasks):
        pytest.skip("processes cannot be listed here")
    with open(tasks) as file:
        return [int(child) for child in file.read().split()]


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_errors_in_other_processes_arrive():
    with side_by_side(2) as share:
        assert sorted(share(abs, [-1, 2, -3])) == [1, 2, 3]
        with pytest.raises(TypeError, match="bad operand"):
            list(share(abs, ["no number", 1]))


def test_a_damaged_folder_is_named(tmp_path):
    Folder(tmp_path).claim(TINY)
    (tmp_path / "candidates" / "00000.json").write_text("{")
    with pytest.raises(ValueError, match=r"00000\.json: "):
        evolve(TINY, tmp_path)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--children", "5"], "children must be a multiple of parents: 5 of 2 is none"),
        (["--size", "48", "64"], "size must be multiples of 32 px, not 48x64"),
        (["--people", "0"], "people and judged not below 1 of world"),
        (["--rate", "0"], "rate must be above 0, not 0.0"),
        (["--processes", "0"], "processes and compare-epochs must be 1 or more"),
        (["--data", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_nonsense_is_one_line(options, reason, tmp_path, capsys):
    assert main(["evolve", "--out", str(tmp_path / "out"), *OPTIONS[:2], *options]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert reason in said[-1]


def test_an_ancestor_is_widened_until_it_computes_as_much():
    bred_one, ancestor, widened = contestants(replace(TINY, size=(64, 64), width=0.5), BRED)
    assert (bred_one.genes, ancestor.genes, widened.genes) == (BRED, ANCESTOR, ANCESTOR)
    assert ancestor.width == 0.5
    assert ancestor.macs < bred_one.macs
    assert widened.macs == pytest.approx(bred_one.macs, rel=0.02)
    with torch.device("meta"):
        assert macs(EvoPose2D(ANCESTOR, 14, width=widened.width), (64, 64)) == widened.macs


def test_the_comparison_is_kept_and_told_as_it_is(whole, monkeypatch):
    outcomes = compared(TINY, Comparison(2, 1), whole, BRED)
    assert [each.seed for each in outcomes] == [1, 1, 1, 2, 2, 2]
    assert all(each.measure == "PCK@0.2" and 0 <= each.score <= 1 for each in outcomes)
    monkeypatch.setattr(training, "prepared", None)
    assert compared(TINY, Comparison(2, 1), whole, BRED) == outcomes
    for scores, said in (((0.5, 0.6), "better with every seed: +0.250"), ((0.1, 0.2), "worse with every seed: -0.150"),
                         ((0.4, 0.2), "seeds disagree, so nothing is shown: +0.000")):  # fmt: skip
        there = dict(
            zip([("bred", 1), ("bred", 2), ("ancestor", 1), ("ancestor", 2)], [*scores, 0.3, 0.3], strict=True)
        )
        told = [each._replace(score=there.get((each.contestant.name, each.seed), 0.3)) for each in outcomes]
        assert differences(told, "ancestor") == pytest.approx([score - 0.3 for score in scores])
        assert said in verdict(told, "ancestor")


def test_the_page_shows_every_candidate(whole, tmp_path):
    found = Folder(whole).trained()
    page = write_search_page(TINY, found, Comparison(0, 1), [], tmp_path).read_text()
    assert "Is it better" not in page
    for one in fittest(TINY, found):
        assert escape(spelled(one.candidate.genes)) in page


def test_data_sets_are_searched_on_too(data_dir, tmp_path):
    search = replace(TINY, data=f"lsp:{data_dir / 'lspet'}", splits=("train", "test"), generations=1)
    assert [one.candidate.number for one in evolve(search, tmp_path)] == [0, 1, 2, 3, 4]
    assert len(training.people(search, "train")) == 16


def test_a_child_begins_with_what_it_inherits(whole, monkeypatch):
    """Without a step of training its weights are its parent's, where the genes allow."""
    parent = Folder(whole).weights(fittest(TINY, Folder(whole).trained())[0].candidate.number)
    genes = fittest(TINY, Folder(whole).trained())[0].candidate.genes
    monkeypatch.setattr(training, "steps", lambda *_: iter(()))
    _, weights = training.bred_and_trained(TINY, Candidate(9, 3, 1, genes), parent)
    assert weights.keys() == parent.keys()
    assert all(torch.equal(weights[name], parent[name]) for name in parent)


def test_a_candidate_that_diverges_is_the_least_fit(tmp_path):
    search = replace(TINY, generations=1, rate=1e30)
    found = evolve(search, tmp_path)
    assert np.isinf(found[0].loss)
    assert known(tmp_path) == [one._replace(seconds=0.0) for one in found]
    healthy = found[0]._replace(loss=1.0)
    assert fittest(search, [*found[1:], healthy])[0] == healthy
    assert write_search_page(search, [healthy, *found[1:]], Comparison(0, 1), [], tmp_path).exists()


def test_settings_lie_with_the_search(whole):
    said = json.loads((whole / "search.json").read_text())
    assert said["search"]["exponent"] == -0.07
    assert {"torch", "numpy", "posewright"} <= said["versions"].keys()


@pytest.mark.parametrize(("name", "stride", "sigma"), [("xs", 4, 2.0), ("s", 2, 4.0), ("m", 2, 6.0), ("l", 2, 8.0)])
def test_recipes_are_the_papers(name, stride, sigma):
    recipe = recipe_named(f"evopose2d_{name}_coco")
    assert (recipe.codec.stride, recipe.codec.sigma) == (stride, sigma)
    steps_an_epoch = -(-149_813 // recipe.batch)
    warm, rate = 5 * steps_an_epoch, 2.5e-4 * recipe.batch / 32
    assert recipe.rate_at(warm - 1, steps_an_epoch) == pytest.approx(rate)
    assert recipe.rate_at(100 * steps_an_epoch, steps_an_epoch) == pytest.approx(rate / 2)
    assert recipe.rate_at(200 * steps_an_epoch - 1, steps_an_epoch) < 1e-6 * rate


def test_the_target_is_a_whole_bell_255_high():
    codec = EvoPose(COCO)
    keypoints = np.full((17, 2), np.nan)
    keypoints[0], keypoints[1], keypoints[2] = (100, 60), (191.4, 255.4), (191.6, 100)
    maps, weights = codec.encode([Person(keypoints)])
    y, x = np.mgrid[:64, :48]
    np.testing.assert_allclose(maps[0, 0], 255 * np.exp(-((x - 25) ** 2 + (y - 15) ** 2) / 8), rtol=1e-5, atol=1e-6)
    assert weights[0, :4].tolist() == [1, 1, 0, 0]
    assert codec.decode(Heatmaps(maps))[0].scores[0] == 1


@pytest.mark.parametrize(("genes", "taken"), [(ANCESTOR, 60), (BRED, 100)], ids=["ancestor", "bred"])
def test_one_picture_is_learnt_by_heart(genes, taken):
    stride = output_stride(genes)
    codec = EvoPose(COCO, (64, 64), stride, sigma=8 / stride, peak=8)
    recipe = replace(
        recipe_named("evopose2d_s_coco"), codec=codec, network=lambda: training.network(genes, 17, 0.5, 0.1), batch=2,
        phases=(Phase(taken, 1e-2, to=1e-3),), jitter=Jitter(0.0, 0.0, mirror=0.0, half_body=0.0),
    )  # fmt: skip
    scenes = world(1, seed=5, size=(128, 128), skeleton=COCO, people=(1, 1))
    batches = Batches(scenes, codec, recipe.jitter, recipe.batch, 0, recipe.aim)
    state = prepared(recipe, 0, Machine(device="cpu"))
    losses = list(steps(recipe, batches, state, Machine(device="cpu", workers=0)))
    pixels, target = batches.batch(0, 0)
    with torch.inference_mode():
        answer = state.best()(torch.from_numpy(pixels))[-1].maps
    shown = target.weights[0] > 0
    truth, found = (codec.decode(Heatmaps(maps))[0].keypoints[shown] for maps in (target.maps, answer.numpy()))
    assert losses[-1] < 0.1 * losses[0]
    assert len(truth) > 8
    assert np.linalg.norm(found - truth, axis=-1).mean() < stride / 2


def test_the_verb_has_every_setting_and_the_same_defaults():
    options = signature(verb).parameters
    for setting in fields(Search):
        assert options[setting.name].default == setting.default, setting.name


def test_the_ancestor_starts_from_imagenets_weights_and_nobody_else(tmp_path, monkeypatch):
    """EfficientNet-B0 by Keras's names, of which a narrower ancestor takes what fits; momentum is the search's."""
    begun = EvoPose2D(ANCESTOR, 14)
    state = begun.state_dict()
    theirs = {"stem_conv/kernel": state["stem.0.weight"].permute(2, 3, 1, 0).numpy(),
              "block1a_project_conv/kernel": state["blocks.block1a.project.0.weight"].permute(2, 3, 1, 0).numpy(),
              "predictions/bias": np.zeros(1000)}  # fmt: skip
    np.savez(tmp_path / "b0.npz", **theirs)
    search = replace(TINY, start=str(tmp_path / "b0.npz"), momentum=0.02)
    told = []

    def learn(_, recipe, __, parent=None):
        told.append(parent)
        network = recipe.network()
        assert {layer.momentum for layer in network.modules() if isinstance(layer, torch.nn.BatchNorm2d)} == {0.02}
        return training.Learnt(network.state_dict(), [1.0] * recipe.epochs, {})

    monkeypatch.setattr(training, "learn", learn)
    training.bred_and_trained(search, Candidate(0, 0, None, ANCESTOR), None)
    parent = {"head.bias": torch.zeros(14)}
    training.bred_and_trained(search, Candidate(1, 1, 0, ANCESTOR), parent)
    assert told[1] is parent
    assert torch.equal(told[0]["stem.0.weight"], state["stem.0.weight"])
    narrow = training.network(ANCESTOR, 14, 0.5, 0.1).state_dict()
    taken = inherited(narrow, told[0])
    rows = len(narrow["stem.0.weight"])
    assert torch.equal(taken["stem.0.weight"], state["stem.0.weight"][:rows])
    name = "blocks.block1a.project.0.weight"
    rows, columns = narrow[name].shape[:2]
    assert torch.equal(taken[name], state[name][:rows, :columns])
    np.savez(tmp_path / "other.npz", **{"conv/kernel": np.zeros((3, 3, 3, 8))})
    with pytest.raises(WeightsError, match="holds no EfficientNet"):
        training.weights_of(tmp_path / "other.npz")


def test_a_search_of_before_goes_on_with_what_it_did_not_say(tmp_path):
    Folder(tmp_path).claim(TINY)
    said = json.loads((tmp_path / "search.json").read_text())
    del said["search"]["momentum"], said["search"]["start"]
    (tmp_path / "search.json").write_text(json.dumps(said))
    Folder(tmp_path).claim(TINY)
    with pytest.raises(ValueError, match=r"its momentum is 0\.1, not 0\.01"):
        Folder(tmp_path).claim(replace(TINY, momentum=0.01))
    assert AUTHORS.momentum == 0.01
