"""How a node's process starts, spins and ends."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import rclpy
from rclpy._rclpy_pybind11 import RCLError, UnknownROSArgsError
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from campose_core.cli.console import say, show, show_log
from campose_core.errors import UsageError
from campose_core.pixels.large_buffers import keep_large_buffers
from campose_ros.ros_arguments import check_arguments, wants_help

ENDING = (signal.SIGINT, signal.SIGTERM)


def run(make_node: Callable[[], Node], usage: str, args: list[str] | None = None) -> int:
    """Spin the node on one thread until SIGINT, SIGTERM or a shutdown; returns the exit code.

    The first signal ends it, and later ones change nothing: they are ignored from its end on. usage: what --help shows.

    Raises:
        UsageError: the command line cannot be read.
    """
    arguments = list(sys.argv if args is None else args)[1:]
    if wants_help(arguments):
        show(*usage.splitlines())
        return 0
    check_arguments(arguments)
    keep_large_buffers()
    show_log()
    node = None
    try:
        with _interruptible():
            _initialize(args)
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        say(f"a parameter was refused: {error}")
        return 1
    except ExternalShutdownException:
        pass
    except RuntimeError:
        if rclpy.ok():
            raise  # otherwise a signal has shut the context down under a call
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # Python's own end would die of them
    return 0


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a signal raise KeyboardInterrupt in the block, and nothing after it: by then rclpy, whose own handler comes
    before this one, shuts the context down.
    """
    starting = True

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal starting
        if starting:
            starting = False
            raise KeyboardInterrupt

    for number in ENDING:
        signal.signal(number, interrupt)
    yield
    starting = False


def _initialize(args: list[str] | None) -> None:
    """Start ROS; what of the command line is left to say is its own: remappings, log levels, security."""
    try:
        rclpy.init(args=args)
    except (RCLError, UnknownROSArgsError) as error:
        raise UsageError(f"the words after --ros-args cannot be read: {str(error).split(', at ')[0]}") from error
