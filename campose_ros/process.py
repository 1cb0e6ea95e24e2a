"""How a node's process starts, spins and ends."""

import signal
from collections.abc import Callable

import rclpy
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from campose_core.cli.console import say, show_log
from campose_core.memory import keep_large_buffers

ENDING = (signal.SIGINT, signal.SIGTERM)


def run(make_node: Callable[[], Node], args: list[str] | None = None) -> int:
    """Spin the node on one thread until SIGINT, SIGTERM or a shutdown; returns the exit code.

    The first signal ends it, and later ones change nothing: they are ignored from its end on.
    """
    keep_large_buffers()
    show_log()
    for number in ENDING:
        signal.signal(number, lambda *_: None)  # rclpy's own handler, put before it, shuts the context down
    rclpy.init(args=args)
    node = None
    try:
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
