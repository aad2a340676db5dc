"""Tables 3.2 and 3.3 of EpipolarPose in kind: what does a network learn from labels that geometry made?

    python benchmarks/epipolar_learning.py CMU_MOCAP.npz H36M_CAMERAS.json OUT

People of the synthetic world move as recorded people did, before Human3.6M's real cameras of subject 1, in pictures of
320 px: subjects 1, 5, 6, 7, 8 by the training motions, 9 and 11 by the test motions, each one body in one dress. The
default network is the frozen 2D branch: it labels the training pictures, and its features (128x128 px, pooled to
16x16) are what every student sees. A student is a head of 0.3 M parameters with volumes of 16x16x16: fs and s1 learn
the truth (of everybody, of subject 1), ss and ss_without_r the labels, ss_weighted those of all views, weighed by their
covariance; all take as many steps, without augmentation. Refinement units learn from each student's poses of subject
1, or of everybody, and the true ones. So this says how labels matter, not how good EpipolarPose is.

Everything lies in OUT and a second run goes on where the first stopped. Numbers are of subjects 9 and 11, at the root's
true distance; intervals and differences are over sequences of the test split.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from epipolar_world import SEEN, chosen, draw, read, real_cameras, subjects

from posewright import load
from posewright.codecs.depth import lifted
from posewright.codecs.integral import Integral
from posewright.datasets.labels import with_labels
from posewright.datasets.views import poses_of
from posewright.estimators.runtimes.checks import checked
from posewright.fields import Coordinates
from posewright.metrics.threed.mpjpe import mpjpe
from posewright.metrics.threed.poses import Poses
from posewright.metrics.threed.pss import find_centres, pss
from posewright.metrics.threed.sequences import over_sequences, paired_over_sequences
from posewright.recipes.epipolar_pose import in_view
from posewright.recipes.losses import smooth_absolute_error
from posewright.scene import region, take
from posewright.verbs.label import label_to

CROP, DEPTH = (128, 128), 16
TRAIN, TEST, INSTANTS = (1, 5, 6, 7, 8), (9, 11), 80
WAYS = ("fs", "s1", "ss", "ss_without_r", "ss_weighted")
NUMBERS = ("MPJPE", "NMPJPE", "PMPJPE")
RATE, BATCH, STEPS = 2e-3, 32, 600


class WithPelvis:
    """The default network, and the middle of the hips as pelvis."""

    skeleton = SEEN

    def __init__(self):
        self.estimator = load("default")

    def many(self, images, boxes):
        hips = [self.estimator.skeleton.index(f"{side}_hip") for side in ("left", "right")]
        for people in self.estimator.many(images, boxes):
            yield [replace(one, keypoints=np.concatenate([one.keypoints, one.keypoints[hips].mean(0)[None]]),
                           scores=np.append(one.scores, one.scores[hips].min()), visible=None)
                   for one in people]  # fmt: skip


def trunk():
    """The default network's features: a quarter pooled by two, and a sixteenth (B, 256, 16, 16)."""
    import torch
    from torch.nn.functional import avg_pool2d

    from posewright.estimators.embedded import embedded_file
    from posewright.estimators.runtimes.torch import weights_of
    from posewright.models.compact import compact, doubled
    from posewright.models.pixels import FromPixels

    network = compact()
    path = embedded_file("default")
    network.load_state_dict(weights_of(path))
    normal = checked(path)[0].normal
    eyes = FromPixels(network, normal["mean"], normal["std"]).eval()

    @torch.inference_mode()
    def features(pixels):
        seen = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - eyes.mean) / eyes.std
        fine, coarse = network.features(seen)
        return torch.cat([avg_pool2d(fine, 2), doubled(coarse)], 1).half()

    return features


def shown(features, scenes):
    """Features and targets of scenes whose people have depths, in crops of 2 m about their roots."""
    import torch

    codec, seen, people = Integral(SEEN, CROP), [], []
    for start in range(0, len(scenes), 32):
        crops = []
        for scene in scenes[start : start + 32]:
            center, extent = region(scene.people[0].box)
            crops.append(take(scene, Integral.around(center, extent, CROP)))
        seen.append(features(np.stack([crop.pixels for crop in crops])))
        people += [crop.people[0] for crop in crops]
    return torch.cat(seen), codec.encode(people)


def head():
    """What a student learns: from features to volumes."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(256, 96, 1), nn.BatchNorm2d(96), nn.ReLU(), nn.Conv2d(96, 128, 3, padding=1), nn.BatchNorm2d(128),
        nn.ReLU(), nn.Conv2d(128, len(SEEN) * DEPTH, 1)
    )  # fmt: skip


def answer(student, seen):
    from posewright.fields import Volume
    from posewright.models.integral_pose import soft_argmax

    return soft_argmax(Volume(student(seen.float()).unflatten(1, (len(SEEN), DEPTH))))


def learn(out, way, features):
    """Train a student, or load it."""
    import torch

    path, student = out / f"student_{way}.pt", head()
    if path.is_file():
        student.load_state_dict(torch.load(path, weights_only=True))
        return student.eval()
    torch.manual_seed(0)
    student = head().train()
    seen, target = shown(features, scenes_of(out, way))
    places, deep, weights = (torch.from_numpy(getattr(target, name)) for name in ("places", "deep", "weights"))
    optimiser = torch.optim.Adam(student.parameters(), RATE)
    draw = torch.Generator().manual_seed(0)
    losses = []
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 + np.cos(np.pi * step / STEPS)) / 2
        rows = torch.randint(len(seen), (BATCH,), generator=draw)
        optimiser.zero_grad()
        true = Coordinates(places[rows], None, deep[rows], weights[rows])
        loss = smooth_absolute_error([answer(student, seen[rows])], true)
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
        if step % 100 == 99:
            print(f"{way} step {step + 1} loss {np.mean(losses[-100:]):.4f}", flush=True)
    torch.save(student.state_dict(), path)
    return student.eval()


def poses_by(student, features, scenes):
    """A student's poses (N, K, 3) in the cameras' frames, at the root's true distance."""
    import torch

    codec, root, found = Integral(SEEN, CROP), SEEN.index("pelvis"), []
    aimed = in_view(scenes)
    seen, _ = shown(features, aimed)
    with torch.inference_mode():
        for start in range(0, len(aimed), 64):
            said = answer(student, seen[start : start + 64])
            for one, scene in zip(codec.decode(said._replace(places=said.places.numpy(), scores=None)),
                                  aimed[start : start + 64], strict=True):  # fmt: skip
                true = scene.people[0]
                warp = Integral.around(*region(true.box), CROP).inverse(scene.size)
                distance = scene.camera.view(true.points3d[root])[2]
                found.append(lifted(one.moved(warp, SEEN), scene.camera, distance, root))
    return np.array(found)


