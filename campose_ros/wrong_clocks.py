"""Inputs that are stamped by another clock than the node's: those of one clock are told of together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from campose_ros.input_watch import InputWatch

if TYPE_CHECKING:
    from rclpy.node import Node

CLOCK_OFFSET_S = 0.5  # a stamp farther from the node's clock than transport explains
ALIKE_S, ALIKE_SHARE = 0.2, 0.05  # by so much, or so large a share, offsets of one clock differ: transport
LATE_S = 10.0  # up to here a network or a busy machine can be the reason


def wrong_clocks(node: Node, watches: Iterable[InputWatch]) -> list[str]:
    """Say which inputs are stamped how far from the node's clock, and the cure; none while all are near it."""
    groups: list[tuple[float, list[str]]] = []
    for watch in watches:
        offset_s = watch.offset_s()
        if offset_s is None or abs(offset_s) <= CLOCK_OFFSET_S or watch.fault():
            continue
        alike = (topics for other_s, topics in groups if _are_alike(other_s, offset_s))
        topics = next(alike, None)
        if topics is None:
            groups.append((offset_s, [watch.topic]))
        else:
            topics.append(watch.topic)
    return [_text(node, offset_s, topics) for offset_s, topics in groups]


def _are_alike(one_s: float, other_s: float) -> bool:
    return abs(one_s - other_s) <= max(ALIKE_S, ALIKE_SHARE * abs(one_s))


def _text(node: Node, offset_s: float, topics: list[str]) -> str:
    named = f"{', '.join(topics[:-1])} and {topics[-1]} are" if len(topics) > 1 else f"{topics[0]} is"
    text = f"{named} stamped {_span(abs(offset_s))} {'before' if offset_s > 0 else 'after'} the node's clock"
    if node.get_parameter("use_sim_time").value:
        return f"{text}: not in simulated time. Set use_sim_time in each driver too, or nowhere"
    if node.count_publishers("/clock"):
        return f"{text}, and somebody publishes /clock: set use_sim_time to true"
    if 0 < offset_s < LATE_S:
        return f"{text}: they come so late (a network, a busy machine), or synchronise the clocks (chrony, PTP)"
    return (
        f"{text}: synchronise the clocks (chrony, PTP). A bag is played with `ros2 bag play --clock` and "
        "use_sim_time:=true"
    )


def _span(seconds: float) -> str:
    for unit_s, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.2f} s"
