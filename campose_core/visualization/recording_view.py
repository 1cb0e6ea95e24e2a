"""A bag as a viewer sees it: its messages as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from campose_core.bag.bag import Bag, SerializedMessage
from campose_core.errors import CaptureError
from campose_core.visualization.topics import TF_STATIC, Message, TopicKind


class RecordingView:
    """A `Source` out of an open bag: every topic whose type is known.

    Raises:
        CaptureError: it holds no messages that can be shown.
    """

    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self.name = bag.path.name
        self.topics: Mapping[str, TopicKind] = dict(_kinds(bag))
        if not self.topics:
            raise CaptureError(f"{bag.path}: holds no ROS messages to show")
        self.span_ns = bag.span_ns()

    def latched(self, at_ns: int) -> list[Message]:
        """List the last message of each latched topic, and all of /tf_static: every publisher of it latches its own."""
        names = {name for name, kind in self.topics.items() if kind.latched}
        last: dict[str, list[Message]] = {}
        for message in self._bag.serialized(names):
            if message.log_ns > at_ns:
                break
            before = last.get(message.topic, []) if message.topic == TF_STATIC else []
            last[message.topic] = [*before, _shown(message)]
        return [message for messages in last.values() for message in messages]

    def messages(self, from_ns: int, wanted: Callable[[str], bool]) -> Iterator[Message]:
        for message in self._bag.serialized(set(self.topics), from_ns):
            if wanted(message.topic):
                yield _shown(message)


def _kinds(bag: Bag) -> Iterator[tuple[str, TopicKind]]:
    for topic in bag.topics:
        definition = bag.definition(topic.name)
        if definition.text and topic.messages:
            yield topic.name, TopicKind(topic.msgtype, definition.text, definition.latched)


def _shown(message: SerializedMessage) -> Message:
    return Message(message.topic, message.log_ns, message.data)
