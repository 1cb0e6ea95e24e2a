"""`python -m campose_ros PROGRAM ARGUMENTS`: the executables, where their scripts are not installed or not found."""

import argparse
import sys

from campose_ros import executables

PROGRAMS = {
    "localizer": executables.localizer,
    "replay": executables.replay,
    "viewer": executables.viewer,
    "demo": executables.demo,
}


def main() -> int:
    """Run the program that is named first; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m campose_ros", description=__doc__, usage="%(prog)s PROGRAM ...")
    parser.add_argument("program", choices=PROGRAMS, metavar="PROGRAM", help=", ".join(PROGRAMS))
    parser.parse_args(sys.argv[1:2])
    return PROGRAMS[sys.argv.pop(1)]()


if __name__ == "__main__":
    sys.exit(main())
