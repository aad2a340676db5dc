"""Foreign weights into our networks: read without running anything, compared, refused where they do not fit."""

from __future__ import annotations

import re
from codecs import utf_8_decode
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from posewright.models.caffe import read_caffe
from posewright.models.keras import from_keras, is_keras, read_hdf5
from posewright.models.original import Orders, original_of
from posewright.models.pixels import Normal
from posewright.models.report import Renames, Report, WeightsError, compare, listed, prefix_in, renamed
from posewright.models.unpickle import unpickled

ENVELOPES = ("state_dict", "model_state_dict", "model", "network", "net", "module", "weights", "params", "state",
             "ema", "model_ema", "ema_state_dict", "state_dict_ema", "ema_model")  # fmt: skip
"""Where training programs put the weights, the likeliest first."""


def load_into(
    model: nn.Module,
    source: str | Path | Mapping[str, Any],
    renames: Renames = (),
    orders: Orders = (),
    *,
    partial: bool = False,
    skip: str | None = None,
    unbiased: str | None = None,
    blue_first: str | None = None,
    size: tuple[int, int] = (192, 256),
) -> Report:
    """Put weights into a network and let it answer one self-test picture.

    source: a .pth, .pt, .safetensors, .npz (of PyTorch's names or Keras's), .h5 (Keras's) or .caffemodel file, or what
    such a file holds.
    renames, orders, unbiased: as in `Original`. partial: a file may lack parameters, as one of a backbone alone does;
    they stay as they are. skip: a pattern of our names to leave out on both sides, as `"head"` for another skeleton's.
    blue_first: a pattern of the file's convolutions that take blue first, which are turned. size (width, height) px of
    the self-test picture.

    Raises WeightsError where the file cannot be read, does not fit or gives a senseless answer; the
    network is then as it was before. What the file has beyond the network's needs is reported as unused.
    """
    name = "state dict" if isinstance(source, Mapping) else str(source)
    content = source if isinstance(source, Mapping) else read(Path(source))
    own = model.state_dict()
    state, prefix = unwrapped(weights_in(content, name), own, renames)
    wanted = {key: shape(value) for key, value in own.items() if not (skip and re.match(skip, key))}
    report = compare(name, wanted, {key: shape(value) for key, value in state.items()}, renames)
    report = replace(report, prefix=prefix, others=others_in(content))
    report = mended(report, state, unbiased, blue_first)
    refuse(report, wanted, partial)
    before = {key: value.clone() for key, value in own.items()}
    taken = {ours: ordered(state[theirs], theirs, orders) for ours, theirs in report.matched.items()}
    taken |= {ours: value.flip(1) for ours, value in taken.items() if report.matched[ours] in report.turned}
    model.load_state_dict(taken | {ours: torch.zeros_like(own[ours]) for ours in report.zeros}, strict=False)
    try:
        return replace(report, answer=self_test(model, size))
    except WeightsError as error:
        model.load_state_dict(before)
        raise WeightsError(f"{name}: {error}") from None


def load_original(
    model: nn.Module, source: str | Path | Mapping[str, Any], *, partial: bool = False, skip: str | None = None,
    size: tuple[int, int] = (192, 256),
) -> tuple[Report, Normal]:  # fmt: skip
    """Put foreign weights into a network as its model's file says, and return how they see pictures.

    The first of its `ORIGINAL`'s sources counts whose mark stands in the weights. Raises as `load_into`.
    """
    paper = original_of(model)
    name = "state dict" if isinstance(source, Mapping) else str(source)
    content = source if isinstance(source, Mapping) else read(Path(source))
    state, prefix = unwrapped(weights_in(content, name), model.state_dict(), paper.renames)
    found = next((one for one in paper.sources if any(re.match(one.mark, renamed(key, ())) for key in state)), None)
    try:
        report = load_into(
            model, state, paper.renames, paper.orders, partial=partial, skip=skip,
            unbiased=paper.unbiased, blue_first=found.blue_first if found else None, size=size,
        )  # fmt: skip
    except WeightsError as error:
        raise WeightsError(f"{name}: {str(error).removeprefix('state dict: ')}") from None
    report = replace(report, source=name, prefix=prefix, others=others_in(content))
    return report, found.normal if found else paper.normal


def mended(report: Report, state: Mapping[str, Tensor], unbiased: str | None, blue_first: str | None) -> Report:
    """Say which of the missing biases are to be 0, and which convolutions are to be turned."""
    lone = (key for key in report.missing if unbiased and re.match(unbiased, key))
    zeros = tuple(key for key in lone if f"{key.removesuffix('bias')}weight" in report.matched)
    looking = (key for key in report.matched.values() if blue_first and re.match(blue_first, renamed(key, ())))
    turned = tuple(key for key in looking if state[key].dim() == 4)
    missing = tuple(key for key in report.missing if key not in zeros)
    return replace(report, missing=missing, zeros=zeros, turned=turned)


def ordered(value: Tensor, name: str, orders: Orders) -> Tensor:
    """Put the outputs of a file's parameter into our order.

    >>> ordered(torch.tensor([5, 6, 7]), "final.bias", [("final", (2, 0, 1))])
    tensor([7, 5, 6])
    """
    for pattern, order in orders:
        if re.match(pattern, name):
            value = value[list(order)]
    return value


def refuse(report: Report, wanted: Mapping[str, str], partial: bool) -> None:
    """Raise WeightsError where a file does not fit."""
    if report.misfits:
        raise WeightsError(f"{report.source}: does not fit; {listed(report.misfits)}")
    if not report.matched:
        raise WeightsError(
            f"{report.source}: nothing fits; it has {listed(report.unused)}; the network needs {listed([*wanted])}"
        )
    if report.missing and not partial:
        lacking = listed([f"{key} {wanted[key]}" for key in report.missing])
        raise WeightsError(f"{report.source}: lacks {lacking}; a part of a network loads with partial=True")


