"""How a node's process starts, spins and ends."""

import contextlib
import sys
from collections.abc import Callable

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from campose_core.cli.console import show_log
from campose_core.memory import keep_large_buffers


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """Spin the node on one thread until SIGINT, SIGTERM or a shutdown; returns the exit code."""
    keep_large_buffers()
    show_log()
    rclpy.init(args=args)
    node = None
    try:
        node = make_node()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.spin()
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        print(f"a parameter was refused: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RuntimeError:
        if rclpy.ok():
            raise  # otherwise a signal has shut the context down under a call
    finally:
        # A second Ctrl-C while cleaning up must not turn a clean end into a traceback.
        with contextlib.suppress(KeyboardInterrupt):
            if node is not None:
                node.destroy_node()
            rclpy.try_shutdown()
    return 0
