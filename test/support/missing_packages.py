"""What a test may skip for: a package of an extra that is not installed."""

import traceback
from importlib.util import find_spec
from pathlib import Path

from campose_core.errors import MissingDependency

ROOT = Path(__file__).resolve().parents[2]
# What imports packages of extras as it is imported. Elsewhere in campose_core they are imported late, by load_extra:
# an import that is not is no reason to skip.
AT_ONCE = tuple(str(ROOT / folder) for folder in ("test", "benchmarks", "campose_core/learning", "campose_ros"))


def reason_to_skip(error: BaseException | None) -> str:
    """Of an error, or of what it was raised from; empty where there is none."""
    while error is not None:
        if isinstance(error, MissingDependency):
            return str(error)
        if isinstance(error, ModuleNotFoundError) and error.name and _is_missing(error.name.split(".")[0]):
            files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
            importing = [file for file in files if not file.startswith("<frozen")]
            if importing and importing[-1].startswith(AT_ONCE):
                return f"{error.name} is not installed"
        error = error.__cause__
    return ""


def _is_missing(package: str) -> bool:
    ours = package.startswith(("campose", "test_")) or any((ROOT / "test").rglob(f"{package}.py"))
    return not ours and find_spec(package) is None
