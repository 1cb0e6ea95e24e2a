"""Training samples: tuples of frames of one recording, with their pictures or their features, and their labels.

A sample is a row of frame indices; PoseNet's rows hold one frame, MapNet's several in time order. Pictures and labels
come from the same row of frames.csv.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from campose_core.errors import LearningError
from campose_core.geometry import Pose
from campose_core.learning.backbone import Backbone
from campose_core.learning.frame_cache import Pictures
from campose_core.learning.model import PoseNumbers
from campose_core.learning.pose_space import PoseSpace
from campose_core.learning.preprocess import NetworkInput, rotated_view
from campose_core.progress import track
from campose_core.scene import Scene, SceneFrame

FEATURE_BATCH = 16


class Batch(NamedTuple):
    """inputs: pictures uint8 [B * T, S, S, 3] or features [B * T, F]; label: [B, T, 3] each."""

    inputs: Tensor
    label: PoseNumbers


class Samples(Protocol):
    """What training draws from. Random choices come from torch's global generator, which a resumed run restores."""

    def batch(self, frames_bt: Tensor) -> Batch:
        """The frames with these indices [B, T]."""
        ...


def frames_of_split(scene: Scene, split: str) -> list[SceneFrame]:
    """The posed frames of a split, by recording and stamp, whatever the order of frames.csv.

    Raises:
        LearningError: there are none.
    """
    frames = sorted(scene.posed_frames(split), key=lambda frame: (frame.source, frame.stamp_ns))
    if not frames:
        if any(frame.split for frame in scene.posed_frames()):
            raise LearningError(f"{scene.path}: no frame with a pose is in the {split} split: run `campose split`")
        raise LearningError(f"{scene.path}: the frames are not split: run `campose split {scene.path}`")
    return frames


def tuple_rows(frames: Sequence[SceneFrame], offsets: Sequence[int]) -> Tensor:
    """All samples as rows of indices into `frames` [M, T]: index + offsets, as far as the recording reaches.

    Raises:
        LearningError: a recording is shorter than a tuple.
    """
    sources: dict[str, list[int]] = {}
    for index, frame in enumerate(frames):
        sources.setdefault(frame.source, []).append(index)
    rows = []
    for source, indices in sources.items():
        count = len(indices) - offsets[-1]
        if count < 1:
            raise LearningError(
                f"recording {source} has {len(indices)} training frames and a tuple spans {offsets[-1] + 1}: "
                "choose a smaller tuple_length or tuple_skip, or the model posenet"
            )
        rows += [[indices[start + offset] for offset in offsets] for start in range(count)]
    return torch.tensor(rows)


def encode_labels(space: PoseSpace, poses: Sequence[Pose]) -> PoseNumbers:
    position, logq = space.encode(poses)
    return PoseNumbers(torch.as_tensor(position, dtype=torch.float32), torch.as_tensor(logq, dtype=torch.float32))


def backbone_features(backbone: Backbone, count: int, picture: Callable[[int], Pictures], description: str) -> Tensor:
    """Features [N, F] of the pictures 0 to count - 1, each [S, S, 3], by a backbone in evaluation mode."""
    was_training = backbone.training
    backbone.eval()
    features = []
    with torch.no_grad():
        for start in track(range(0, count, FEATURE_BATCH), description):
            batch = np.stack([picture(i) for i in range(start, min(start + FEATURE_BATCH, count))])
            features.append(backbone(torch.from_numpy(batch)))
    backbone.train(was_training)
    return torch.cat(features)


class FeatureSamples:
    """For a frozen backbone: the features of each frame and of its rotated views, computed once.

    Each time a frame is drawn, one of its views is, with the label of that view.
    """

    def __init__(
        self, backbone: Backbone, pictures: Pictures, poses: Sequence[Pose], space: PoseSpace,
        network_input: NetworkInput, views: int, seed: int,
    ) -> None:  # fmt: skip
        random = np.random.default_rng(seed)
        features = [backbone_features(backbone, len(poses), pictures.__getitem__, "features")]
        labels = [encode_labels(space, poses)]
        for view in range(1, views + 1):
            turned_poses: list[Pose] = []

            def turned(index: int, turned_poses: list[Pose] = turned_poses) -> Pictures:
                picture, cam_from_view = rotated_view(pictures[index], network_input.camera, random)
                turned_poses.append(poses[index] * cam_from_view)
                return picture

            features.append(backbone_features(backbone, len(poses), turned, f"features of view {view} of {views}"))
            labels.append(encode_labels(space, turned_poses))
        self.features_vnf = torch.stack(features)
        self.label_vn3 = PoseNumbers(
            torch.stack([label.position for label in labels]), torch.stack([label.logq for label in labels])
        )

    def batch(self, frames_bt: Tensor) -> Batch:
        view_bt = torch.randint(len(self.features_vnf), frames_bt.shape)
        label = PoseNumbers(self.label_vn3.position[view_bt, frames_bt], self.label_vn3.logq[view_bt, frames_bt])
        return Batch(self.features_vnf[view_bt, frames_bt].flatten(0, 1), label)


class PictureSamples:
    """For a backbone that is trained too: pictures, of which a share `views / (1 + views)` is turned anew each time."""

    def __init__(
        self, pictures: Pictures, poses: Sequence[Pose], space: PoseSpace, network_input: NetworkInput, views: int
    ) -> None:
        self.pictures, self.poses, self.space = pictures, poses, space
        self.network_input, self.turned_share = network_input, views / (1 + views)

    def batch(self, frames_bt: Tensor) -> Batch:
        random = np.random.default_rng(int(torch.randint(2**62, ())))
        pictures, poses = [], []
        for index in frames_bt.flatten().tolist():
            picture, pose = np.asarray(self.pictures[index]), self.poses[index]
            if random.random() < self.turned_share:
                picture, cam_from_view = rotated_view(picture, self.network_input.camera, random)
                pose = pose * cam_from_view
            pictures.append(picture)
            poses.append(pose)
        position, logq = encode_labels(self.space, poses)
        label = PoseNumbers(position.view(*frames_bt.shape, 3), logq.view(*frames_bt.shape, 3))
        return Batch(torch.from_numpy(np.stack(pictures)), label)
