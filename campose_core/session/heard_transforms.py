"""What /tf and /tf_static say, link by link: a bad one is refused, and those beside it in its message count."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from campose_core.bag.ros_messages import pose_of_transform
from campose_core.bag.transforms import KEEP_S, MAX_LINKS, TransformTree
from campose_core.errors import CamposeError, TransformError
from campose_core.geometry import Pose
from campose_core.session.message_reading import Refusal, Refuse, frame_name, stamp_of


class _Link(NamedTuple):
    parent: str
    child: str
    stamp_ns: int
    parent_from_child: Pose


class HeardTransforms:
    """The frames of a robot as it tells them; one thread may bring messages while another looks up.

    refuse: called with each link that is not used.
    """

    def __init__(self, refuse: Refuse) -> None:
        self._refuse = refuse
        self._tree = TransformTree(KEEP_S)

    def take_moving(self, message: Any) -> None:
        """Take in a message of /tf; links with a stamp of zero are refused."""
        for link in self._links(message, stamp_of):
            self._tree.add(link.parent, link.child, link.stamp_ns, link.parent_from_child)

    def take_static(self, message: Any) -> None:
        """Take in a message of /tf_static, which holds at every time, whatever its stamps."""
        for link in self._links(message, lambda _: 0):
            self._tree.add_static(link.parent, link.child, link.parent_from_child)

    def _links(self, message: Any, stamp: Callable[[Any], int]) -> Iterator[_Link]:
        for link in message.transforms:
            parent, child = frame_name(link.header.frame_id), frame_name(link.child_frame_id)
            try:
                if not self._tree.has_room(child):
                    raise TransformError(f"tf has {MAX_LINKS} frames already, more than a robot has")
                heard = _Link(parent, child, stamp(link), pose_of_transform(link))
            except CamposeError as error:
                self._refuse(Refusal(f"tf {parent} -> {child}", str(error)))
            else:
                yield heard

    def forget_moving(self) -> None:
        """Forget what came on /tf, when time jumps back; what is static stays."""
        self._tree.forget_moving()

    def lookup(self, target: str, source: str, stamp_ns: int, wait_s: float = 0.0) -> Pose:
        """Return `target_from_source` at the stamp; waits `wait_s` for a moving link that is not there yet.

        Raises:
            TransformError: which link is missing, or by how much the stamp is too new or too old.
        """
        try:
            return self._tree.lookup(target, source, stamp_ns, wait_s)
        except TransformError as error:
            raise TransformError(f"tf does not say where {source!r} sits on {target!r}: {error}") from error

    def is_static(self, child: str) -> bool:
        """Tell whether a link of /tf_static says where `child` sits."""
        return self._tree.is_static(child)

    def root(self, frame: str) -> str:
        """Return the frame at the top of the tree that `frame` is in; `frame` itself where no link names it."""
        return self._tree.chain(frame)[-1]
