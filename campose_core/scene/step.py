"""A step that writes a scene: alone, and on what it was given."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from campose_core.scene.scene import Scene

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Step = Callable[Concatenate[Scene, Arguments], Result]


def writes(*names: str) -> Callable[[Step[Arguments, Result]], Step[Arguments, Result]]:
    """Make a function of a scene a step that is its only writer, and that writes to `names` in its folder.

    The step raises SceneError, before it begins, as `campose_core.scene.files.SceneFiles.writing` does.
    """

    def decorate(step: Step[Arguments, Result]) -> Step[Arguments, Result]:
        @wraps(step)
        def alone(scene: Scene, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            with scene.writing(*names):
                return step(scene, *args, **kwargs)

        return alone

    return decorate
