"""A worker thread with one slot for each source: what arrives while it is busy replaces what waits there. The newest
image wins."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_IN_ORDER = 300  # items in a slot: ten seconds of video


class _Slot(Generic[Item]):
    """What waits of one source; since: the stamp of the first item that came since the source was served."""

    def __init__(self, since: int) -> None:
        self.since = since
        self.items: list[Item] = []


class LatestWorker(Generic[Item]):
    """Calls `work(source, items)` on its own thread with what waits in one slot; `work` must not raise.

    The slot that has waited longest is served first: the one of the oldest stamp, where nothing was replaced; where the
    worker cannot keep up, the sources take turns.
    """

    def __init__(self, work: Callable[[str, Sequence[Item]], None], name: str) -> None:
        self._work = work
        self._condition = threading.Condition()
        self._slots: dict[str, _Slot[Item]] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, source: str, stamp: int, item: Item, *, in_order: bool = False) -> int:
        """Leave `item` for the worker; returns how many older ones that still waited were thrown away for it.

        in_order: it is of use only after those before it, which wait as well; when far too many do, all are dropped.
        """
        with self._condition:
            slot = self._slots.setdefault(source, _Slot(stamp))
            dropped = 0
            if not in_order or len(slot.items) >= MAX_IN_ORDER:
                dropped = len(slot.items)
                slot.items = []
            slot.items.append(item)
            self._condition.notify()
        return dropped

    def stop(self) -> None:
        """Finish the items at work, drop those that wait, end the thread."""
        with self._condition:
            self._stopping = True
            self._slots = {}
            self._condition.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stopping or self._slots)
                if self._stopping:
                    return
                source = min(self._slots, key=lambda name: self._slots[name].since)
                slot = self._slots.pop(source)
            self._work(source, slot.items)
