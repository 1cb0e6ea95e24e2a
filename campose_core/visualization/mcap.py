"""MCAP files that Foxglove and Lichtblick open, and that are bags of ROS 2."""

from __future__ import annotations

from pathlib import Path

from campose_core.errors import CamposeError
from campose_core.extras import load_extra
from campose_core.files import replacing
from campose_core.visualization.cdr_channels import CdrChannels
from campose_core.visualization.topics import Source

# A failed write shows when the file is flushed: often enough to stop early, seldom enough to compress well.
MESSAGES_PER_FLUSH = 500


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
        with replacing(path) as beside, foxglove.open_mcap(beside, context=context, writer_options=options) as writer:
            channels.log(source.latched(begin_ns))
            for count, message in enumerate(source.messages(begin_ns, channels.wanted), start=1):
                channels.log([message])
                if count % MESSAGES_PER_FLUSH == 0:
                    writer.flush()
    except (OSError, RuntimeError) as error:  # foxglove reports every I/O fault as RuntimeError
        raise CamposeError(f"{path} cannot be written: {error}") from error
