"""Build tf2_msgs, of which PyPI has no wheel, for an environment made of ROS 2 wheels.

    python -m campose_ros.build_tf2_msgs

adds it to the running environment, which then can publish and read /tf. It takes half a minute, and needs cmake, a C++
compiler and PyPI. A ROS distribution brings tf2_msgs itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from campose_core.cli.console import exit_code_of
from campose_ros.build_messages import MessagePackage, build

TF2_MSGS = MessagePackage("tf2_msgs", {"msg/TFMessage.msg": "geometry_msgs/TransformStamped[] transforms\n"})


def main() -> int:
    """Build it where the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m campose_ros.build_tf2_msgs", description=__doc__.split("\n\n")[0])
    parser.add_argument("--prefix", type=Path, default=Path(sys.prefix), help="where to install (default: here)")
    prefix = parser.parse_args().prefix.resolve()
    return exit_code_of("build_tf2_msgs", lambda: build(prefix, [TF2_MSGS]))


if __name__ == "__main__":
    sys.exit(main())