def read(path: Path) -> Any:
    """Read a file of weights without running anything in it; raises WeightsError with the reason."""
    if not path.is_file():
        raise WeightsError(f"{path}: {'a folder, not a file' if path.is_dir() else 'no such file'}")
    with path.open("rb") as file:
        beginning = file.read(60)
    if not beginning:
        raise WeightsError(f"{path}: an empty file")
    if _is_text(beginning):
        raise WeightsError(f"{path}: a text that begins {beginning.decode(errors='ignore')!r}, not weights")
    try:
        return READERS.get(path.suffix, unpickled)(path)
    except ImportError as error:
        raise WeightsError(f"{path}: {error}") from None
    except Exception as error:  # whatever a damaged file makes the readers stumble over
        raise WeightsError(f"{path}: {_reason(error)}") from None


def _is_text(beginning: bytes) -> bool:
    try:
        letters, _ = utf_8_decode(beginning)  # a letter cut in two at the end is left out
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter.isspace() for letter in letters)


def _safe(path: Path) -> dict[str, Tensor]:
    """Read safetensors."""
    from safetensors.torch import load_file

    return load_file(path)


def _arrays(path: Path) -> dict[str, Tensor]:
    """Read an archive of numpy's arrays, named by Keras or by PyTorch."""
    with np.load(path, allow_pickle=False) as content:
        arrays = dict(content)
    return from_keras(arrays) if is_keras(arrays) else {name: torch.from_numpy(array) for name, array in arrays.items()}


READERS: dict[str, Callable[[Path], Any]] = {
    ".safetensors": _safe,
    ".npz": _arrays,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    ".caffemodel": read_caffe,
}
"""By a file's ending; all others are read as PyTorch's."""


def _reason(error: Exception) -> str:
    """Say in one line why a file was not read."""
    text = str(error)
    foreign = re.search(r"GLOBAL (\w[\w.]*\w)|<class '([^']+)'>", text)
    if foreign:
        name = foreign[1] or foreign[2]
        return f"refused, for it asks for {name} while it is read; a state dict saved alone asks for nothing"
    told = re.search(r"WeightsUnpickler error:\s*(.+)", text)
    first = told[1] if told else re.split(r"\. |\n", text.strip())[0]
    return f"cut off, damaged or not weights ({first[:160] or type(error).__name__})"


def weights_in(content: Any, name: str) -> dict[str, Tensor]:
    """Take the tensors out of the envelopes that training programs put around them; `name` is for the error."""
    while isinstance(content, Mapping):
        inner = next((content[key] for key in ENVELOPES if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            return {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
        content = inner
    raise WeightsError(f"{name}: a {type(content).__name__}, not a state dict of names and tensors")


def others_in(content: Any) -> tuple[str, ...]:
    """Name the sets of weights that a file holds beside the one that `weights_in` takes."""
    if not isinstance(content, Mapping):
        return ()
    inside = [key for key in ENVELOPES if isinstance(content.get(key), Mapping)]
    tensors = [key for key in inside if any(isinstance(value, Tensor) for value in content[key].values())]
    return (
        tuple(tensors[1:])
        if inside and tensors and tensors[0] == inside[0]
        else others_in(content[inside[0]])
        if inside
        else ()
    )


def unwrapped(state: dict[str, Tensor], own: Mapping[str, Tensor], renames: Renames) -> tuple[dict[str, Tensor], str]:
    """Take off what a program puts before all names of a network; return the weights and that prefix."""
    shapes, wanted = ({key: shape(value) for key, value in some.items()} for some in (state, own))
    prefix = prefix_in(wanted, shapes, renames)
    inside = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    return inside, prefix


def shape(value: Tensor) -> str:
    """Write out a tensor's shape, and its type where that is not a real number.

    >>> shape(torch.zeros(17, 256)), shape(torch.tensor(0))
    ('(17, 256)', '() int64')
    """
    kind = "" if value.is_floating_point() else " " + str(value.dtype).removeprefix("torch.")
    return f"{tuple(value.shape)}{kind}"


def self_test(model: nn.Module, size: tuple[int, int]) -> str:
    """Describe the answer to a picture of waves, or to what the network's `trial` returns, where it takes no pictures.

    Raises WeightsError where it is not finite or constant.
    """
    place = next(model.parameters())
    x, y = torch.arange(size[0]).expand(size[1], -1), torch.arange(size[1])[:, None].expand(-1, size[0])
    picture = torch.stack([torch.sin(x / 7), torch.cos(y / 9), torch.sin((x + y) / 11)])
    training = model.training
    try:
        with torch.inference_mode():
            asked = model.trial() if hasattr(model, "trial") else picture[None]  # type: ignore[operator]
            stages = model.eval()(asked.to(place))
    finally:
        model.train(training)
    parts = [part.float() for part in stages[-1] if isinstance(part, Tensor) and part.dim() > 1]
    if not all(part.isfinite().all() for part in parts):
        raise WeightsError("the network's answer to the self-test picture is not finite")
    spreads = [(part.amax((-2, -1)) - part.amin((-2, -1))).max() for part in parts]
    if not any(spread > 1e-6 * part.abs().max() for spread, part in zip(spreads, parts, strict=True)):
        raise WeightsError("the network's answer to the self-test picture is constant")
    return ", ".join(f"{tuple(part.shape)} from {part.min():.3g} to {part.max():.3g}" for part in parts)
