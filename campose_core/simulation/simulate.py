"""A rendered floor with exact ground truth: two drives as bags and videos, their trajectories, and the floor map.

    OUT/simulation.json    size, seed and format of what is here
    OUT/camera.json        the camera (pixel centres at integers)
    OUT/floor/             map.yaml + map.pgm, exact
    OUT/world.png          the floor from above with both drives
    OUT/mapping.bag/  mapping.mp4  mapping.tum      every room, both ways round
    OUT/later.bag/    later.mp4    later.tum        another path through the same rooms, later

Clock: a robot's simulated clock that starts at zero; the first frame is taken at 1 s. Bag, video and TUM file of a
drive share these stamps, so that one reference fits both recordings; a player shows the videos with a pause of one
second at the start. TUM files hold map_from_camera; in the map frame the floor is z = 0.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from PIL import Image as PilImage

from campose_core.bag.writer import CAMERA_FRAME, write_bag
from campose_core.camera import Camera
from campose_core.capture.sources.bag import BagRecording
from campose_core.capture.video_writer import write_video
from campose_core.errors import CaptureError, UsageError
from campose_core.extras import load_extra
from campose_core.files import replacing, write_text
from campose_core.frame import Frame, Image
from campose_core.geometry import Array, Pose
from campose_core.progress import track
from campose_core.simulation.building import build_world
from campose_core.simulation.drive import BASE_FROM_CAM, camera_trajectory, drifting_odometry, drive
from campose_core.simulation.render import Renderer, expose
from campose_core.simulation.top_view import draw_top_view
from campose_core.simulation.world import World
from campose_core.trajectory import Trajectory, write_tum

log = logging.getLogger(__name__)

FORMAT = 2  # raised when the same size and seed give another recording than before
DRIVES = ("mapping", "later")
OTHERS = ("camera.json", "floor", "world.png")  # what is written beside the drives
ODOMETRY_RATE_HZ = 20.0
BATCH = 32  # frames rendered ahead of the writer, at most

Draw = Callable[[Iterable[tuple[int, Pose]]], Iterable[Image]]


@dataclass(frozen=True)
class Preset:
    """How a world of some size is recorded: the camera, and how many images a second each drive has."""

    camera: Camera
    rates_hz: Mapping[str, float]


# A map needs no more of the demo's mapping drive than five images a second, and rendering them takes longest.
PRESETS = {
    "small": Preset(Camera("PINHOLE", 320, 240, (210.0, 210.0, 160.4, 118.9)), {"mapping": 4.0, "later": 4.0}),
    "demo": Preset(Camera("PINHOLE", 640, 480, (420.0, 420.0, 321.3, 238.4)), {"mapping": 5.0, "later": 10.0}),
}


def simulate(out: Path, size: str = "demo", seed: int = 0, with_videos: bool = True) -> None:
    """Write the recordings of the world (size, seed) into the folder `out`; what is there already stays.

    `small` is one room, 320x240, about 70 frames; `demo` is three rooms and a corridor, 640x480, about 700 frames.
    with_videos: the bags alone are enough for who reads bags.
    The same size and seed give the same frames on the same machine. What `out` holds of another world is replaced.

    Raises:
        UsageError: no such size, a negative seed, `out` is not a folder, or holds recordings that are not simulated.
        MissingDependency: pyvista, rosbags or PyAV is not installed.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: name a folder to write the recordings into")
    for module, extra in (("pyvista", "sim"), ("rosbags", "bag"), ("av", "map")):
        load_extra(module, extra)
    world = build_world(size, seed)
    preset = PRESETS[size]
    _claim(out, {"format": FORMAT, "size": size, "seed": seed})
    world.floor_map().save(out / "floor")
    write_text(out / "camera.json", json.dumps(_camera_fields(preset.camera)) + "\n")
    ways = {name: drive(world, name, preset.rates_hz[name]) for name in DRIVES}
    with replacing(out / "world.png") as beside:
        PilImage.fromarray(draw_top_view(world, ways)).save(beside, format="PNG")
    missing = [name for name in DRIVES if not (out / f"{name}.bag").is_dir()]
    if missing:
        log.info(f"simulate: drawing {len(world.surfaces)} surfaces")
        workers = min(2, os.cpu_count() or 1) if size == "demo" else 1
        with drawing(world, preset.camera, workers) as draw:
            for name in missing:
                log.info(f"simulate: {name}.bag, {len(ways[name])} frames")
                _record(out / f"{name}.bag", world, name, ways[name], preset, draw)
    for name, map_from_base in ways.items():
        video = out / f"{name}.mp4"
        if with_videos and not video.is_file():
            log.info(f"simulate: {name}.mp4")
            recording = BagRecording(out / f"{name}.bag")
            write_video(video, track(recording.frames(), f"{name}.mp4", total=len(map_from_base)))
        reference = out / f"{name}.tum"
        if not reference.is_file():  # a file as old as before: what was aligned to it need not be done again
            write_tum(reference, camera_trajectory(map_from_base))


