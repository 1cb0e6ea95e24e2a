"""A verb on a disk that is full: as if no file could have more bytes than so many."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kill_loop import files

NO_SPACE = (
    "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2);"
    "from campose_core.cli.main import main; sys.exit(main(sys.argv[2:]))"
)


def full_disk(scene: Path, words: list[str], most_bytes: int, passing: str = ".sfm.work") -> None:
    """The verb says so in a line that names the scene, which stays as it was but for files of that beginning."""
    before = kept(scene, passing)
    ran = subprocess.run([sys.executable, "-c", NO_SPACE, str(most_bytes), *words], capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    last = ran.stderr.splitlines()[-1]
    assert last.startswith(f"campose {words[0]}: ")
    assert str(scene) in last
    assert "File too large" in last
    assert "Traceback" not in ran.stderr
    assert kept(scene, passing) == before


def kept(scene: Path, passing: str) -> dict[str, str]:
    return {name: digest for name, digest in files(scene).items() if not name.startswith(passing)}
