"""Peak memory and speed of extracting long recordings, against their length.

    python benchmarks/capture.py                    1080p video of 1 and 3 minutes, raw VGA bag of 0.5 and 2 GB
    python benchmarks/capture.py --video-minutes 2.5 10 --bag-gigabytes 1 4

Recordings and scenes are written below --folder and removed again.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PEAK = """
import sys
from pathlib import Path
from campose_core.cli.console import show_log
from campose_core.capture.extract import extract
from campose_core.scene.scene import Scene
scene = extract(Scene.open_or_create(sys.argv[2]), [Path(sys.argv[1])], fps=float(sys.argv[3]))
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(len(scene.frames), peak)
"""


def write_video(path: Path, minutes: float, rate: int = 30) -> None:
    """1080p, slowly moving, as cheap to encode as it gets."""
    import av

    scenery = np.random.default_rng(0).integers(0, 256, (135, 480, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 1920, 1080, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "30"}
        views = [
            av.VideoFrame.from_ndarray(np.ascontiguousarray(scenery[:, 8 * i : 8 * i + 1920]), format="rgb24").reformat(
                format="yuv420p"
            )
            for i in range(8)
        ]
        for i in range(round(minutes * 60 * rate)):
            views[i % 8].pts = i
            container.mux(stream.encode(views[i % 8]))
        container.mux(stream.encode())


def write_bag(path: Path, gigabytes: float, rate: int = 30) -> None:
    """Raw 640x480 rgb8 images in MCAP."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    header, stamp, image = (
        store.types[name] for name in ("std_msgs/msg/Header", "builtin_interfaces/msg/Time", "sensor_msgs/msg/Image")
    )
    pixels = (
        np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1).reshape(-1)
    )
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/camera/image_raw", image.__msgtype__, typestore=store)
        for i in range(round(gigabytes * 1e9 / pixels.nbytes)):
            stamp_ns = 1_700_000_000_000_000_000 + i * 1_000_000_000 // rate
            message = image(
                header=header(stamp=stamp(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9), frame_id="camera"),
                height=480, width=640, encoding="rgb8", is_bigendian=0, step=1920, data=pixels,
            )  # fmt: skip
            writer.write(connection, stamp_ns, bytes(store.serialize_cdr(message, image.__msgtype__)))


def measure(label: str, source: Path, folder: Path, fps: float) -> None:
    size = sum(file.stat().st_size for file in ([source] if source.is_file() else source.iterdir()))
    start = time.perf_counter()
    command = [sys.executable, "-c", PEAK, str(source), str(folder / "scene"), str(fps)]
    child = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    frames, peak_kilobytes = map(int, child.stdout.split())
    seconds = time.perf_counter() - start
    print(f"{label:24} {size / 1e9:8.2f} {frames:8d} {seconds:9.1f} {peak_kilobytes / 1024:10.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video-minutes", type=float, nargs="*", default=[1.0, 3.0])
    parser.add_argument("--bag-gigabytes", type=float, nargs="*", default=[0.5, 2.0])
    parser.add_argument("--fps", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(f"{'recording':24} {'GB':>8} {'frames':>8} {'seconds':>9} {'peak MB':>10}")
    kinds = (
        ("video", "min 1080p", write_video, options.video_minutes),
        ("bag", "GB raw", write_bag, options.bag_gigabytes),
    )
    for kind, unit, write, lengths in kinds:
        for length in lengths:
            folder = Path(tempfile.mkdtemp(prefix="campose_capture_", dir=options.folder))
            try:
                source = folder / ("walk.mp4" if kind == "video" else "walk")
                write(source, length)
                measure(f"{kind} {length:g} {unit}", source, folder, options.fps)
            finally:
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
