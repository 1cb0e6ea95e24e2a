"""Where campose can be extended: one table a seam, from a name to a class that is imported when it is asked for.

A seam's own kinds stand in its table as "module:Class". Installed packages add theirs as entry points of the group
`campose.SEAM`, and need no line here. docs/extend/ has a recipe for each seam.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from campose_core.errors import CamposeError, PluginError

T = TypeVar("T")


@dataclass(frozen=True)
class Seam(Generic[T]):
    """Kinds of one thing, by name; T is what loading one gives, such as `type[PoseEstimator]`.

    Args:
        name: plural, as in the entry point group `campose.NAME`
        table: campose's own kinds, name -> "module:Class"; a plug-in cannot take one of these names
        error: what an unknown name raises
        members: what each class must have; a plug-in without one is refused as it is loaded
    """

    name: str
    table: Mapping[str, str]
    error: type[CamposeError]
    members: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """List the known names: those of the table in its order, then those of plug-ins."""
        return [*self.table, *sorted({point.name for point in self._plugins()} - set(self.table))]

    def load(self, name: str) -> T:
        """Import the class called `name`.

        Raises:
            CamposeError: of the class `error`: no such name; the message has those that there are.
            PluginError: the plug-in of that name does not import, lacks a member, or two packages bring it.
        """
        if name in self.table:
            module, _, attribute = self.table[name].partition(":")
            return cast(T, getattr(import_module(module), attribute))
        plugins = [point for point in self._plugins() if point.name == name]
        if not plugins:
            known = self.names()
            raise self.error(
                f"there is no {name!r} among the {self.name.replace('_', ' ')} {', '.join(known)}"
                + did_you_mean(name, known)
            )
        if len(plugins) > 1:
            raise PluginError(f"{' and '.join(sorted(map(_described, plugins)))} have the same name: uninstall one")
        return self._load_plugin(plugins[0])

    def _plugins(self) -> list[EntryPoint]:
        return list(entry_points(group=f"campose.{self.name}"))

    def _load_plugin(self, point: EntryPoint) -> T:
        try:
            loaded = point.load()
        except Exception as error:  # whatever its module does as it is imported
            raise PluginError(f"{_described(point)} cannot be imported: {type(error).__name__}: {error}") from error
        missing = [member for member in self.members if not hasattr(loaded, member)]
        if missing:
            raise PluginError(f"{_described(point)} has no {', '.join(missing)}: see docs/extend/")
        return cast(T, loaded)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is nearest, as the end of a message; empty where none is near."""
    nearest = get_close_matches(name, list(known), 1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""


def _described(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "an unknown package"
    return f"the plug-in {point.name} of {package} ({point.group}: {point.value})"
