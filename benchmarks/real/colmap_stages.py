"""COLMAP's stages, each in a child process with a time limit, since COLMAP aborts the process that it fails in.

python -m benchmarks.real.colmap_stages STAGE ARGUMENTS.json
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campose_core.camera import Camera
from campose_core.errors import MappingError
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.sfm.stage_process import end_with_parent

LONGEST_S = 4 * 3600.0


def run_stage(stage: str, log: Path, limit_s: float = LONGEST_S, **arguments: Any) -> dict[str, Any]:
    """The report of a stage.

    Raises:
        MappingError: it died or took longer than the limit.
    """
    arguments_file = log.with_suffix(".arguments")
    arguments_file.write_text(json.dumps(arguments), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.real.colmap_stages", stage, str(arguments_file), str(os.getpid())]
    with open(log, "wb") as output:
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=output, timeout=limit_s, check=False)
        except subprocess.TimeoutExpired as error:
            raise MappingError(f"COLMAP's {stage} took longer than {limit_s:.0f} s") from error
    if done.returncode:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise MappingError(f"COLMAP's {stage} ended with {done.returncode}: {''.join(last)[:200]}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def images(*, database: str, folder: str, groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Images and cameras into a database; see `groups_by_size`."""
    pycolmap = load_pycolmap()
    pycolmap.Database.open(database).close()
    for group in groups:
        options = {"image_names": group["names"], "camera_mode": pycolmap.CameraMode.SINGLE}
        pycolmap.import_images(database, folder, options=_reader(group), **options)
    return {}


def features(*, database: str, folder: str, groups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """SIFT as COLMAP has it by default."""
    pycolmap = load_pycolmap()
    for group in groups:
        options = {"image_names": group["names"], "camera_mode": pycolmap.CameraMode.SINGLE}
        pycolmap.extract_features(database, folder, reader_options=_reader(group), **options)
    return {}


def _reader(group: dict[str, Any]) -> Any:
    reader = load_pycolmap().ImageReaderOptions()
    if group["camera"]:
        model, _, _, params = Camera.from_dict(group["camera"]).to_colmap()
        reader.camera_model, reader.camera_params = model, ",".join(map(repr, params))
    if group["mask"]:
        reader.camera_mask_path = group["mask"]
    return reader


def match(*, database: str, pairs: str) -> dict[str, Any]:
    """Features of the pairs in a file matched and verified as COLMAP does by default."""
    pycolmap = load_pycolmap()
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = pairs
    pycolmap.match_image_pairs(database, pairing_options=pairing)
    return {}


def verify(*, database: str, pairs: str) -> dict[str, Any]:
    """Matches that are in the database already, verified."""
    load_pycolmap().verify_matches(database, pairs)
    return {}


def map_globally(*, database: str, folder: str, out: str) -> dict[str, Any]:
    return _written(load_pycolmap().global_mapping(database, folder, out), out)


def map_incrementally(*, database: str, folder: str, out: str, most_s: int) -> dict[str, Any]:
    """most_s: after which the mapper goes no further and keeps what it has."""
    pycolmap = load_pycolmap()
    options = pycolmap.IncrementalPipelineOptions()
    options.max_runtime_seconds = most_s
    return _written(pycolmap.incremental_mapping(database, folder, out, options), out)


def _written(models: dict[int, Any], out: str) -> dict[str, Any]:
    """The largest model in `out`/largest, and how many images each has."""
    ordered = sorted(models.values(), key=lambda model: model.num_reg_images(), reverse=True)
    if ordered:
        (Path(out) / "largest").mkdir()
        ordered[0].write(str(Path(out) / "largest"))
    return {"models": [model.num_reg_images() for model in ordered]}


STAGES = {stage.__name__: stage for stage in (images, features, match, verify, map_globally, map_incrementally)}


def main() -> None:
    stage, arguments_file, parent = sys.argv[1:]
    end_with_parent(int(parent))
    report = os.fdopen(os.dup(1), "w")  # COLMAP prints on stdout
    os.dup2(2, 1)
    load_pycolmap().logging.minloglevel = 0
    json.dump(STAGES[stage](**json.loads(Path(arguments_file).read_text(encoding="utf-8"))), report)
    report.flush()
    os._exit(0)  # its static destructors have been seen to hang


if __name__ == "__main__":
    main()
