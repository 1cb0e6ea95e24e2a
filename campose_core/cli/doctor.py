"""`campose doctor SCENE`"""

import errno
import json
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from campose_core.cli.console import say, show
from campose_core.doctor.diagnosis import diagnose
from campose_core.doctor.diagnosis_picture import picture_of
from campose_core.doctor.diagnosis_text import text_of
from campose_core.files import write_bytes, write_text
from campose_core.scene.names import place
from campose_core.scene.scene import Scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene and --json."""
    parser.add_argument("scene", type=Path, help="scene folder, in whatever state; only its reports/ are written")
    parser.add_argument("--json", action="store_true", help="print all that was found as one JSON object")


def run(options: Namespace) -> None:
    """Diagnose the scene; prints what was found, and writes reports/doctor.json and, if it can be drawn, doctor.png."""
    scene = Scene.open(options.scene)
    found = diagnose(scene)
    facts = json.dumps(found.to_dict())
    show(*(facts if options.json else text_of(found)).splitlines())
    picture = picture_of(found)
    try:
        write_text(place(scene.path, "reports/doctor.json"), facts + "\n")
        if picture is not None:
            write_bytes(place(scene.path, "reports/doctor.png"), picture)
            say(f"the picture: {scene.reports_dir / 'doctor.png'}")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        say(f"{scene.reports_dir} cannot be written to ({error.strerror}): the report and the picture are left out")
