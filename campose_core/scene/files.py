"""scene.yaml and frames.csv: read as they belong together, and written by one process at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from campose_core.errors import SceneError
from campose_core.files import read_bytes
from campose_core.scene.exchange import current, finish, write_together
from campose_core.scene.lock import locked
from campose_core.scene.names import refuse_links_out

HEADER, FRAMES = "scene.yaml", "frames.csv"


@dataclass
class SceneFiles:
    """What a scene and the changed copies of it know to be in the two files, by the folder; they share one of these.

    A folder that is not in `digests` was never looked at, so that anything may be there.
    """

    digests: dict[Path, str] = field(default_factory=dict)

    def read(self, folder: Path) -> tuple[bytes, bytes]:
        """Read scene.yaml and frames.csv, the old ones or the new ones where another process exchanges them.

        Raises:
            SceneError: frames.csv cannot be read. OSError: scene.yaml cannot.
        """
        while True:
            header = read_bytes(current(folder, HEADER), SceneError)
            try:
                frames = read_bytes(current(folder, FRAMES), SceneError)
            except OSError as error:
                raise SceneError(f"{folder / FRAMES}: cannot be read: {error.strerror}") from error
            if read_bytes(current(folder, HEADER), SceneError) == header:
                self.digests[folder] = _digest(header, frames)
                return header, frames

    def expect_none(self, folder: Path) -> None:
        """Note that the folder holds no scene."""
        self.digests[folder] = _digest_of(folder)

    def write(self, folder: Path, header: str, frames: str, *prepared: Path) -> None:
        """Write both files, with folders that are `prepared` as `write_together` has them, or nothing.

        Raises:
            SceneError: see `writing`. OSError: the disk is full.
        """
        with self.writing(folder):
            write_together(folder, {FRAMES: frames, HEADER: header}, *prepared)
            self.digests[folder] = _digest(header.encode(), frames.encode())

    @contextmanager
    def writing(self, folder: Path, *names: str) -> Iterator[None]:
        """Be the one writer of the scene for the block, which writes to `names` in its folder.

        An exchange that was begun and not ended is finished first.

        Raises:
            SceneError: another process writes the scene, or did since the two files were read; or one of `names` is,
                or holds, a link that leads out of the scene.
        """
        with locked(folder):
            finish(folder)
            if folder in self.digests and self.digests[folder] != _digest_of(folder):
                raise SceneError(
                    f"{folder} was changed by another process since it was read: run this again, on what it is now"
                )
            for name in names:
                refuse_links_out(folder, name)
            yield


def _digest(header: bytes, frames: bytes) -> str:
    return hashlib.sha256(hashlib.sha256(header).digest() + frames).hexdigest()


def _digest_of(folder: Path) -> str:
    files = (current(folder, name) for name in (HEADER, FRAMES))
    return _digest(*(read_bytes(file, SceneError) if file.is_file() else b"" for file in files))
