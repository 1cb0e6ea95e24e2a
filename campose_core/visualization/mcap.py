"""MCAP files that Foxglove and Lichtblick open, and that are bags of ROS 2."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from campose_core.errors import CamposeError
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.visualization.cdr_channels import CdrChannels
from campose_core.visualization.topics import Source


class _Disk:
    """The file that foxglove writes to; of a fault, foxglove would print a line for each message, and lose the reason.

    fault: the first. What comes after it is dropped, though foxglove is told that it was written.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at, self._size = file, 0, 0
        self.fault: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            if self.fault is None:
                self._file.seek(self._at)
                self._file.write(data)
        except OSError as error:
            self.fault = error
        self._at += len(data)
        self._size = max(self._size, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def flush(self) -> None:
        pass  # the block that opened the file closes it


def write_source(path: Path | str, source: Source) -> None:
    """Write a source from its beginning to its end as a file of rosbag2's profile, whole or not at all.

    Raises:
        SceneError: an image of the scene is missing.
        CamposeError: the file cannot be written.
        MissingDependency: foxglove-sdk is not installed.
    """
    foxglove, path = load_extra("foxglove", "view"), Path(path)
    from foxglove.mcap import MCAPWriteOptions

    context = foxglove.Context()
    channels = CdrChannels(context, source.topics)
    options = MCAPWriteOptions(profile="ros2")
    begin_ns, _ = source.span_ns
    try:
        with replacing(path) as beside, open(beside, "wb") as file:
            disk = _Disk(file)
            with foxglove.open_mcap(disk, context=context, writer_options=options):
                channels.log(source.latched(begin_ns))
                for message in source.messages(begin_ns, channels.wanted):
                    channels.log([message])
                    if disk.fault is not None:
                        break
            if disk.fault is not None:
                raise disk.fault
    except OSError as error:
        raise CamposeError(f"{path} cannot be written: {error.strerror}") from error
