"""A node in a process of its own."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


class NodeProcess:
    """A node started as a person starts it, and what it printed."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def output(self) -> str:
        return self.log.read_text()

    def wait_for_output(self, text: str, timeout_s: float = 30.0) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.output():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.output()}"
            assert time.monotonic() < deadline, f"{text!r} did not come: {self.output()}"
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGINT, timeout_s: float = 20.0) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout_s)

    def stop_impatiently(self, number: int = signal.SIGINT, timeout_s: float = 20.0) -> int:
        """As who presses Ctrl-C until the prompt is back."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < deadline:
            self.process.send_signal(number)
            time.sleep(0.02)
        return self.process.wait(1.0)


StartNode = Callable[..., NodeProcess]
