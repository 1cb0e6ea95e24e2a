"""A worker thread with one slot: what arrives while it is busy replaces what waits. The newest image wins."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class LatestWorker(Generic[Item]):
    """Calls `work(item)` on its own thread with the newest submitted item; `work` must not raise."""

    def __init__(self, work: Callable[[Item], None], name: str) -> None:
        self._work = work
        self._condition = threading.Condition()
        self._waiting: list[Item] = []
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> bool:
        """Leave `item` for the worker; returns whether an older one that still waited was thrown away for it."""
        with self._condition:
            replaced = bool(self._waiting)
            self._waiting = [item]
            self._condition.notify()
        return replaced

    def stop(self) -> None:
        """Finish the item at work, drop the one that waits, end the thread."""
        with self._condition:
            self._stopping = True
            self._waiting = []
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stopping or self._waiting)
                if self._stopping:
                    return
                item = self._waiting.pop()
            self._work(item)