def labels(out, scenes):
    """Write what geometry makes of the 2D network's answers, in three ways."""
    ways = {"ss": {}, "ss_without_r": {"known": False}, "ss_weighted": {"weighted": True}}
    estimator = None
    for way, how in ways.items():
        path = out / f"labels_{way}.npz"
        if not path.is_file():
            estimator = estimator or WithPelvis()
            print(label_to(path, scenes, estimator, "benchmark", **how), flush=True)
        taught, true = with_labels(scenes, path, SEEN), poses_of(scenes)
        places = {str(scene.id): n for n, scene in enumerate(scenes)}
        some = [places[str(scene.id)] for scene in taught]
        error = mpjpe(
            poses_of(taught), replace(true, xyz=true.xyz[some], sequence=true.sequence[some], action=true.action[some])
        )
        print(f"labels {way}: " + "  ".join(f"{name} {error[name]:.2f}" for name in NUMBERS), flush=True)


def scenes_of(out, way):
    """What a student learns from, with depths."""
    if way == "s1":
        return in_view(read(out, ["S1"]))
    everybody = read(out, subjects(TRAIN))
    return in_view(everybody if way == "fs" else with_labels(everybody, out / f"labels_{way}.npz", SEEN))


def told(found, truth, centres):
    """Numbers with their intervals."""
    error, kind = mpjpe(found, truth), pss(found, truth, centres)
    ends = over_sequences(error, 2_000) | over_sequences(kind, 2_000)
    return error, kind, {name: (value, *ends[name]) for score in (error, kind) for name, value in score.items()
                         if name in (*NUMBERS, "PSS@50", "PSS@100")}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("motion", "cameras", "out"):
        parser.add_argument(name)
    asked = parser.parse_args()
    out, cameras = Path(asked.out), real_cameras(asked.cameras)
    for n in (*TRAIN, *TEST):
        draw(out, f"S{n}", *chosen(asked.motion, int(n in TEST), n, INSTANTS), cameras, n)
    labels(out, read(out, subjects(TRAIN)))
    test = read(out, subjects(TEST))
    tables(out, test, learnt(out, test))


def learnt(out, test):
    """Each student's poses of the test people and of all that were learnt from, kept on disk."""
    answers, features = {}, trunk()
    for way in WAYS:
        path = out / f"answers_{way}.npz"
        if not path.is_file():
            student = learn(out, way, features)
            kept = {name: poses_by(student, features, scenes)
                    for name, scenes in (("test", test), ("train", read(out, subjects(TRAIN))))}  # fmt: skip
            np.savez_compressed(path, **kept)
        with np.load(path) as file:
            answers[way] = {name: file[name] for name in file}
    return answers


def by_motion(poses):
    """Sequences by the motion alone, without the body that does it."""
    return replace(poses, sequence=np.array([str(name).partition("/")[2] for name in poses.sequence]))


def tables(out, test, answers):
    """Print both tables, and paired differences of neighbours."""
    from posewright.train.refinement import train_refinement

    train = read(out, subjects(TRAIN))
    truth, seen = by_motion(poses_of(test)), poses_of(train)
    first = np.array([str(scene.id).startswith("S1/") for scene in train])
    centres = find_centres(seen, made_of="training subjects, camera frames")
    scored, rows = {}, {}
    for way in WAYS:
        given = answers[way]["train"]
        ways = {way: answers[way]["test"]}
        for name, some in (("S1", first), ("everybody", np.ones(len(first), bool))):
            about = (SEEN, seen.sequence[some], seen.action[some])
            unit = train_refinement(Poses(given[some], *about), Poses(seen.xyz[some], *about), epochs=40, width=256)
            ways[f"{way} + unit of {name}"] = unit(replace(truth, xyz=answers[way]["test"])).xyz
        for name, xyz in ways.items():
            *scored[name], rows[name] = told(replace(truth, xyz=xyz), truth, centres)
            print(f"{name:32s}" + "  ".join(
                f"{k} {v * s:.2f} [{a * s:.2f}, {b * s:.2f}]" for k, (v, a, b) in rows[name].items()
                for s in [100 if "PSS" in k else 1]), flush=True)  # fmt: skip
    pairs = [("s1", "fs"), ("ss", "s1"), ("ss_without_r", "ss"), ("ss_weighted", "ss")]
    pairs += [(f"{way} + unit of {name}", way) for way in WAYS for name in ("S1", "everybody")]
    for a, b in pairs:
        away = paired_over_sequences(scored[a][0], scored[b][0], 2_000)
        print(
            f"{a} - {b}: "
            + "  ".join(f"{k} {away[k].value:+.2f} [{away[k].low:.2f}, {away[k].high:.2f}]" for k in NUMBERS)
        )
    (out / "tables.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
