"""Opening a video file: which of its streams is taken, what it promises, and why it cannot be read."""

from pathlib import Path
from typing import Any

from campose_core.capture.joined_films import boxes
from campose_core.capture.video_stamps import nanoseconds
from campose_core.errors import CaptureError
from campose_core.extras import load_extra
from campose_core.pixels.video_packets import BOUNDED
from campose_core.trajectory import stamp_from_seconds

MEND = "copy it from the camera once more, rebuild the index of an MP4 with `untrunc`, or record anew"


def opened(path: Path) -> Any:
    """Return PyAV's container.

    Raises:
        CaptureError: it is no video, or cut off before its index.
    """
    av = load_extra("av", "robot")
    try:
        container = av.open(str(path.absolute()))  # FFmpeg takes what stands before the colon of a:b.mp4 for a protocol
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise CaptureError(
            f"{path}: not a readable video ({why(error)}); one that was cut off may have lost the index at its end: "
            f"{MEND}; another kind of file: convert it to MP4"
        ) from error
    return container


def why(error: Exception) -> str:
    """Return in our words why a file cannot be read on."""
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "it may not be read: allow it with `chmod u+r`"
    if isinstance(error, EOFError):
        return "it ends before any image"
    return "its data are no video, or damaged"


def chosen_stream(path: Path, container: Any) -> Any:
    """Return the largest video stream, of equal ones the default; no image beside a video, and what can be decoded.

    Raises:
        CaptureError: there is none.
    """
    from av.stream import Disposition

    beside = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    moving = [stream for stream in container.streams.video if not stream.disposition & beside]
    if not moving:
        raise CaptureError(f"{path}: {cut_index(path) or 'holds no video stream'}")
    known = [stream for stream in moving if stream.codec_context is not None]
    if not known:
        unknown = "its video codec is unknown: convert it to MP4 with the program that wrote it"
        raise CaptureError(f"{path}: {cut_index(path) or unknown}")
    most = max(stream.frames for stream in known)  # 0 where the file does not tell
    often = [stream for stream in known if not stream.frames or 10 * stream.frames >= most]  # no thumbnails
    chosen = max(often, key=lambda s: (s.width * s.height, bool(s.disposition & Disposition.default), -s.index))
    chosen.codec_context.options = BOUNDED
    return chosen


def cut_index(path: Path) -> str:
    """Return what to say of an MP4 file that ends within its box `moov`; empty of any other."""
    found, size = boxes(path), path.stat().st_size
    is_cut = bool(found) and found[-1][0] == b"moov" and found[-1][1] > size
    return f"cut off in the index at its end, without which no image is found: {MEND}" if is_cut else ""


def described(stream: Any) -> str:
    """Return its size and codec, for messages."""
    codec = stream.codec_context
    return f"{codec.width}x{codec.height} {codec.name}" if codec is not None else "one of an unknown codec"


def missing_at_end(stream: Any, frames: int, discarded: int, last_ns: int, longest_ns: int) -> tuple[int, str] | None:
    """Compare what was decoded with the length and number of images that the header promises, if it does.

    discarded: packets that show no image, as those in front of where an editor cut. last_ns, longest_ns: the last
    stamp, and the longest time from one to the next: the last image may last as long.

    Returns:
        How many are missing, at least 1, and what to say; None where nothing is.
    """
    form, end_ns = stream.container.format.name, _promised_end_ns(stream)
    promised = stream.frames - discarded
    if form.startswith("mov"):  # its index leaves out what an editor cut off
        promised = min(promised, len(stream.index_entries) - discarded)
    is_short = end_ns is not None and end_ns - last_ns > 1_000_000_000 + longest_ns
    if form == "avi":  # counts an image once for each time that it is shown, and so tells when they end
        end_ns = nanoseconds(stream.frames, stream.time_base) or 0
        promised = frames + (max(0, end_ns - last_ns) // longest_ns - 1 if longest_ns else 0)
    if not is_short and promised - frames <= 2 + frames // 50:
        return None
    promise = f"{end_ns / 1e9:.3f} s" if end_ns is not None and (is_short or form == "avi") else f"{promised} frames"
    what = f"cut off or damaged: {frames} frames up to {last_ns / 1e9:.3f} s, of {promise}"
    return max(1, promised - frames), what


def _promised_end_ns(stream: Any) -> int | None:
    """Return when the last image ends, as the header says; None where it does not."""
    start_ns = nanoseconds(stream.start_time, stream.time_base) or 0
    duration_ns = nanoseconds(stream.duration, stream.time_base)
    if duration_ns is None and "DURATION" in stream.metadata:  # Matroska: hh:mm:ss.nnnnnnnnn
        try:
            hours, minutes, seconds = stream.metadata["DURATION"].split(":")
            # The end, counted from zero, also of what begins later.
            return (int(hours) * 60 + int(minutes)) * 60_000_000_000 + stamp_from_seconds(seconds)
        except (ValueError, ArithmeticError):
            return None
    return None if duration_ns is None else start_ns + duration_ns
