"""Results that are kept in a folder, and computed anew only when what they were made from changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from campose_core.files import replacing

INPUTS, RESULT = "inputs.json", "result.json"


def kept(folder: Path, inputs: dict[str, Any], compute: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """What `compute` says of a new folder, which takes the place of `folder` with what it wrote into it.

    inputs: everything that the result depends on, as JSON: digests, parameters, the version of the method. Where
    `folder` was made from the same, its result is read, and nothing is computed. A fault of `compute` is not kept.
    """
    known = json.loads(json.dumps(inputs, sort_keys=True))
    before = folder / INPUTS
    if before.is_file() and json.loads(before.read_text(encoding="utf-8")) == known:
        result: dict[str, Any] = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        return result
    with replacing(folder) as beside:
        beside.mkdir()
        result = compute(beside)
        (beside / RESULT).write_text(json.dumps(result), encoding="utf-8")
        (beside / INPUTS).write_text(json.dumps(known), encoding="utf-8")
    return result


def digest_of_files(files: Iterable[Path]) -> str:
    """Changes with the name, the order or the content of a file."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with open(file, "rb") as opened:
            while block := opened.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()[:16]


def digest_of(value: Any) -> str:
    """Of anything that JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
