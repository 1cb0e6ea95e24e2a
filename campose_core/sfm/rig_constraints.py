"""Rigs in structure from motion: the images of one moment stay together, and known places give the scale in metres.

COLMAP's global mapper finds the scene at a scale of its own and cannot move a rig of fixed size to that scale. The
places of the cameras are therefore first estimated from the images, whether they are known or not. Known ones are
then compared with that (a wrong /tf_static shows here), the model takes their scale, and a last bundle adjustment holds
them fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from campose_core.errors import MappingError
from campose_core.geometry import Pose
from campose_core.landmark_map.colmap import adjust, load_pycolmap, model_poses, to_colmap_pose
from campose_core.rig import Rig, moments
from campose_core.scene.scene import Scene
from campose_core.sfm.report import RigReport
from campose_core.sfm.rig_calibration import RigScale, scale_from_rig, stamped_names

RIG_USES = ("known", "estimated", "none")
LINKING_PAIRS = 10  # verified pairs between two cameras, at different moments, that tell how they sit to each other
MAX_OFF_DEG = 3.0  # of a camera's known place from the estimated one: more is another mounting
MAX_OFF_M = 0.1


def keep_moments_together(chosen: dict[str, list[str]], scene: Scene) -> dict[str, list[str]]:
    """Return keyframe names by source, with those of a rig made whole.

    The reference camera decides: of the moments it has an image of, the chosen ones bring the images of the other
    cameras. What another camera took while the reference camera took nothing is chosen as before.
    """
    together = dict(chosen)
    for rig in scene.rigs.values():
        joined = [moment.images for moment in moments(stamped_names(scene, rig), rig.tolerance_ns)]
        wanted = set(chosen.get(rig.reference, ()))
        for camera in rig.cameras[1:]:
            own = set(chosen.get(camera, ()))
            names = [
                images[camera]
                for images in joined
                if camera in images
                and (images[rig.reference] in wanted if rig.reference in images else images[camera] in own)
            ]
            if camera in together:
                together[camera] = names
    return together


def rigs_of_keyframes(scene: Scene, keyframes: Mapping[str, list[str]], use: str) -> list[dict[str, Any]]:
    """Return what the stage `reconstruction` needs of the rigs: {rig, moments}, moments as lists of image names.

    use: `known` takes the cameras' places as they are known, `estimated` forgets them, `none` has no rigs.
    """
    if use == "none":
        return []
    chosen = {name for names in keyframes.values() for name in names}
    found = []
    for rig in scene.rigs.values():
        stamped = {
            camera: [(stamp, name) for stamp, name in frames if name in chosen]
            for camera, frames in stamped_names(scene, rig).items()
        }
        joined = [list(moment.images.values()) for moment in moments(stamped, rig.tolerance_ns)]
        if any(len(names) > 1 for names in joined):
            places = rig.rig_from_cam if use == "known" else dict.fromkeys(rig.cameras)
            found.append({"rig": replace(rig, rig_from_cam=places).to_dict(), "moments": joined})
    return found


def rig_pairs(rigs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return pairs of different cameras, of one moment and of the moments next to it: to match where views overlap."""
    pairs: set[tuple[str, str]] = set()
    for entry in rigs:
        joined = entry["moments"]
        for here, near in [*zip(joined, joined, strict=True), *pairwise(joined)]:
            crossing = ((a, b) for a in here for b in near if a.split("/")[0] != b.split("/")[0])
            pairs.update((min(pair), max(pair)) for pair in crossing)
    return sorted(pairs)


