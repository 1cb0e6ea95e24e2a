"""`campose update SCENE NEW`: a new recording becomes part of the map; `--undo` takes the last one out again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace

from campose_core.capture.camera_file import read_camera_file
from campose_core.cli.console import say, show
from campose_core.cli.numbers import FrameRate
from campose_core.errors import CamposeError, MissingDependency, UsageError
from campose_core.scene.scene import Scene
from campose_core.update.step import UpdateOptions, undo_update, update_scene


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the scene, the new recording or --undo, and how to read it."""
    parser.add_argument("scene", help="scene folder, mapped and aligned")
    parser.add_argument("new", nargs="?", metavar="NEW", help="video file, folder of images, or bag")
    parser.add_argument("--undo", action="store_true", help="put back what was before the last update")
    parser.add_argument("--reference", type=Path | None, help="TUM file of map_from_cam: errors before and after")
    parser.add_argument("--topic", type=str | None, help="image topic, for bags with several")
    parser.add_argument("--fps", type=FrameRate, default=10.0, help="keep at most this many frames a second")
    parser.add_argument("--camera", metavar="FILE", type=str | None, help="intrinsics, as for `campose extract`")
    parser.add_argument("--no-train", action="store_true", help="leave the models as they are; they stay usable")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: Namespace) -> None:
    """Update the map and train the models anew, or undo the last update; prints the report."""
    if options.undo == (options.new is not None):
        raise UsageError("give a recording to update the map with, or --undo")
    scene = Scene.open(options.scene)
    if options.undo:
        undo_update(scene)
        return
    chosen = UpdateOptions(
        reference=options.reference,
        topic=options.topic,
        fps=None if options.fps == "all" else float(options.fps),
        camera=read_camera_file(options.camera, [options.new], [options.topic] if options.topic else [])
        if options.camera
        else None,
    )
    scene, report = update_scene(scene, Path(options.new), chosen)
    if not options.no_train:
        train_again(scene)
    show(*(json.dumps(report) if options.json else _table(report)).splitlines())


def train_again(scene: Scene) -> Scene:
    """Train the models anew, each with the options it had, where the map has changed since; returns the scene."""
    stale = [step for step in scene.steps if step.startswith("train:") and not scene.is_current(step)]
    # A model whose folder somebody removed is not wanted any more.
    names = [name for step in stale if (scene.models_dir / (name := step.removeprefix("train:"))).is_dir()]
    if not names:
        return scene
    try:
        from campose_core.cli.train import require_training_packages

        require_training_packages()
    except MissingDependency as error:
        say(f"update: {', '.join(names)} are as before the update, train them anew: {error}")
        return scene
    from campose_core.learning.options import TrainOptions
    from campose_core.learning.train import train

    known = {field.name for field in dataclasses.fields(TrainOptions)}
    say(f"update: training again with the new frames: {', '.join(names)}; as before they stay usable (--no-train)")
    for name in names:
        record: dict[str, Any] = scene.steps[f"train:{name}"]["options"]
        lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        if set(lists) != known:
            say(f"update: {name} was trained by another version of campose: train it anew, or use it as it is")
            continue
        try:
            scene = train(scene, name, TrainOptions(**lists))
        except CamposeError as error:  # the map is updated, and the model as good as before
            say(f"update: {name} is as before the update: {error}")
    return scene


def _table(report: dict[str, Any]) -> str:
    held_out, landmarks = report["held_out"], report["landmarks"]
    lines = [f"{'frames left out of the update':30} {'found':>7} {'landmarks':>10} {'error':>18}"]
    for when in ("before", "after"):
        row = held_out[when]
        error = "-" if row["median_m"] is None else f"{100 * row['median_m']:.2g} cm / {row['median_deg']:.2g} deg"
        lines.append(f"{when:30} {row['found_share']:>7.0%} {row['median_inliers']:>10.0f} {error:>18}")
    lines.append(
        f"landmarks: {landmarks['before']} before, {landmarks['added']} added, {landmarks['refreshed']} refreshed, "
        f"{landmarks['removed']} removed, {landmarks['after']} after"
    )
    lines.append(
        f"frames: {report['posed']} of {report['frames']} have a pose, "
        f"{len(report['keyframes_added'])} of them are keyframes"
    )
    return "\n".join(lines)
