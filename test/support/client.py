"""What a robot does around the localizer: publish images, read poses, call services."""

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy

TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}
GET_STATE = "lifecycle_msgs/srv/GetState"
ALL = QoSProfile(depth=100)
BEST_EFFORT = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)


class Client:
    def __init__(self, context: rclpy.Context) -> None:
        self.node = rclpy.create_node("robot", context=context)
        self._executor = SingleThreadedExecutor(context=context)
        self._executor.add_node(self.node)
        self._clients: dict[tuple[type, str], Any] = {}

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()

    def within(self, seconds: float, true: Callable[[], Any]) -> Any:
        """Spin until `true()`, at most so long; its last value."""
        deadline = time.monotonic() + seconds
        while not (value := true()) and (left_s := deadline - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=min(left_s, 0.05))
        return value

    def until(self, true: Callable[[], Any], what: str, timeout_s: float = 10.0) -> Any:
        """Spin until `true()`; its value."""
        value = self.within(timeout_s, true)
        assert value, f"waited {timeout_s} s in vain until {what}"
        return value

    def collect(self, kind: type, topic: str, qos: QoSProfile = ALL) -> list[Any]:
        """Messages of a topic as they come, once a publisher is connected."""
        received: list[Any] = []
        subscription = self.node.create_subscription(kind, topic, received.append, qos)
        self.until(subscription.get_publisher_count, f"somebody publishes {topic}")
        return received

    def publisher(self, kind: type, topic: str, qos: QoSProfile = BEST_EFFORT) -> Any:
        """A publisher that is connected: it knows its subscribers, and those among them with a lifecycle know it.

        Discovery has two sides. A subscription that has not heard of the publisher drops what it sends, and a topic
        says nothing of it: the answer to a question that was asked afterwards does (see `state`).
        """
        publisher = self.node.create_publisher(kind, topic, qos)
        self.until(publisher.get_subscription_count, f"somebody subscribes to {topic}")
        asked = {service for service, kinds in self.node.get_service_names_and_types() if GET_STATE in kinds}
        for info in self.node.get_subscriptions_info_by_topic(self.node.resolve_topic_name(topic)):
            path = f"{info.node_namespace.rstrip('/')}/{info.node_name}"
            if f"{path}/get_state" in asked:
                self.state(path.lstrip("/"))
        return publisher

    def call(self, kind: type, name: str, request: Any, node: str = "") -> Any:
        """The answer of a service; node: whose it is, where its name does not say so."""
        key = (kind, name)
        if key not in self._clients:
            self._clients[key] = self.node.create_client(kind, name)
            self.state(node or name.strip("/").rsplit("/", 1)[0])
        client = self._clients[key]
        self.until(client.service_is_ready, f"{name} is there")
        future = client.call_async(request)
        self.until(future.done, f"{name} answers", 40.0)
        return future.result()

    def change(self, node: str, transition: str) -> bool:
        return self.ask_transition(node, TRANSITIONS[transition])

    def ask_transition(self, node: str, transition_id: int, label: str = "") -> bool:
        request = ChangeState.Request(transition=Transition(id=transition_id, label=label))
        return bool(self.call(ChangeState, f"/{node}/change_state", request).success)

    def state(self, node: str) -> str:
        """The lifecycle state, asked for again until it is told.

        A server drops its answer to a client that it has not discovered yet, and nobody can tell the client. Endpoints
        are announced in order: with this answer, the node also knows the clients that were made before.
        """
        client = self.node.create_client(GetState, f"/{node}/get_state")
        try:
            self.until(client.service_is_ready, f"/{node}/get_state is there", 30.0)
            for _ in range(20):
                future = client.call_async(GetState.Request())
                if self.within(2.0, future.done):
                    return str(future.result().current_state.label)
        finally:
            self.node.destroy_client(client)
        raise AssertionError(f"/{node}/get_state does not answer")

    def set_parameter(self, node: str, name: str, value: bool | int | float | str | list[int]) -> str:
        """The reason of the refusal; empty when it was set."""
        if isinstance(value, bool):
            given = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=value)
        elif isinstance(value, int):
            given = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=value)
        elif isinstance(value, list):
            given = ParameterValue(type=ParameterType.PARAMETER_INTEGER_ARRAY, integer_array_value=value)
        elif isinstance(value, str):
            given = ParameterValue(type=ParameterType.PARAMETER_STRING, string_value=value)
        else:
            given = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=given)])
        (result,) = self.call(SetParameters, f"/{node}/set_parameters", request).results
        return "" if result.successful else str(result.reason)

    def diagnosis(
        self, node: str, true: Callable[[Any], bool], what: str, doing: Callable[[], object] | None = None
    ) -> Any:
        """The first diagnostic status of a node for which `true(status)`; `doing` is done until it comes."""
        found: list[Any] = []

        def look(message: DiagnosticArray) -> None:
            found.extend(s for s in message.status if s.name.startswith(f"{node}:") and true(s))

        def told() -> list[Any]:
            if not found and doing:
                doing()
            return found

        subscription = self.node.create_subscription(DiagnosticArray, "/diagnostics", look, ALL)
        try:
            self.until(told, f"diagnostics of {node}: {what}")
        finally:
            self.node.destroy_subscription(subscription)
        return found[0]


def values(status: Any) -> dict[str, str]:
    return {item.key: item.value for item in status.values}


def stamps(messages: list[Any]) -> list[int]:
    return [message.header.stamp.sec * 10**9 + message.header.stamp.nanosec for message in messages]
