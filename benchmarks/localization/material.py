"""What the benchmarks work on: the recordings of a kitchen and of a rendered floor, and the scenes built from them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from campose_core.scene.scene import Scene


@dataclass(frozen=True)
class Place:
    """A scene, and a query recording that it was not built from, with its trajectory."""

    name: str
    scene: Scene
    query: Path
    truth: Path


@dataclass(frozen=True)
class Material:
    """kitchen: handheld, real (7-Scenes). demo: rendered, driven; `world` is what `campose simulate` wrote. out: where
    results go."""

    kitchen: Place
    demo: Place
    world: Path
    out: Path

    @property
    def places(self) -> tuple[Place, Place]:
        return self.kitchen, self.demo


def prepare(data: Path, out: Path) -> Material:
    """Render and build what is missing in `out`.

    data: the folder with mapping.mp4, mapping.tum, query.mp4 and query.tum of the kitchen.
    """
    world, kitchen, demo = out / "world", out / "kitchen", out / "demo"
    campose("simulate", world, "--size", "demo")
    campose("build", data / "mapping.mp4", "--scene", kitchen, "--reference", data / "mapping.tum")
    floor = ["--map", world / "floor" / "map.yaml", "--reference", world / "mapping.tum"]
    campose("build", world / "mapping.bag", "--scene", demo, "--fps", 5, *floor)
    return Material(
        Place("kitchen", Scene.open(kitchen), data / "query.mp4", data / "query.tum"),
        Place("demo", Scene.open(demo), world / "later.bag", world / "later.tum"),
        world,
        out,
    )


def campose(*arguments: object) -> None:
    """The command line; it does again only what is missing."""
    command = [sys.executable, "-m", "campose_core.cli.main", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
