"""MapNet and MapNet+: the network of PoseNet, trained on tuples of frames, with a loss on their relative poses:
`PoseLoss` in campose_core/learning/losses.py.

Brahmbhatt et al., "Geometry-aware learning of maps for camera localization", CVPR 2018.
"""

from __future__ import annotations

from campose_core.errors import LearningError
from campose_core.learning.kinds.base import NetworkKind
from campose_core.learning.options import TrainOptions


class MapNet(NetworkKind):
    """Several frames of one recording make a sample."""

    def check(self, options: TrainOptions) -> None:
        super().check(options)
        if options.tuple_length < 2:
            raise LearningError(f"tuple_length must be at least 2 for {options.kind}, got {options.tuple_length}")

    def tuple_offsets(self, options: TrainOptions) -> tuple[int, ...]:
        return tuple(range(0, options.tuple_length * options.tuple_skip, options.tuple_skip))


class MapNetPlus(MapNet):
    """A trained MapNet goes on, with recordings of which only the motion is known."""

    learns_unlabelled = True

    def check(self, options: TrainOptions) -> None:
        super().check(options)
        if not (options.unlabelled and options.start_from):
            raise LearningError("mapnet+ goes on with a trained mapnet: give --start-from MODEL and --unlabelled BAG")
