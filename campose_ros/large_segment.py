"""Raw images without loss: Fast DDS with a shared-memory segment that holds some of them, for who publishes images."""

import os
from pathlib import Path

from campose_core.cli.console import say
from campose_core.files import config_file

PROFILE = "fastdds_large_shm.xml"
VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")  # Fast DDS 2 (Jazzy) and 3
SEGMENT_BYTES = 64 << 20
SHARED_MEMORY = Path("/dev/shm")


def use_large_segment() -> None:
    """Give DDS the large segment; call it before rclpy.init. A profile that the environment names stays."""
    if any(os.environ.get(name) for name in VARIABLES):
        return
    profile = config_file(PROFILE)
    if profile is None:
        say(f"{PROFILE} is not installed: raw images larger than 0.5 MB may be lost")
    elif _free_bytes() < SEGMENT_BYTES:
        say(f"{SHARED_MEMORY} has less than 64 MB left: raw images larger than 0.5 MB may be lost")
    else:
        os.environ.update(dict.fromkeys(VARIABLES, str(profile)))


def _free_bytes() -> int:
    if not SHARED_MEMORY.is_dir():
        return 0
    state = os.statvfs(SHARED_MEMORY)
    return state.f_bavail * state.f_frsize