def _claim(out: Path, wanted: dict[str, object]) -> None:
    """Make `out` the folder of this world: recordings of another one are removed before the new name stands there.

    Raises:
        UsageError: files that no simulation wrote have the names of those to write.
    """
    record = out / "simulation.json"
    recordings = [out / f"{name}.{suffix}" for name in DRIVES for suffix in ("bag", "mp4", "tum")]
    if record.is_file():
        if record.read_bytes() == json.dumps(wanted).encode() + b"\n":
            return
        for path in recordings:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    else:
        strangers = [path.name for path in (*recordings, *(out / name for name in OTHERS)) if path.exists()]
        if strangers:
            raise UsageError(f"{out} holds {strangers[0]!r}, which no simulation wrote: choose another folder")
    write_text(record, json.dumps(wanted) + "\n")


def _camera_fields(camera: Camera) -> dict[str, object]:
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    size = {"width": camera.width, "height": camera.height}
    return {**size, "fx": fx, "fy": fy, "cx": cx, "cy": cy, "model": camera.model}


def _record(path: Path, world: World, name: str, map_from_base: Trajectory, preset: Preset, draw: Draw) -> None:
    map_from_cam = camera_trajectory(map_from_base)
    # Each drive has its own noise; its frames are numbered within it.
    jobs = [(DRIVES.index(name) * 1_000_000 + i, pose) for i, (_, pose) in enumerate(map_from_cam)]
    images = track(draw(jobs), path.name, total=len(jobs))
    frames = (
        Frame(int(stamp_ns), image, CAMERA_FRAME, f"{i:06d}")
        for i, (stamp_ns, image) in enumerate(zip(map_from_cam.stamps_ns, images, strict=True))
    )
    odometry = drifting_odometry(drive(world, name, ODOMETRY_RATE_HZ), seed=world.seed + DRIVES.index(name))
    write_bag(path, frames, preset.camera, odometry, BASE_FROM_CAM)


@contextmanager
def drawing(world: World, camera: Camera, workers: int) -> Iterator[Draw]:
    """Yield what draws (number, map_from_cam) in order, in processes of their own.

    Never in this process, which would keep the graphics driver and hundreds of megabytes of textures until its end.

    Raises:
        CaptureError: a process that renders died.
    """
    # spawn: a forked process would share the parent's threads' locks.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (world, camera))

    def draw(jobs: Iterable[tuple[int, Pose]]) -> Iterator[Image]:
        rows = [(number, pose.quat_xyzw, pose.translation) for number, pose in jobs]
        for start in range(0, len(rows), BATCH):
            yield from pool.map(_draw_in_worker, rows[start : start + BATCH])

    try:
        yield draw
    except BrokenProcessPool:
        raise CaptureError(
            "a process that renders died: is there memory left, and does the OpenGL driver work?"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(world: World, camera: Camera) -> None:
    global _world, _camera
    _world, _camera = world, camera


@cache
def _renderer() -> Renderer:
    """Made with the first image, not with the process: there its faults reach the caller."""
    return Renderer(_world, _camera)


def _draw_in_worker(row: tuple[int, Array, Array]) -> Image:
    number, quat_xyzw, translation = row
    return expose(_renderer().render(Pose.from_quat_xyzw(quat_xyzw, translation)), _world.seed, number)


_world: World
_camera: Camera
