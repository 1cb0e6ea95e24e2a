"""Where one image was taken, in words and as a drawing."""

from __future__ import annotations

import json
import math
import os
import sys
import webbrowser
from pathlib import Path
from typing import Any

import numpy as np
from jsonargparse import Namespace

from campose_core.capture.sources.image_folder import ImageFile
from campose_core.cli.console import say, show
from campose_core.cli.query import query_camera
from campose_core.errors import CamposeError, UsageError
from campose_core.evaluation.run import frames_with_camera
from campose_core.files import replacing
from campose_core.floorplan.scene_floor import walkable_of, why_not_snapped
from campose_core.localization.estimators.base import Kind
from campose_core.localization.estimators.registry import load_estimator
from campose_core.localization.localizer import Localizer
from campose_core.localization.options import LocalizerOptions
from campose_core.localization.result import LocalizationResult
from campose_core.scene.scene import Scene
from campose_core.text import one_line
from campose_core.visualization.place import heading_of, place_picture
from campose_core.visualization.scene_landmarks import read_landmarks


def show_place(options: Namespace, image: ImageFile) -> None:
    """Localize it, print what came of it, and write the drawing to --out, or to IMAGE-place.png in this folder."""
    out = options.out or Path(f"{image.name}-place.png")
    if out.suffix.lower() != ".png":
        raise UsageError(f"--out {out}: with --show it is a drawing; call it PLACE.png")
    scene = Scene.open(options.scene)
    walkable = walkable_of(scene)
    landmarks = read_landmarks(scene)
    # A single image has nobody to confirm it.
    alone = LocalizerOptions(confirmations=1)
    localizer = Localizer(load_estimator(scene, options.estimator), None, walkable, alone, scale=scene.scale)
    (known,) = frames_with_camera(scene, image, query_camera(options, image.path), "localize")
    result = localizer.localize(*known)
    floor = None if walkable is None else walkable.floor
    drawing = place_picture(*known, result, floor, None if landmarks is None else landmarks.xyz)
    try:
        with replacing(out) as beside:
            beside.write_bytes(drawing)
    except OSError as error:
        raise CamposeError(f"{out} cannot be written ({error.strerror})") from error
    if options.json:
        show(json.dumps({**facts_of(result), "drawing": str(out)}))
    else:
        if why := why_not_snapped(scene):
            say(f"localize: {why}")
        show(*f"{one_line(str(image.path))}: {in_words(result)}".splitlines(), str(out))
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(out.resolve().as_uri())


def facts_of(result: LocalizationResult) -> dict[str, Any]:
    """Return metres (units of the map where its `scale` is unknown) and degrees in the map frame.

    The heading is where the camera looks, from the map's x axis. What is not known is left out.
    """
    facts: dict[str, Any] = {"state": result.status.value, "landmarks": result.support, "reason": result.reason}
    facts["scale"] = result.scale.basis.value
    if result.map_from_cam is None or result.covariance is None or result.kind is None:
        return facts
    x, y, z = result.map_from_cam.translation.tolist()
    facts |= {"kind": result.kind.value, "x_m": x, "y_m": y, "z_m": z}
    facts |= {"heading_deg": math.degrees(heading_of(result.map_from_cam)), "covariance": result.covariance.tolist()}
    if result.snapped_map_from_base is not None:
        snapped_x, snapped_y, _ = result.snapped_map_from_base.translation.tolist()
        facts["snapped"] = {"x_m": snapped_x, "y_m": snapped_y}
    if result.snap_distance_m is not None:
        facts["snap_distance_m"] = result.snap_distance_m
    if result.off_map or result.snap_distance_m is not None:
        facts["off_map"] = result.off_map
    return facts


def in_words(result: LocalizationResult) -> str:
    """Say the same for people, with standard deviations; or why there is no pose."""
    facts = facts_of(result)
    if result.covariance is None or "x_m" not in facts:
        return f"not found: {result.reason}"
    sigma, unit = np.sqrt(np.diagonal(result.covariance)), result.scale.unit
    off = ", ".join(f"{1e3 * s:.0f}" if result.scale.is_known else f"{s:.4f}" for s in sigma[:3])
    by_landmarks = result.kind in (Kind.TRACKED, Kind.RELOCALIZED)
    by = f"{facts['landmarks']} landmarks ({facts['kind']})" if by_landmarks else facts["kind"]
    said = (
        f"{facts['state']} by {by}\n"
        f"x {facts['x_m']:.3f} {unit}, y {facts['y_m']:.3f} {unit}, z {facts['z_m']:.3f} {unit}, looking "
        f"{facts['heading_deg']:.1f} deg from the x axis\n"
        f"standard deviations: {off} {'mm' if result.scale.is_known else unit}, "
        f"{', '.join(f'{math.degrees(s):.2f}' for s in sigma[3:])} deg"
    )
    if result.scale.caution():
        said += f"\n{result.scale.caution()}"
    if "snapped" in facts:
        at = facts["snapped"]
        said += f"\non walkable floor: x {at['x_m']:.3f} m, y {at['y_m']:.3f} m ({facts['snap_distance_m']:.2f} m away)"
    elif result.off_map:
        far = result.snap_distance_m
        said += (
            f"\noff the map: {'no walkable floor is near' if far is None else f'walkable floor is {far:.2f} m away'}"
        )
    return said