def write_rigs(database: str, rigs: list[dict[str, Any]], mapper: str) -> list[Rig]:
    """Tell COLMAP's database which cameras are one rig, and which images one moment; returns the rigs as written.

    A camera takes part whose images match another one's often enough to tell how they sit to each other; the others
    stay on their own. Global mapper: the places are left open. Incremental mapper: they must be known, and are fixed;
    where they are not, each camera stays on its own.
    """
    pycolmap = load_pycolmap()
    written = []
    with pycolmap.Database.open(database) as db:
        images = {image.name: image for image in db.read_all_images()}
        cameras = {name.split("/")[0]: image.camera_id for name, image in images.items()}
        linked = _linked_cameras(db)
        entries = []
        for entry in rigs:
            rig = Rig.from_dict(entry["rig"])
            members = {c: pose for c, pose in rig.rig_from_cam.items() if linked.get(c) == linked.get(rig.reference)}
            if len(members) < 2 or (mapper != "global" and any(pose is None for pose in members.values())):
                continue
            written.append(Rig(rig.frame, members, rig.tolerance_ns))
            entries.append([[n for n in names if n.split("/")[0] in members] for names in entry["moments"]])
        if not written and all(rig.num_sensors() == 1 for rig in db.read_all_rigs()):
            return []
        db.clear_frames()
        db.clear_rigs()
        alone = dict(images)
        for rig, joined in zip(written, entries, strict=True):
            places = {c: None if mapper == "global" else rig.reference_from_cam(c) for c in rig.cameras}
            rig_id = _write_rig(db, [cameras[camera] for camera in rig.cameras], list(places.values()))
            for names in joined:
                if names:
                    _write_frame(db, rig_id, [alone.pop(name) for name in names])
        write_frames(db, alone.values())
    return written


def write_frames(db: Any, images: Iterable[Any]) -> None:
    """Make each of these images of COLMAP's database, which are in no frame, one of its own: of a camera on no rig.

    Where there are no other rigs, their ids are those of the cameras and images, as in a model of `posed_model`.
    """
    first_rig = max((rig.rig_id for rig in db.read_all_rigs()), default=0)
    first_frame = max((frame.frame_id for frame in db.read_all_frames()), default=0)
    known: set[int] = set()
    for image in sorted(images, key=lambda image: image.name):
        rig_id = first_rig + image.camera_id
        if rig_id not in known:
            known.add(rig_id)
            _write_rig(db, [image.camera_id], [None], rig_id)
        _write_frame(db, rig_id, [image], first_frame + image.image_id)


def _write_rig(
    db: Any, camera_ids: list[int], reference_from_cams: list[Pose | None], rig_id: int | None = None
) -> int:
    """Write a rig whose first camera is the reference: the rig's frame is its own."""
    pycolmap = load_pycolmap()
    rig = pycolmap.Rig()
    rig.add_ref_sensor(_sensor(camera_ids[0]))
    for camera_id, pose in zip(camera_ids[1:], reference_from_cams[1:], strict=True):
        rig.add_sensor(_sensor(camera_id), None if pose is None else to_colmap_pose(pose.inverse()))
    if rig_id is None:
        return int(db.write_rig(rig))
    rig.rig_id = rig_id
    return int(db.write_rig(rig, use_rig_id=True))


def _write_frame(db: Any, rig_id: int, images: list[Any], frame_id: int | None = None) -> None:
    frame = load_pycolmap().Frame()
    frame.rig_id = rig_id
    for image in images:
        frame.add_data_id(image.data_id)
    if frame_id is None:
        db.write_frame(frame)
        return
    frame.frame_id = frame_id
    db.write_frame(frame, use_frame_id=True)


def _linked_cameras(db: Any) -> dict[str, int]:
    """Put sources whose images match each other's in groups, as numbers."""
    pycolmap = load_pycolmap()
    source = {image.image_id: image.name.split("/")[0] for image in db.read_all_images()}
    names = sorted(set(source.values()))
    ids, geometries = db.read_two_view_geometries()
    counts = np.zeros((len(names), len(names)))
    for pair_id, geometry in zip(ids, geometries, strict=True):
        if len(geometry.inlier_matches) >= pycolmap.IncrementalPipelineOptions().min_num_matches:
            a, b = (names.index(source[i]) for i in pycolmap.pair_id_to_image_pair(pair_id))
            counts[a, b] += 1
            counts[b, a] += 1
    return dict(zip(names, connected_components(coo_matrix(counts >= LINKING_PAIRS), directed=False)[1], strict=True))


