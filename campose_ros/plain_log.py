"""The log of our nodes: one line a message, whatever names of files, frames and topics it holds."""

from __future__ import annotations

import logging
import os
import traceback
from functools import cached_property
from pathlib import Path
from typing import Any

from rclpy.impl import rcutils_logger
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node

from campose_core.cli.console import hand_log_to
from campose_core.text import one_line

# rclpy throttles by the line that logs, and looks for it outside of the files in this list.
rcutils_logger._internal_callers.append(os.path.realpath(__file__))


class PlainLogger(RcutilsLogger):
    """rclpy's logger, for text that others wrote."""

    def log(self, message: str, severity: LoggingSeverity, **filters: Any) -> bool:
        """Log the message as one line; filters: rclpy's, such as throttle_duration_sec."""
        return bool(super().log(one_line(message), severity, **filters))


class _CoreLog(logging.Handler):
    """What campose_core logs, as a line of the node: with its level, and on /rosout."""

    def __init__(self, log: PlainLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        warns, fails = record.levelno >= logging.WARNING, record.levelno >= logging.ERROR
        severity = LoggingSeverity.ERROR if fails else LoggingSeverity.WARN if warns else LoggingSeverity.INFO
        self._log.log(self.format(record), severity)


class PlainLog(Node):
    """A node that logs so: the first base of each of ours."""

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        hand_log_to(_CoreLog(self.get_logger()))

    @cached_property
    def _plain_logger(self) -> PlainLogger:
        return PlainLogger(super().get_logger().name)

    def get_logger(self) -> PlainLogger:
        return self._plain_logger


def fault_line(error: BaseException) -> str:
    """Return an exception and where it came from, outermost call first, as one line."""
    calls = traceback.extract_tb(error.__traceback__)
    return f"{error!r} in " + " > ".join(f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls)
