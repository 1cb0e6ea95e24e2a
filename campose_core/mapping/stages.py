"""The stages of structure from motion, each run in a child process by `campose_core.mapping.child`.

A stage takes its arguments from a JSON file and prints one JSON report on stdout; COLMAP's own chatter goes to stderr.
A fault that a person can cure is reported as {"refused": message}.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PilImage

from campose_core.camera import Camera, pixels_to_colmap
from campose_core.capture.image_codec import PILLOW_ERRORS
from campose_core.errors import CamposeError, MappingError
from campose_core.mapping.child import end_with_parent
from campose_core.mapping.colmap import from_colmap_camera, load_pycolmap
from campose_core.mapping.features import SiftExtractor, descriptors_to_bytes, descriptors_to_unit
from campose_core.mapping.held_out import hold_out
from campose_core.mapping.landmarks import landmarks_from_model
from campose_core.mapping.rig import hold_rigs, rig_pairs, write_rigs
from campose_core.mapping.triangulation import triangulation
from campose_core.mapping.vlad import Vlad

SEED = 0
SEQUENTIAL_OVERLAP = 10  # neighbours on either side, and in powers of two beyond
LOOP_NEIGHBOURS = 3  # most similar frames outside the sequence, per frame
MIN_INLIER_MATCHES = 15  # COLMAP's own bound for using a pair


def features(
    *, images: str, database: str, cameras: dict[str, dict[str, Any]], names: dict[str, list[str]]
) -> dict[str, Any]:
    """SIFT features of the keyframes; `cameras` and `names` are given per source, one shared camera each."""
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    pycolmap.Database.open(database).close()
    for source, fields in cameras.items():
        reader = pycolmap.ImageReaderOptions()
        model, _, _, params = Camera.from_dict(fields).to_colmap()
        reader.camera_model = model
        reader.camera_params = ",".join(map(repr, params))
        shared = {"image_names": names[source], "camera_mode": pycolmap.CameraMode.SINGLE}
        pycolmap.import_images(database, images, options=reader, **shared)
    extract, sift, counts = SiftExtractor(), pycolmap.FeatureExtractorType.SIFT, {}
    with pycolmap.Database.open(database) as db:
        for image in db.read_all_images():
            try:
                with PilImage.open(Path(images) / image.name) as file:
                    picture = np.asarray(file.convert("RGB"))
            except PILLOW_ERRORS:  # COLMAP has read no more than the header; it is named below
                continue
            found = extract(picture)
            db.write_keypoints(image.image_id, pixels_to_colmap(found.pixels).astype(np.float32))
            descriptors = descriptors_to_bytes(found.descriptors)
            db.write_descriptors(image.image_id, pycolmap.FeatureDescriptors(type=sift, data=descriptors))
            counts[image.name] = len(found.pixels)
            print(f"Extracted [{len(counts)}/", file=sys.stderr, flush=True)  # counted by the parent, as COLMAP's own
    wanted = {name for source in names.values() for name in source}
    unread = sorted(wanted - counts.keys())
    if unread:
        raise MappingError(f"{len(unread)} frames could not be read, the first: {Path(images) / unread[0]}")
    poor = [name for name, count in counts.items() if count < 50]
    if len(poor) > 0.5 * len(counts):
        raise MappingError(
            f"features: {len(poor)} of {len(counts)} frames show fewer than 50 features ({poor[0]} ...): too dark, "
            "too blurred or blank. Record in better light, more slowly, and with furniture or posters in view"
        )
    return {"frames": len(counts), "median_features": float(np.median(list(counts.values())))}


def matches(
    *, features: str, database: str, names: dict[str, list[str]], rigs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Matches of frames near in time, and of frames that look alike (loops), with two-view verification."""
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    shutil.copyfile(features, database)
    pairs: list[tuple[str, str]] = []
    for sequence in names.values():
        near = list(range(1, SEQUENTIAL_OVERLAP + 1)) + [2**k for k in range(4, SEQUENTIAL_OVERLAP)]
        pairs += [
            (sequence[i], sequence[i + step]) for i in range(len(sequence)) for step in near if i + step < len(sequence)
        ]
    pairs += rig_pairs(rigs or [])
    known = set(pairs)
    loops = [pair for pair in _loop_pairs(database, names) if pair not in known and pair[::-1] not in known]
    pair_file = Path(database).with_suffix(".pairs.txt")
    pair_file.write_text("".join(f"{a} {b}\n" for a, b in pairs + loops), encoding="utf-8")
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = str(pair_file)
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    pycolmap.match_image_pairs(database, pairing_options=pairing, verification_options=verification)
    with pycolmap.Database.open(database) as db:
        verified = _verified_pairs(db)
    loop_count = sum(1 for pair in loops if pair in verified or pair[::-1] in verified)
    return {
        "pairs": len(pairs) + len(loops),
        "verified": len(verified),
        "loops": len(loops),
        "verified_loops": loop_count,
    }


