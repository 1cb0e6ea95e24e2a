"""Runs a verb on copies of a scene, killed at random moments and run again, in forks of one process: imports are paid
once.

    python kill_loop.py < {"template": SCENE, "folder": SCENE, "arguments": [...], "kills": N}

The process kills itself at the nth time it is about to open a file for writing, or to rename, link or remove
something. What it prints: {"events": how many there are, "runs": [{"event", "killed", "code", "files"}, ...]}, where
the files, by name with a digest, are those after the verb was run again; the first run is not killed.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
from pathlib import Path

EVENTS = ("os.rename", "os.link", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.truncate")


def forked(arguments: list[str], folder: str, dies_at: int = 0) -> tuple[int, int]:
    """The exit code, negative where a signal ended it, and the number of events."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        from campose_core.cli.main import main

        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        count = 0

        def count_event(event: str, args: tuple) -> None:
            nonlocal count
            writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
            if (writes or event in EVENTS) and str(args[0]).startswith(folder):
                count += 1
                if count == dies_at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count_event)
        code = main(arguments)
        os.write(writing, str(count).encode())
        os._exit(code)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    told = os.read(reading, 100)
    os.close(reading)
    return os.waitstatus_to_exitcode(status), int(told or 0)


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def loop(template: str, folder: str, arguments: list[str], kills: int) -> dict:
    def fresh() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)

    fresh()
    code, events = forked(arguments, folder)
    runs = [{"event": 0, "killed": 0, "code": code, "files": files(Path(folder))}]
    chosen = random.Random(" ".join(arguments[:1])).sample(range(1, events + 1), min(kills, events))
    for event in sorted(chosen):
        fresh()
        killed, _ = forked(arguments, folder, event)
        code, _ = forked(arguments, folder)
        runs.append({"event": event, "killed": killed, "code": code, "files": files(Path(folder))})
    return {"events": events, "runs": runs}


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    sys.path.insert(0, str(Path.cwd()))
    __import__(f"campose_core.cli.{wanted['arguments'][0]}")
    print(json.dumps(loop(**wanted)))
