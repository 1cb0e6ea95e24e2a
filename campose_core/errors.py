"""What goes wrong for reasons outside this code: one class per kind of fault, one clear line each.

The command line prints the message and exits with `exit_code`; the node fails its transition with it. A message names
the file or value at fault and says what to do about it.
"""

from campose_core.text import one_line


class CamposeError(Exception):
    """Base of every fault that a person can cause and cure; its text is one line, whatever it quotes."""

    exit_code = 1

    def __str__(self) -> str:
        """Return the message; what files and messages of others put into it is escaped."""
        return one_line(super().__str__())


class UsageError(CamposeError):
    """The command or its options make no sense (exit code 2, as argparse's own refusals)."""

    exit_code = 2


class MissingDependency(CamposeError):
    """An optional package is not installed, or a file of this one is damaged; the message says what to install."""


class PluginError(CamposeError):
    """An installed package that extends campose, and is broken; the message names it."""


class GeometryError(CamposeError):
    """A pose, a camera or a set of points that has no valid geometry."""


class TrajectoryError(CamposeError):
    """A trajectory file or a pair of trajectories that cannot be used."""


class CaptureError(CamposeError):
    """A video, image folder or bag that cannot be read, or holds nothing usable."""


class SceneError(CamposeError):
    """A scene folder that is absent, incomplete or not a scene."""


class MappingError(CamposeError):
    """Structure from motion failed; the message names the stage and what to record instead."""


class AlignmentError(CamposeError):
    """The reconstruction cannot be put into the map frame with what was given."""


class FloorError(CamposeError):
    """A floor map or a plan drawing that cannot be used."""


class LearningError(CamposeError):
    """Training data or options that cannot be trained on."""


class CheckpointError(LearningError):
    """A model folder that is corrupt, foreign, or does not match its description."""


class LocalizationError(CamposeError):
    """A scene that cannot be localized in (no landmarks, no such model)."""


class TransformError(CamposeError):
    """The place of a frame that tf does not tell; the message names the link."""


class TransformNotYetKnown(TransformError):
    """The stamp is newer than the newest transform: the next one may tell."""


def in_words(error: Exception) -> str:
    """Return why what a file holds is of no use: in the words of a refusal, of the system, or ours for Python's."""
    if isinstance(error, (CamposeError, OSError)):
        return str(error)
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is missing"
    return "a value is of another kind than it should be"


class WorkerDone(Exception):
    """Not a fault: this process only helped another one to train, which goes on alone."""
