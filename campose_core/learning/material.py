"""What a network learns from: frames with images, depths and poses, and which of them make a sample.

A sample is a row of frame indices: one frame for PoseNet, several of one recording in time order for MapNet, two for
MeNet. Images and labels come from the same row of frames.csv.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.depth import inverse_depths
from campose_core.learning.frame_cache import Images, cached_images
from campose_core.pixels.network_input import NetworkInput
from campose_core.scene.frames_table import SceneFrame
from campose_core.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Material:
    """N frames by recording and stamp.

    images: uint8 [N, S, S, 3]. inverse_depth: [N, h, w] 1/m, zeros where unknown. poses: map_from_cam, or
    odom_from_cam of a recording that is not labelled: then only what lies between two of its frames means anything.
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    images: Images
    inverse_depth: NDArray[np.float32]
    poses: tuple[Pose, ...]

    def __len__(self) -> int:
        return len(self.names)


def ordered_frames(scene: Scene, split: str) -> list[SceneFrame]:
    """List the posed frames of a split, by recording and stamp, whatever the order of frames.csv."""
    return sorted(scene.posed_frames(split), key=lambda frame: (frame.source, frame.stamp_ns))


def frames_of_split(scene: Scene, split: str) -> list[SceneFrame]:
    """List the same frames, of a split that training cannot do without.

    Raises:
        LearningError: there are none.
    """
    frames = ordered_frames(scene, split)
    if not frames:
        if any(frame.split for frame in scene.posed_frames()):
            posed = len(scene.posed_frames())
            cure = "other options" if split == "train" else f"a larger --{split}, or record more"
            raise LearningError(
                f"{scene.path}: none of its {posed} frames with a pose is in the {split} split: split with {cure}"
            )
        raise LearningError(f"{scene.path}: the frames are not split: run `campose split {scene.path}`")
    return frames


def material_of_splits(
    scene: Scene, splits: Sequence[Sequence[SceneFrame]], network_input: NetworkInput, with_depth: bool
) -> list[Material]:
    """Read the material of several lists of frames, in one cache of images; depths of the first list alone, if at all.

    Raises:
        LearningError: a frame's file is missing, damaged, or not of its camera's size.
    """
    every = [frame for frames in splits for frame in frames]
    images, found, start = cached_images(scene, every, network_input), [], 0
    for index, frames in enumerate(splits):
        depth = inverse_depths(scene, frames if with_depth and index == 0 else (), network_input)
        if len(depth) == 0:
            depth = np.zeros((len(frames), 1, 1), dtype=np.float32)
        found.append(
            Material(
                tuple(frame.name for frame in frames),
                tuple(frame.source for frame in frames),
                images[start : start + len(frames)],
                depth,
                tuple(frame.map_from_cam for frame in frames if frame.map_from_cam is not None),
            )
        )
        start += len(frames)
    return found


def joined(materials: Sequence[Material]) -> Material:
    """Join materials, one after the other; where only some know depths, those of the others are zeros."""
    side = max(material.inverse_depth.shape[1] for material in materials)
    depths = [np.broadcast_to(m.inverse_depth, (len(m), side, side)) if m.inverse_depth.shape[1] == 1
              else m.inverse_depth for m in materials]  # fmt: skip
    return Material(
        tuple(name for material in materials for name in material.names),
        tuple(source for material in materials for source in material.sources),
        np.concatenate([material.images for material in materials]),
        np.concatenate(depths),
        tuple(pose for material in materials for pose in material.poses),
    )


def tuple_rows(sources: Sequence[str], offsets: Sequence[int]) -> Tensor:
    """List all samples as rows of indices [M, T]: index + offsets, as far as the recording of the index reaches.

    sources (N,): the recording of each frame, in time order.

    Raises:
        LearningError: a recording is shorter than a tuple.
    """
    rows = []
    for source, indices in _by_recording(sources).items():
        count = len(indices) - offsets[-1]
        if count < 1:
            raise LearningError(
                f"recording {source} has {len(indices)} training frames and a tuple spans {offsets[-1] + 1}: "
                "choose a smaller tuple_length or tuple_skip, or the model posenet"
            )
        rows += [[indices[start + offset] for offset in offsets] for start in range(count)]
    return torch.tensor(rows)


def pair_rows(sources: Sequence[str], most_apart: int, both_ways: bool = True) -> Tensor:
    """List all pairs [M, 2] of frames of one recording up to `most_apart` frames apart.

    As they were taken, and, with `both_ways`, the other way round as well. sources (N,): the recording of each frame,
    in time order.

    Raises:
        LearningError: a recording has one frame.
    """
    rows = []
    for source, indices in _by_recording(sources).items():
        if len(indices) < 2:
            raise LearningError(f"recording {source} has one training frame; menet learns from pairs of frames")
        for apart in range(1, most_apart + 1):
            forward = [[a, b] for a, b in zip(indices, indices[apart:], strict=False)]
            rows += forward + ([[b, a] for a, b in forward] if both_ways else [])
    return torch.tensor(rows)


def _by_recording(sources: Sequence[str]) -> dict[str, list[int]]:
    indices: dict[str, list[int]] = {}
    for index, source in enumerate(sources):
        indices.setdefault(source, []).append(index)
    return indices
