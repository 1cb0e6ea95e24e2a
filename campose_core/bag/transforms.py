"""The tree of frames that tf describes, and where a frame was in it: in a bag and on a running robot alike."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campose_core.errors import TransformError, TransformNotYetKnown
from campose_core.geometry import Pose, interpolated
from campose_core.trajectory import Trajectory

MAX_GAP_NS = 1_000_000_000
# Of a node, and of a replay that does as it would.
KEEP_S = 10.0  # as tf2 does
MAX_LINKS = 2000  # a humanoid has some hundred
WAIT_S = 0.1  # of an image, for a link that is not there yet: a joint at 10 Hz comes within that


@dataclass
class Moving:
    """A link that moves: parent_from_child at increasing stamps."""

    parent: str
    stamps_ns: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)


class TransformTree:
    """Links from child to parent, static or moving; a child has one parent, the one that was said last.

    keep_s: how far moving links reach back behind their newest stamp; None keeps everything. One thread may add while
    others look up.
    """

    def __init__(self, keep_s: float | None = None) -> None:
        self._keep_ns = None if keep_s is None else int(keep_s * 1e9)
        self._static: dict[str, tuple[str, Pose]] = {}
        self._moving: dict[str, Moving] = {}
        self._changed = threading.Condition()

    def add_static(self, parent: str, child: str, parent_from_child: Pose) -> None:
        """Add a link that holds at every time."""
        with self._changed:
            self._static[child] = (parent, parent_from_child)
            self._changed.notify_all()

    def add(self, parent: str, child: str, stamp_ns: int, parent_from_child: Pose) -> None:
        """Add a link at a stamp: the same stamp again replaces, one that went back more than MAX_GAP_NS starts over."""
        with self._changed:
            link = self._moving.get(child)
            if link is None or link.parent != parent or self._starts_over(link, stamp_ns):
                link = self._moving[child] = Moving(parent)
            at = bisect_left(link.stamps_ns, stamp_ns)
            same = at < len(link.stamps_ns) and link.stamps_ns[at] == stamp_ns
            link.stamps_ns[at : at + same] = [stamp_ns]
            link.poses[at : at + same] = [parent_from_child]
            if self._keep_ns is not None:
                old = bisect_left(link.stamps_ns, link.stamps_ns[-1] - self._keep_ns)
                del link.stamps_ns[:old], link.poses[:old]
            self._changed.notify_all()

    def _starts_over(self, link: Moving, stamp_ns: int) -> bool:
        """Tell whether the stamps begin anew, as of a bag that loops; what is kept whole is read in any order."""
        return self._keep_ns is not None and stamp_ns < link.stamps_ns[-1] - MAX_GAP_NS

    def has_room(self, child: str) -> bool:
        """Tell whether a link of `child` is known, or there are fewer than MAX_LINKS."""
        known = child in self._static or child in self._moving
        return known or len(self._static) + len(self._moving) < MAX_LINKS

    def forget_moving(self) -> None:
        """Drop the moving links, for when time jumps back; static links hold at every time."""
        with self._changed:
            self._moving.clear()

    def frames(self) -> set[str]:
        """Return the names of all frames that a link has."""
        with self._changed:
            links = {child: parent for child, (parent, _) in self._static.items()}
            links |= {child: link.parent for child, link in self._moving.items()}
        return {*links, *links.values()}

    def static_links(self) -> list[str]:
        """Return `parent -> child` of each link that holds at every time, for people."""
        return [f"{parent} -> {child}" for child, (parent, _) in self._static.items()]

    def is_static(self, child: str) -> bool:
        """Tell whether the link from `child` to its parent holds at every time."""
        return child in self._static

    def chain(self, frame: str) -> list[str]:
        """Return `frame`, its parent, and so on to the root; a loop ends where it closes."""
        frames = [frame]
        while (parent := self._parent(frames[-1])) is not None and parent not in frames:
            frames.append(parent)
        return frames

    def _parent(self, child: str) -> str | None:
        if child in self._static:
            return self._static[child][0]
        return self._moving[child].parent if child in self._moving else None

    def mounting(self, frame: str, other: str) -> Pose | None:
        """Return `frame_from_other` over static links alone; None where they do not connect the two."""
        up, down = self._static_ancestors(frame), self._static_ancestors(other)
        shared = next((ancestor for ancestor in up if ancestor in down), None)
        return None if shared is None else up[shared].inverse() * down[shared]

    def carrier(self, frame: str) -> str:
        """Return the body that `frame` is fixed to: its last ancestor over static links."""
        return list(self._static_ancestors(frame))[-1]

    def _static_ancestors(self, frame: str) -> dict[str, Pose]:
        """Each ancestor over static links, nearest first, with ancestor_from_frame."""
        found = {frame: Pose.identity()}
        for child, parent in zip(self.chain(frame), self.chain(frame)[1:], strict=False):
            if child not in self._static:
                break
            found[parent] = self._static[child][1] * found[child]
        return found

    def lookup(self, target: str, source: str, stamp_ns: int, wait_s: float = 0.0) -> Pose:
        """Return target_from_source at a stamp, between the two transforms around it; no moving link is extrapolated.

        wait_s: how long to wait for a moving link that has not come as far as the stamp; static ones never wait.

        Raises:
            TransformError: which link is missing, or how far the stamp lies outside of what is known of a link.
        """
        deadline = time.monotonic() + wait_s
        with self._changed:
            while True:
                try:
                    return self._lookup(target, source, stamp_ns)
                except TransformNotYetKnown:
                    if not self._changed.wait(max(deadline - time.monotonic(), 0.0)):
                        raise

    def _lookup(self, target: str, source: str, stamp_ns: int) -> Pose:
        up, down = self.chain(target), self.chain(source)
        shared = next((frame for frame in up if frame in down), None)
        if shared is None:
            raise TransformError(self._missing(up, down))
        shared_from_target = self._climb(up[: up.index(shared)], stamp_ns)
        return shared_from_target.inverse() * self._climb(down[: down.index(shared)], stamp_ns)

    def _climb(self, children: list[str], stamp_ns: int) -> Pose:
        pose = Pose.identity()
        for child in children:
            pose = self._link_at(child, stamp_ns) * pose
        return pose

    def _link_at(self, child: str, stamp_ns: int) -> Pose:
        if child in self._static:
            return self._static[child][1]
        link = self._moving[child]
        name, stamps = f"{link.parent} -> {child}", link.stamps_ns
        if stamp_ns > stamps[-1]:
            late_s = (stamp_ns - stamps[-1]) * 1e-9
            raise TransformNotYetKnown(f"the stamp is {late_s:.3f} s newer than the newest transform {name}")
        if stamp_ns < stamps[0]:
            early_s = (stamps[0] - stamp_ns) * 1e-9
            raise TransformError(f"the stamp is {early_s:.3f} s older than the oldest transform {name} that is kept")
        after = bisect_left(stamps, stamp_ns)
        if stamps[after] == stamp_ns:
            return link.poses[after]
        gap_ns = stamps[after] - stamps[after - 1]
        if gap_ns > MAX_GAP_NS:
            raise TransformError(f"the stamp lies in a gap of {gap_ns * 1e-9:.1f} s of the transforms {name}")
        return interpolated(link.poses[after - 1], link.poses[after], (stamp_ns - stamps[after - 1]) / gap_ns)

    def _missing(self, up: list[str], down: list[str]) -> str:
        known = self.frames()
        unknown = [frame for frame in (up[0], down[0]) if frame not in known]
        if unknown:
            others = ", ".join(sorted(known)) or "no frame at all"
            return f"no transform names {' or '.join(map(repr, unknown))}; tf has {others}"
        return f"tf leads from {down[0]!r} up to {down[-1]!r}, and from {up[0]!r} up to {up[-1]!r}: no link joins them"

    def between(self, ancestor: str, frame: str, stamps_ns: ArrayLike) -> tuple[NDArray[np.bool_], Trajectory]:
        """Return ancestor_from_frame at stamps (sorted, unique): which of them every link covers, and the poses there.

        A moving link covers what lies between two of its stamps at most MAX_GAP_NS apart.
        """
        stamps = np.asarray(stamps_ns, dtype=np.int64).reshape(-1)
        names = self.chain(frame)
        names = names[: names.index(ancestor)]
        walks = {child: self._trajectory(child) for child in names if child not in self._static}
        answered = np.ones(len(stamps), dtype=bool)
        for walk in walks.values():
            answered &= walk.interpolate(stamps, MAX_GAP_NS)[0]
        kept = stamps[answered]
        poses = [Pose.identity()] * len(kept)
        for child in names:
            if child in walks:
                at = walks[child].interpolate(kept, MAX_GAP_NS)[1]
                poses = [at.pose(i) * pose for i, pose in enumerate(poses)]
            else:
                poses = [self._static[child][1] * pose for pose in poses]
        return answered, Trajectory.from_poses(kept, poses, ancestor, frame)

    def _trajectory(self, child: str) -> Trajectory:
        link = self._moving[child]
        return Trajectory.from_poses(link.stamps_ns, link.poses, link.parent, child)