def hold_rigs(model: Any, rigs: list[Rig], mapper: str) -> list[RigReport]:
    """Check the rigs of a COLMAP model against their known places, fix them there, and adjust the rest, in metres.

    A rig with an unknown place keeps what was estimated. Returns, for the report, how each rig fits.

    Raises:
        MappingError: the images contradict a known place.
    """
    if not rigs:
        return []
    if mapper != "global":  # it held them fixed: let go, to see whether the images agree
        _adjust(model, free=True)
    poses = model_poses(model)
    joined = [[model.image(data.id).name for data in frame.image_ids] for frame in model.frames.values()]
    fits = [(rig, scale_from_rig(poses, rig, joined)) for rig in rigs]
    known = [(rig, fit) for rig, fit in fits if fit is not None]
    for rig, fit in known:
        _refuse_contradiction(rig, fit)
    if known:
        pycolmap = load_pycolmap()
        scales = [fit.scale for _, fit in known if fit.scale is not None]
        scale = float(np.median(scales)) if scales else 1.0
        model.transform(pycolmap.Sim3d(scale, pycolmap.Rotation3d(), np.zeros(3)))
        for rig, _ in known:
            _fix(model, rig)
        _adjust(model, free=False)
    return [RigReport(rig.cameras, fit) for rig, fit in fits]


def _refuse_contradiction(rig: Rig, found: RigScale) -> None:
    for camera in found.off_m:
        if found.off_deg[camera] > MAX_OFF_DEG or found.off_m[camera] > MAX_OFF_M:
            raise MappingError(
                f"rig: by their images {camera} sits {found.off_deg[camera]:.1f} deg and {found.off_m[camera]:.2f} m "
                f"from where /tf_static puts it next to {rig.reference}: correct the transform (and see that the "
                "images' frame_id is the optical frame), or map with --rig estimated"
            )


def _fix(model: Any, rig: Rig) -> None:
    """Put the known places into the model."""
    camera_ids = {model.image(i).name.split("/")[0]: model.image(i).camera_id for i in model.reg_image_ids()}
    for colmap_rig in model.rigs.values():
        if colmap_rig.is_ref_sensor(_sensor(camera_ids.get(rig.reference, 0))):
            for camera in rig.cameras[1:]:
                place = rig.reference_from_cam(camera)
                if place is not None and camera in camera_ids:
                    colmap_rig.set_sensor_from_rig(_sensor(camera_ids[camera]), to_colmap_pose(place.inverse()))


def _adjust(model: Any, free: bool) -> None:
    adjust(model, refine_rigs=free, tolerance=1e-6)
    model.update_point_3d_errors()


def rig_text(rigs: list[dict[str, Any]], reports: list[RigReport]) -> str:
    """Say how the rigs given to the stage came out, for people."""
    lines = []
    for entry in rigs:
        cameras = list(entry["rig"]["rig_from_cam"])
        report = next((r for r in reports if r.cameras[0] == cameras[0]), None)
        apart = [c for c in cameras if report is None or c not in report.cameras]
        if report is None:
            lines.append(f"rig: {', '.join(apart)} are mapped each on its own: too few of their images match")
            continue
        if apart:
            lines.append(f"rig: {', '.join(apart)} mapped without the rig: too few images match the others'")
        if report.fit is not None:
            fit = report.fit
            off = ", ".join(f"{c} {fit.off_deg[c]:.2f} deg and {100 * off_m:.1f} cm" for c, off_m in fit.off_m.items())
            unit = "not in metres (the cameras sit at one place)" if fit.scale is None else "in metres"
            lines.append(f"rig: held as /tf_static has it, so the map is {unit}; the images alone put {off} off")
        else:
            lines.append(f"rig: the places of {', '.join(report.cameras)} were estimated; the scale is not metric")
    return "; ".join(lines)


def with_partners(blocks: list[list[str]], model: Any) -> list[list[str]]:
    """Return blocks of image names, each with all images of its moments; no image is in two of them."""
    of_frame: dict[int, list[str]] = {}
    frame_of = {}
    for i in model.reg_image_ids():
        image = model.image(i)
        of_frame.setdefault(image.frame_id, []).append(image.name)
        frame_of[image.name] = image.frame_id
    taken: set[int] = set()
    whole = []
    for block in blocks:
        frames = [f for f in dict.fromkeys(frame_of[name] for name in block) if f not in taken]
        taken.update(frames)
        whole.append([name for frame in frames for name in of_frame[frame]])
    return [block for block in whole if block]


def _sensor(camera_id: int) -> Any:
    pycolmap = load_pycolmap()
    return pycolmap.sensor_t(pycolmap.SensorType.CAMERA, camera_id)
