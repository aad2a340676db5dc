"""A search's folder: what is known of every candidate, and the weights of those that may yet be parents.

search.json              the settings, which a folder keeps for good
candidates/00005.json    what became of a candidate; it is written last, so what has one is whole
weights/00005.safetensors
compared/ancestor-0.json
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from posewright.datasets.documents import read_json
from posewright.datasets.records import DataError, Record, record_of
from posewright.files import write_whole
from posewright.metrics.score import versions
from posewright.train.evolve.search import Search, Trained, plain, trained_in


@dataclass(frozen=True)
class Folder:
    """Keep a search in a folder."""

    path: Path

    def claim(self, search: Search) -> None:
        """Begin here, or make sure that what began here is the same but for its length; ValueError otherwise."""
        for name in ("candidates", "weights", "compared"):
            (self.path / name).mkdir(parents=True, exist_ok=True)
        file, now = self.path / "search.json", json.loads(json.dumps(asdict(search)))
        then = {**asdict(Search()), **_search(read(file))} if file.exists() else now
        other = [name for name in now if name != "generations" and then.get(name) != now[name]]
        if other:
            raise ValueError(
                f"{self.path}: holds another search, its {other[0].replace('_', ' ')} is {then.get(other[0])}, not "
                f"{now[other[0]]}; go on with the same, or name another folder"
            )
        write(file, {"search": now, "versions": versions() | {"torch": str(torch.__version__)}})

    def trained(self) -> list[Trained]:
        """List the candidates that are trained, by their numbers."""
        return [trained_in(read(file)) for file in sorted((self.path / "candidates").glob("[0-9]*.json"))]

    def keep(self, one: Trained, weights: Mapping[str, Tensor]) -> None:
        """Write a candidate's weights, then what became of it."""
        number = one.candidate.number
        file = self._weights(number)
        write_whole(file, save({name: value.contiguous() for name, value in weights.items()}))
        write(self.path / "candidates" / f"{number:05d}.json", plain(one))

    def weights(self, number: int | None) -> dict[str, Tensor] | None:
        """Return a candidate's weights; None of nobody."""
        if number is None:
            return None
        try:
            return load_file(self._weights(number))
        except (SafetensorError, OSError) as error:
            raise DataError(f"{self._weights(number)}: no weights, or damaged: {error}") from None

    def forget_all_but(self, kept: Container[int], trained: Sequence[Trained]) -> None:
        """Delete the weights of those that are no parents any more."""
        for one in trained:
            if one.candidate.number not in kept:
                self._weights(one.candidate.number).unlink(missing_ok=True)

    def _weights(self, number: int) -> Path:
        return self.path / "weights" / f"{number:05d}.safetensors"

    def compared(self, name: str) -> Path:
        """Name the file of one network of the comparison."""
        return self.path / "compared" / f"{name}.json"


def read(file: Path) -> Record:
    """Read a JSON object; raises DataError that names the file where it is none."""
    return record_of(read_json(file), str(file))


def _search(record: Record) -> dict[str, Any]:
    return dict(record_of(record.get("search"), f"{record.where}: search").fields)


def write(file: Path, content: Any) -> None:
    """Write a file of JSON, whole or not at all."""
    write_whole(file, json.dumps(content, indent=1).encode())
