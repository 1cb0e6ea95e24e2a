"""A camera that a person gives, as a file."""

from pathlib import Path

from campose_core.camera import MODEL_PARAMS, Camera
from campose_core.errors import GeometryError
from campose_core.yaml_files import read_yaml


def read_camera_file(path: Path | str) -> Camera:
    """Read a camera from JSON or YAML: {width, height, model, params}, or {width, height, fx, fy, cx, cy}: a pinhole.

    The first pixel's centre is (0, 0).

    Raises:
        GeometryError: unreadable, a key is missing or unknown, or the numbers are no camera.
    """
    path = Path(path)
    fields = read_yaml(path, GeometryError)
    if not isinstance(fields, dict):
        raise GeometryError(f"{path}: expected the keys width, height, model, params (or fx, fy, cx, cy)")
    try:
        model = str(fields.get("model", "PINHOLE"))
        named = fields if "params" not in fields else {}
        params = fields.get("params") or [named[name] for name in MODEL_PARAMS.get(model, ())]
        unknown = set(fields) - {"width", "height", "model", "params", *MODEL_PARAMS.get(model, ())}
        if unknown and model in MODEL_PARAMS:
            raise GeometryError(f"unknown key {sorted(map(str, unknown))[0]!r} for a {model} camera")
        return Camera(model, int(fields["width"]), int(fields["height"]), tuple(float(value) for value in params))
    except KeyError as error:
        raise GeometryError(f"{path}: the key {error} is missing") from error
    except (TypeError, ValueError, OverflowError, GeometryError) as error:
        raise GeometryError(f"{path}: {error}") from error
