"""Intrinsics in COLMAP's database that were only guessed: an estimate from the images, and one camera or several."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.intrinsics import lens_of
from campose_core.landmark_map.lens_switches import LensSwitch
from campose_core.sfm.colmap_database import SEED, write_pairs
from campose_core.sfm.rig_constraints import write_frames

FAR_OFF = 0.3  # of the logarithm of a guessed focal length


def with_estimated_focal_lengths(database: Path, guessed: Sequence[str], out: Path) -> bool:
    """Write `out`, a copy of the database in which the focal lengths of the guessed sources follow from its matches.

    Pairs are verified anew without a focal length, and the one that all fundamental matrices of a camera agree on best
    is taken (Sweeney et al., "Optimizing the viewing graph for structure-from-motion", ICCV 2015). False where they
    agree on none.
    """
    pycolmap = load_pycolmap()
    shutil.copyfile(database, out)
    with pycolmap.Database.open(out) as db:
        for camera_id in {i.camera_id for i in db.read_all_images() if i.name.split("/")[0] in guessed}:
            camera = db.read_camera(camera_id)
            camera.has_prior_focal_length = False
            db.update_camera(camera)
    _verify_again(out)
    calibration = pycolmap.ViewGraphCalibrationOptions()
    calibration.random_seed = SEED
    return bool(pycolmap.calibrate_view_graph(out, calibration))


def with_refined_guesses(database: Path, model: Any, guessed: Sequence[str], out: Path) -> bool:
    """Write `out`, a copy of the database with the cameras of a model made from it, if one that was guessed was far
    off; False where none was.

    From twice the focal length a kitchen came out 7 % too long, from 0.5 and 1.5 times it within 0.1 %.
    """
    pycolmap = load_pycolmap()
    shutil.copyfile(database, out)
    with pycolmap.Database.open(out) as db:
        of_guessed = {i.camera_id for i in db.read_all_images() if i.name.split("/")[0] in guessed}
        found = [camera for camera_id, camera in model.cameras.items() if camera_id in of_guessed]
        moved = [
            abs(float(np.log(camera.mean_focal_length() / db.read_camera(camera.camera_id).mean_focal_length())))
            for camera in found
        ]
        if max(moved, default=0.0) < FAR_OFF:
            return False
        for camera in found:
            db.update_camera(camera)
    _verify_again(out)
    return True


def _verify_again(database: Path) -> None:
    """Tell anew which matches of two images agree, with the cameras as they are now."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as db:
        names = {image.image_id: image.name for image in db.read_all_images()}
        ids, _ = db.read_two_view_geometries()
        pairs = [pycolmap.pair_id_to_image_pair(pair_id) for pair_id in ids]
        db.clear_two_view_geometries()
    pair_file = database.with_suffix(".pairs.txt")
    write_pairs(pair_file, [(names[a], names[b]) for a, b in pairs])
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    pycolmap.verify_matches(database, pair_file, verification)


def share_cameras(database: Path, sources: Sequence[str]) -> bool:
    """Tell whether some of the sources have one camera in the database."""
    with load_pycolmap().Database.open(database) as db:
        camera_of = {image.name.split("/")[0]: image.camera_id for image in db.read_all_images()}
    return len({camera_of[source] for source in sources}) < len(sources)


def with_own_cameras(database: Path, out: Path, switches: Sequence[LensSwitch] = ()) -> None:
    """Write `out`, a copy of a database without rigs in which each source has a camera of its own; with `switches` each
    further lens of one.
    """
    firsts = [switch.first for switch in switches]
    with _copy_without_frames(database, out) as db:
        own: dict[tuple[int, str], int] = {}
        for image in sorted(db.read_all_images(), key=lambda image: image.name):
            source, lens = image.name.split("/")[0], lens_of(image.name, firsts)
            if switches and lens == source:
                continue
            if (image.camera_id, lens) not in own:
                zoom = sum(z for first, z in switches if first.split("/")[0] == source and first <= image.name)
                is_free = not switches and image.camera_id not in own.values()
                own[image.camera_id, lens] = image.camera_id if is_free else _copied(db, image.camera_id, zoom)
            image.camera_id = own[image.camera_id, lens]
            db.update_image(image)


def with_cameras_of_lenses(database: Path, out: Path, cameras: Mapping[str, Any], switches: Sequence[str]) -> None:
    """Write `out`, a copy of a database without rigs in which images have the pycolmap cameras of their lenses.

    cameras: by `lens_of`, without an id; images of other lenses keep theirs. switches: first images by another lens.
    """
    with _copy_without_frames(database, out) as db:
        ids = {lens: int(db.write_camera(camera)) for lens, camera in cameras.items()}
        for image in sorted(db.read_all_images(), key=lambda image: image.name):
            image.camera_id = ids.get(lens_of(image.name, switches), image.camera_id)
            db.update_image(image)


@contextmanager
def _copy_without_frames(database: Path, out: Path) -> Iterator[Any]:
    """Open `out`, a copy of a database without rigs, for images to get other cameras; their frames are written then."""
    shutil.copyfile(database, out)
    with load_pycolmap().Database.open(out) as db:
        db.clear_frames()  # of the cameras before: images could not leave them
        db.clear_rigs()
        yield db
        write_frames(db, db.read_all_images())


def _copied(db: Any, camera_id: int, log_zoom: float) -> int:
    """Add a copy of a camera whose focal length is as much longer."""
    camera = db.read_camera(camera_id)
    params = np.array(camera.params)
    params[camera.focal_length_idxs()] *= np.exp(log_zoom)
    camera.params, camera.camera_id = params, load_pycolmap().INVALID_CAMERA_ID
    return int(db.write_camera(camera))
