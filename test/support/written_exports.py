"""Exports of capture apps and data sets, written as their programs write them; each says where that is to be seen.

Nothing of the readers is used: matrices, orders and axes are spelled out anew.
"""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PillowImage

from campose_core.camera import Camera
from campose_core.capture.video_writer import write_video
from campose_core.frame import Frame
from campose_core.geometry import Pose
from campose_core.trajectory import seconds_text

# Of the camera: OpenGL's y is OpenCV's -y, z is -z. Of the world: x, y, z with y up is x, -z, y with z up.
FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
Y_UP_FROM_Z_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=float)


@dataclass(frozen=True)
class Shot:
    """An image (H, W, 3), its stamp and map_from_cam (z up, OpenCV's axes)."""

    image: np.ndarray
    stamp_ns: int
    map_from_cam: Pose

    @property
    def matrix(self) -> np.ndarray:
        return self.map_from_cam.matrix()


def encoded(image: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    PillowImage.fromarray(image).save(file, form, **({"quality": 98, "subsampling": 0} if form == "JPEG" else {}))
    return file.getvalue()


def radial(camera: Camera) -> list[float]:
    """k1, k2, p1, p2."""
    return [*camera.params[4:8], 0.0, 0.0, 0.0, 0.0][:4]


def stray_scanner(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """github.com/strayrobots/scanner: docs/format.md; OdometryEncoder.swift (q_WA * q_AC, q_AC = i, pose of ARKit)."""
    folder.mkdir(parents=True)
    frames = [Frame(s.stamp_ns - shots[0].stamp_ns, s.image, "c", str(n)) for n, s in enumerate(shots)]
    write_video(folder / "rgb.mp4", frames)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    (folder / "camera_matrix.csv").write_text(f"{fx}, 0.0, {cx}\n0.0, {fy}, {cy}\n0.0, 0.0, 1.0\n")
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw, fx, fy, cx, cy, distortion_center_x, distortion_center_y"]
    for number, shot in enumerate(shots):
        arkit = Pose.from_matrix(Y_UP_FROM_Z_UP @ shot.matrix @ FLIP)
        half_turn = Pose.from_quat_xyzw([1.0, 0.0, 0.0, 0.0], np.zeros(3))
        x, y, z = arkit.translation
        quat = ", ".join(f"{v:.9f}" for v in (arkit * half_turn).rotation.as_quat())
        stamp = seconds_text(shot.stamp_ns)
        lines.append(f"{stamp}, {number:06d}, {x:.9f}, {y:.9f}, {z:.9f}, {quat}, {fx}, {fy}, {cx}, {cy}, , ")
    (folder / "odometry.csv").write_text("\n".join(lines) + "\n")
    (folder / "imu.csv").write_text("timestamp, a_x, a_y, a_z, alpha_x, alpha_y, alpha_z\n")
    return folder


def record3d(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """nerfstudio/process_data/record3d_utils.py (K by columns, poses qx qy qz qw tx ty tz); the export in
    github.com/YaroslavGladun/door_handle_detection (EXR_RGBD/), whose pictures fit its poses so read to 1.2 pixels.
    """
    (folder / "rgb").mkdir(parents=True)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    poses = []
    for number, shot in enumerate(shots):
        (folder / "rgb" / f"{number}.jpg").write_bytes(encoded(shot.image, "JPEG"))
        arkit = Pose.from_matrix(Y_UP_FROM_Z_UP @ shot.matrix @ FLIP)
        poses.append([*map(float, arkit.rotation.as_quat()), *map(float, arkit.translation)])
    stamps = [(shot.stamp_ns - shots[0].stamp_ns) / 1e9 for shot in shots]
    fields = {"w": camera.width, "h": camera.height, "dw": 192, "dh": 256, "fps": 10, "cameraType": 1, "poses": poses}
    fields |= {"K": [fx, 0, 0, 0, fy, 0, cx, cy, 1], "frameTimestamps": stamps, "initPose": [0, 0, 0, 1, 0, 0, 0]}
    (folder / "metadata.json").write_text(json.dumps(fields))
    return folder


def polycam(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """nerfstudio/process_data/polycam_utils.py and scripts/process_data.py: t_00 .. t_23, fx .. height by image."""
    images, cameras = folder / "keyframes" / "images", folder / "keyframes" / "cameras"
    images.mkdir(parents=True)
    cameras.mkdir()
    (folder / "mesh_info.json").write_text("{}")
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    for shot in shots:
        stem = str(shot.stamp_ns // 1000 + 99_000)
        (images / f"{stem}.jpg").write_bytes(encoded(shot.image, "JPEG"))
        arkit = Y_UP_FROM_Z_UP @ shot.matrix @ FLIP
        fields = {f"t_{row}{column}": arkit[row, column] for row in range(3) for column in range(4)}
        fields |= {"fx": fx, "fy": fy, "cx": cx, "cy": cy, "width": camera.width, "height": camera.height}
        (cameras / f"{stem}.json").write_text(json.dumps(fields | {"blur_score": 120.0, "neighbors": []}))
    return folder


def nerfstudio(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """docs.nerf.studio/quickstart/data_conventions.html; as nerfstudio's polycam_utils.py writes it, which turns the
    rows of ARKit's pose by one, so that z is up; its pixels count from the corner of the first one.
    """
    (folder / "images").mkdir(parents=True)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    frames = []
    for number, shot in enumerate(shots):
        name = f"images/frame_{number + 1:05d}.png"
        (folder / name).write_bytes(encoded(shot.image, "PNG"))
        arkit = Y_UP_FROM_Z_UP @ shot.matrix @ FLIP
        lens = {"fl_x": fx, "fl_y": fy, "cx": cx + 0.5, "cy": cy + 0.5, "w": camera.width, "h": camera.height}
        lens |= dict(zip(("k1", "k2", "p1", "p2"), radial(camera), strict=True))
        frames.append({**lens, "file_path": f"./{name}", "transform_matrix": arkit[[2, 0, 1, 3]].tolist()})
    fields = {"camera_model": "OPENCV", "orientation_override": "none", "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(fields))
    return folder


def tum_rgbd(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats: poses at times of their own, a hundred a second."""
    (folder / "rgb").mkdir(parents=True)
    images, poses = ["# color images", "# file: 'written.bag'", "# timestamp filename"], ["# ground truth trajectory"]
    for shot in shots:
        stamp = seconds_text(shot.stamp_ns)
        (folder / "rgb" / f"{stamp}.png").write_bytes(encoded(shot.image, "PNG"))
        images.append(f"{stamp} rgb/{stamp}.png")
        row = [*shot.map_from_cam.translation, *shot.map_from_cam.rotation.as_quat()]
        # The motion capture's own stamps: one just before each image, one just after.
        for offset_ns in (-4_000_000, 4_000_000):
            text = seconds_text(shot.stamp_ns + offset_ns)
            poses.append(" ".join([text, *(f"{v:.9f}" for v in row)]))
    (folder / "rgb.txt").write_text("\n".join(images) + "\n")
    (folder / "groundtruth.txt").write_text("\n".join(poses) + "\n")
    return folder


def euroc(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """The sensor.yaml and data.csv of projects.asl.ethz.ch/datasets/euroc-mav, MH_01: T_BS is body_from_sensor."""
    cam, truth = folder / "mav0" / "cam0", folder / "mav0" / "state_groundtruth_estimate0"
    (cam / "data").mkdir(parents=True)
    truth.mkdir()
    body_from_cam = np.array(
        [
            [0.0148655429818, -0.999880929698, 0.00414029679422, -0.0216401454975],
            [0.999557249008, 0.0149672133247, 0.025715529948, -0.064676986768],
            [-0.0257744366974, 0.00375618835797, 0.999660727178, 0.00981073058949],
            [0.0, 0.0, 0.0, 1.0],
        ]
    )
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    (cam / "sensor.yaml").write_text(
        "# General sensor definitions.\nsensor_type: camera\ncomment: VI-Sensor cam0 (MT9M034)\n\n"
        f"T_BS:\n  cols: 4\n  rows: 4\n  data: {body_from_cam.ravel().tolist()}\n\nrate_hz: 20\n"
        f"resolution: [{camera.width}, {camera.height}]\ncamera_model: pinhole\n"
        f"intrinsics: [{fx}, {fy}, {cx}, {cy}] #fu, fv, cu, cv\ndistortion_model: radial-tangential\n"
        f"distortion_coefficients: {radial(camera)} \n"
    )
    images = ["#timestamp [ns],filename"]
    poses = [
        "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z [], "
        "v_RS_R_x [m s^-1], v_RS_R_y [m s^-1], v_RS_R_z [m s^-1], b_w_RS_S_x [rad s^-1], b_w_RS_S_y [rad s^-1], "
        "b_w_RS_S_z [rad s^-1], b_a_RS_S_x [m s^-2], b_a_RS_S_y [m s^-2], b_a_RS_S_z [m s^-2]"
    ]
    for shot in shots:
        (cam / "data" / f"{shot.stamp_ns}.png").write_bytes(encoded(shot.image, "PNG"))
        images.append(f"{shot.stamp_ns},{shot.stamp_ns}.png")
        left, _, right = np.linalg.svd(body_from_cam[:3, :3])  # its twelve digits leave no exact rotation
        mounting = np.block([[left @ right, body_from_cam[:3, 3:]], [np.zeros((1, 3)), np.ones((1, 1))]])
        body = Pose.from_matrix(shot.matrix @ np.linalg.inv(mounting))
        x, y, z, w = body.rotation.as_quat()
        row = [*body.translation, w, x, y, z, *np.zeros(9)]
        poses.append(f"{shot.stamp_ns}," + ",".join(f"{value:.9f}" for value in row))
    (cam / "data.csv").write_text("\r\n".join(images) + "\r\n")
    (truth / "data.csv").write_text("\r\n".join(poses) + "\r\n")
    return folder


def seven_scenes(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """microsoft.com/research/project/rgb-d-dataset-7-scenes; frames in github.com/andyzeng/tsdf-fusion-python (data/),
    whose pictures fit their poses so read to 0.9 pixels. Two sequences for training, of the same world.
    """
    for number, shot in enumerate(shots):
        first = number < len(shots) // 2
        sequence = folder / ("seq-01" if first else "seq-02")
        sequence.mkdir(parents=True, exist_ok=True)
        row = number if first else number - len(shots) // 2
        (sequence / f"frame-{row:06d}.color.png").write_bytes(encoded(shot.image, "PNG"))
        rows = [" ".join(f"{value: .10e}" for value in values) + "\t" for values in shot.matrix]
        (sequence / f"frame-{row:06d}.pose.txt").write_text("\n".join(rows) + "\n")
    (folder / "TrainSplit.txt").write_text("sequence1\nsequence2\n")
    (folder / "TestSplit.txt").write_text("sequence2\n")
    return folder


def twelve_scenes(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """graphics.stanford.edu/projects/reloc, as github.com/vislearn/dsacstar (datasets/setup_12scenes.py) reads it."""
    (folder / "data").mkdir(parents=True)
    (fx, fy), (cx, cy) = camera.focal, camera.centre
    (folder / "info.txt").write_text(
        f"m_versionNumber = 4\nm_sensorName = StructureSensor\nm_colorWidth = {camera.width}\n"
        f"m_colorHeight = {camera.height}\nm_depthWidth = 640\nm_depthHeight = 480\nm_depthShift = 1000\n"
        f"m_calibrationColorIntrinsic = {fx} 0 {cx} 0 0 {fy} {cy} 0 0 0 1 0 0 0 0 1\n"
    )
    for number, shot in enumerate(shots):
        (folder / "data" / f"frame-{number:06d}.color.jpg").write_bytes(encoded(shot.image, "JPEG"))
        rows = [" ".join(f"{value:.8f}" for value in values) for values in shot.matrix]
        (folder / "data" / f"frame-{number:06d}.pose.txt").write_text("\n".join(rows) + "\n")
    return folder


def cambridge(folder: Path, shots: Sequence[Shot], camera: Camera) -> Path:
    """repository.cam.ac.uk/handle/1810/251342, as github.com/vislearn/dsacstar (datasets/setup_cambridge.py) reads it:
    the quaternion of the lists is camera_from_world's, the models' images are called .jpg.
    """
    (folder / "seq1").mkdir(parents=True)
    listed, models = [], []
    for number, shot in enumerate(shots, start=1):
        name = f"seq1/frame{number:05d}"
        (folder / f"{name}.png").write_bytes(encoded(shot.image, "PNG"))
        x, y, z, w = shot.map_from_cam.inverse().rotation.as_quat()
        place = " ".join(f"{value:.9f}" for value in shot.map_from_cam.translation)
        listed.append(f"{name}.png {place} {w:.9f} {x:.9f} {y:.9f} {z:.9f}")
        models.append(f"{name}.jpg\t{camera.focal[0]} {w} {x} {y} {z} {place} -0.01 0")
    heading = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    (folder / "dataset_train.txt").write_text(heading + "\n".join(listed) + "\n")
    (folder / "dataset_test.txt").write_text(heading + listed[-1] + "\n")
    (folder / "reconstruction.nvm").write_text("NVM_V3 \n\n" + f"{len(models)}\n" + "\n".join(models) + "\n\n0\n")
    return folder


WRITERS: dict[str, Callable[[Path, Sequence[Shot], Camera], Path]] = {
    "Stray Scanner": stray_scanner, "Record3D": record3d, "Polycam": polycam, "nerfstudio transforms.json": nerfstudio,
    "TUM RGB-D": tum_rgbd, "EuRoC (ASL)": euroc, "7-Scenes": seven_scenes, "12-Scenes": twelve_scenes,
    "Cambridge Landmarks": cambridge,
}  # fmt: skip


def without(folder: Path, name: str) -> Path:
    """The export without one of its files or folders."""
    gone = folder / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    return folder