def reconstruction(
    *, images: str, database: str, model: str, mapper: str, rigs: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """Run the mapper and keep the largest model; says what the others held. `rigs`: see `rigs_of_keyframes`."""
    pycolmap = load_pycolmap()
    pycolmap.logging.minloglevel = 0
    pycolmap.set_random_seed(SEED)
    work = Path(model).with_suffix(".models")
    work.mkdir(parents=True, exist_ok=True)
    held = write_rigs(database, rigs or [], mapper)
    if mapper == "global":
        options = pycolmap.GlobalPipelineOptions()
        options.random_seed = SEED
        # One thread: several add up in the order in which they happen to finish, and a weak map follows the last bits.
        options.num_threads = options.mapper.num_threads = 1
        options.mapper.bundle_adjustment.ceres.solver_options.num_threads = 1
        models = pycolmap.global_mapping(database, images, str(work), options)
    else:
        options = pycolmap.IncrementalPipelineOptions()
        options.random_seed = SEED
        options.ba_refine_sensor_from_rig = False
        models = pycolmap.incremental_mapping(database, images, str(work), options)
    ranked = sorted(models.values(), key=lambda m: m.num_reg_images(), reverse=True)
    shutil.rmtree(work)
    if not ranked or ranked[0].num_points3D() < 50:
        _explain_failure(database, ranked)
    rig_reports = hold_rigs(ranked[0], held, mapper)
    Path(model).mkdir(parents=True)
    ranked[0].write(model)
    return {
        "registered": ranked[0].num_reg_images(),
        "landmarks": ranked[0].num_points3D(),
        "reprojection_px": ranked[0].compute_mean_reprojection_error(),
        "other_models": [m.num_reg_images() for m in ranked[1:]],
        "rigs": rig_reports,
        "cameras": {
            ranked[0].image(i).name.split("/")[0]: from_colmap_camera(ranked[0].image(i).camera).to_dict()
            for i in ranked[0].reg_image_ids()
        },
    }


def landmarks(*, database: str, model: str, out: str) -> dict[str, Any]:
    """The landmarks with one descriptor each, and the keyframes' poses and global descriptors, for localization."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        result = landmarks_from_model(pycolmap.Reconstruction(model), db)
    result.save(Path(out))
    return {"landmarks": len(result.xyz)}


def held_out(*, database: str, model: str, stamps_ns: dict[str, dict[str, int]], out: str) -> dict[str, Any]:
    """How well keyframes are found again in a map without them; `stamps_ns` by source and name."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        result = hold_out(Path(model), db, stamps_ns)
    result.save(Path(out))
    return {"held_out": result.report()}


def _loop_pairs(database: str, names: dict[str, list[str]]) -> list[tuple[str, str]]:
    """For each frame the most similar ones that are not its neighbours in time, and of other recordings (global
    descriptor, no vocabulary)."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        ids = {image.name: image.image_id for image in db.read_all_images()}
        ordered = [name for sequence in names.values() for name in sequence]
        local = [descriptors_to_unit(db.read_descriptors(ids[name]).data) for name in ordered]
    vlad = Vlad.fit(local, seed=SEED)
    table = np.stack([vlad.describe(descriptors) for descriptors in local])
    position = {name: (s, i) for s, sequence in enumerate(names.values()) for i, name in enumerate(sequence)}
    similarity = table @ table.T
    pairs = []
    for row, name in enumerate(ordered):
        source, index = position[name]
        # As many of other recordings too: what was recorded the same day looks more alike than the same place later.
        wanted = {"all": LOOP_NEIGHBOURS, "others": LOOP_NEIGHBOURS if len(names) > 1 else 0}
        for other in np.argsort(-similarity[row]):
            other_source, other_index = position[ordered[other]]
            if other_source == source and abs(other_index - index) <= 2 * SEQUENTIAL_OVERLAP:
                continue
            if wanted["all"] > 0 or (wanted["others"] > 0 and other_source != source):
                pairs.append((name, ordered[other]))
                wanted["all"] -= 1
                wanted["others"] -= other_source != source
            if max(wanted.values()) <= 0:
                break
    return sorted({tuple(sorted(pair)) for pair in pairs})


def _verified_pairs(db: Any) -> set[tuple[str, str]]:
    names = {image.image_id: image.name for image in db.read_all_images()}
    ids, geometries = db.read_two_view_geometries()
    pycolmap = load_pycolmap()
    verified = set()
    for pair_id, geometry in zip(ids, geometries, strict=True):
        if len(geometry.inlier_matches) >= MIN_INLIER_MATCHES:
            a, b = pycolmap.pair_id_to_image_pair(pair_id)
            verified.add((names[a], names[b]))
    return verified


def _explain_failure(database: str, ranked: list[Any]) -> None:
    """Why there is no usable model, from what the database holds."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        verified = _verified_pairs(db)
        _, geometries = db.read_two_view_geometries()
        frames = db.num_images()
    if len(verified) < max(3, frames // 4):
        raise MappingError(
            f"matching: only {len(verified)} pairs among {frames} frames share {MIN_INLIER_MATCHES} or more features: "
            "the frames do not overlap. Record a continuous walk, slowly, or extract at a higher --fps"
        )
    geometry_types = pycolmap.TwoViewGeometryConfiguration
    flat = (geometry_types.PLANAR, geometry_types.PANORAMIC, geometry_types.PLANAR_OR_PANORAMIC)
    rotating = sum(geometry.config in flat for geometry in geometries) / max(1, len(geometries))
    best = f"the largest model holds {ranked[0].num_reg_images()} frames" if ranked else "no model came out"
    raise MappingError(
        f"mapping: {best} of {frames}; {rotating:.0%} of the frame pairs are explained by rotation or one plane alone. "
        "The camera turned on the spot or looked at a bare wall: record while walking, with things at several depths"
    )


def grow(**arguments: Any) -> dict[str, Any]:
    """See `campose_core.mapping.map_growth.grow`."""
    from campose_core.mapping import map_growth

    return map_growth.grow(**arguments)


STAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "features": features,
    "matches": matches,
    "reconstruction": reconstruction,
    "triangulation": triangulation,
    "landmarks": landmarks,
    "held_out": held_out,
    "grow": grow,
}


def main() -> None:
    stage, arguments_file, parent = sys.argv[1:]
    end_with_parent(int(parent))
    # Native code may print on stdout: keep a private copy of it for the report, and send the rest to stderr.
    report = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        result = STAGES[stage](**json.loads(Path(arguments_file).read_text(encoding="utf-8")))
    except CamposeError as error:
        result = {"refused": str(error)}
    json.dump(result, report)
    report.flush()
    os._exit(0)  # COLMAP's static destructors have been seen to hang; everything is on disk by now


if __name__ == "__main__":
    main()
