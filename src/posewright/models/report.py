"""What fits and what does not when foreign weights meet a network: names and shapes alone, no numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Renames = Sequence[tuple[str, str]]
BOOKKEEPING = "num_batches_tracked"  # batch normalisation's counter, which files before PyTorch 0.4.1 lack
SHOWN = 3
DEEPEST = 3
"""How many wrappers may stand around a network in a file."""


class WeightsError(ValueError):
    """Weights cannot be fetched, read or loaded; the message is one line and says why."""


@dataclass(frozen=True)
class Report:
    """Say what of a file went into a network.

    matched: our name -> the file's; missing: ours that the file lacks; unused: the file's that the
    network has no place for; misfits: what has a place but another shape, one sentence each;
    zeros: our biases of layers that have none there, which are 0 now; turned: the file's convolutions that take
    blue first there, and red first now; prefix: what stands before all names there; others: more sets of weights in
    the file, which were not taken; answer: what the network made of the self-test picture.
    """

    source: str
    matched: Mapping[str, str]
    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    misfits: tuple[str, ...] = ()
    zeros: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    prefix: str = ""
    others: tuple[str, ...] = ()
    answer: str = "not asked"

    def __str__(self) -> str:
        wanted = len(self.matched) + len(self.missing) + len(self.misfits)
        return "\n".join([
            self.source,
            f"  matched    {len(self.matched)} of {wanted}",
            f"  missing    {listed(self.missing)}",
            f"  unused     {listed(self.unused)}",
            f"  misfits    {listed(self.misfits)}",
            *([f"  behind     {self.prefix}"] if self.prefix else []),
            *([f"  left out   more weights: {listed(self.others)}"] if self.others else []),
            *([f"  set to 0   {listed(self.zeros)}"] if self.zeros else []),
            *([f"  to RGB     {listed(self.turned)}"] if self.turned else []),
            f"  self-test  {self.answer}",
        ])  # fmt: skip


def listed(names: Sequence[str]) -> str:
    """Count names and show the first of them.

    >>> listed(["fc.weight", "fc.bias"]), listed("abcde"), listed([])
    ('2: fc.weight, fc.bias', '5: a, b, c, and 2 more', 'none')
    """
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)}: {', '.join(names[:SHOWN])}{more}" if names else "none"


def renamed(key: str, renames: Renames) -> str:
    """Translate a name with each (pattern, replacement) in turn, as `re.sub` does.

    Wrappers that PyTorch puts around a network (`module.`, `_orig_mod.`) are taken off first.

    >>> renamed("module.final_layer.bias", [(r"^final_layer", "head")])
    'head.bias'
    """
    key = re.sub(r"^((module|_orig_mod)\.)+", "", key)
    for pattern, replacement in renames:
        key = re.sub(pattern, replacement, key)
    return key


def compare(source: str, own: Mapping[str, str], found: Mapping[str, str], renames: Renames) -> Report:
    """Match a file's parameters with a network's by name; both map names to shapes, written out.

    A counter of batch normalisation is taken where it fits and never missed.

    >>> print(compare("a.pth", {"head.bias": "(17,)"}, {"final_layer.bias": "(16,)"}, [("final_layer", "head")]))
    a.pth
      matched    0 of 1
      missing    none
      unused     none
      misfits    1: head.bias is (16,) there and (17,) here
      self-test  not asked
    """
    matched: dict[str, str] = {}
    unused, misfits, seen = [], [], dict[str, str]()
    for theirs, shape in found.items():
        ours = renamed(theirs, renames)
        fits = own.get(ours) == shape
        if ours in own and ours in seen:
            misfits.append(f"{ours} stands there twice, as {seen[ours]} and {theirs}")
        elif fits:
            matched[ours] = theirs
        elif ours in own and not ours.endswith(BOOKKEEPING):
            misfits.append(f"{ours} is {shape} there and {own[ours]} here")
        else:
            unused.append(theirs)
        seen.setdefault(ours, theirs)
    missing = [name for name in own if name not in seen and not name.endswith(BOOKKEEPING)]
    return Report(source, matched, tuple(missing), tuple(unused), tuple(misfits))


def prefix_in(own: Mapping[str, str], found: Mapping[str, str], renames: Renames) -> str:
    """Return what stands before all names of a file, as a wrapper of one's own puts it; "" where names fit as they are.

    >>> prefix_in({"head.bias": "(17,)"}, {"net.model.head.bias": "(17,)", "loss.weight": "()"}, ())
    'net.model.'
    """

    def fitting(prefix: str) -> int:
        inside = (name for name in found if name.startswith(prefix))
        return sum(own.get(renamed(name.removeprefix(prefix), renames)) == found[name] for name in inside)

    parts = [name.split(".") for name in found]
    prefixes = dict.fromkeys(".".join(some[:n]) + "." for n in range(1, DEEPEST + 1) for some in parts if len(some) > n)
    best = max(prefixes, key=fitting, default="")
    return best if fitting(best) > fitting("") else ""
