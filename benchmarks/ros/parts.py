"""The measurements, one function each: material, output folder, minutes -> rows of a table."""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.ros.camera import INFO_TOPIC, TOPIC
from benchmarks.ros.material import KEYFRAMES, Material
from benchmarks.ros.processes import LARGE_SHM, cpu_s, has_loaded, memory_mb, parameters, started
from benchmarks.ros.watching import Watch, percentiles_ms, watching
from campose_core.cli.console import say

NODE, PLAIN, SLOW = "campose_ros.localizer_node", "benchmarks.ros.plain_node", "benchmarks.ros.slow_node"
VIEWER_PORT = 8799
SECONDS = 12.0
FAST_HZ = 100.0
CAMERA_HZ, LIMIT_HZ = 30.0, 10.0
UNHURRIED_HZ = 5.0  # no image waits for the estimate of the one before
STARTS = 5
ROUNDS = 3
CLIENTS = {"1 client": ("1",), "1 slow client": ("1", "slow"), "50 clients": ("50",)}
IDLE_S = 30.0
ROUND_S = 6.0
FOREVER = "100000"


class Row(NamedTuple):
    what: str
    measured: str
    wanted: str = ""
    plain: str = ""


def overhead(material: Material, out: Path, minutes: float) -> list[Row]:
    """Decoding, conversions, publishing and waiting; the estimator's own time is taken off."""
    rows = [Row(f"camera of {UNHURRIED_HZ:g} Hz; p50 / p95", "node", "wanted", "plain node")]
    for transport in ("compressed", "raw"):
        measured = []
        for module in (NODE, PLAIN):
            say(f"overhead: {transport}, {module}")
            with driven(material, out, module, transport, UNHURRIED_HZ) as (watch, _):
                measured.append(watch.spin(2 * SECONDS))
        # When an image was received is known only of the node: in the plain one it waits in the queue of DDS.
        inside = percentiles_ms([answer.latency_s - answer.estimate_s for answer in measured[0]])
        outside = [_ms(percentiles_ms([a.came - a.sent - a.estimate_s for a in answers])) for answers in measured]
        estimates = [_ms(percentiles_ms([answer.estimate_s for answer in answers])) for answers in measured]
        rows += [
            Row(f"{transport}: image received to pose published, without the estimate", _ms(inside), "< 5 / < 15 ms"),
            Row(f"{transport}: image sent to status received, without the estimate", outside[0], "", outside[1]),
            Row(f"{transport}: the estimate", estimates[0], "", estimates[1]),
        ]
    return rows


def overload(material: Material, out: Path, minutes: float) -> list[Row]:
    """A camera of 100 Hz before an estimator of 20 Hz."""
    columns, most_ms = [], list[float]()
    period_s, transit_s = 1 / FAST_HZ, 0.005
    for plain in ("", "1"):
        say(f"overload: {'plain node' if plain else 'node'}")
        ages_file = out / "ages.txt"
        with driven(material, out, SLOW, "compressed", FAST_HZ, AGES=str(ages_file), PLAIN=plain) as (watch, _):
            watch.spin(2.0)
            before = len(ages_file.read_text().splitlines())
            answers = watch.spin(SECONDS)
            ages = [float(line) for line in ages_file.read_text().splitlines()[before:]]
        late = [age > period_s + transit_s for age in ages]
        inside = percentiles_ms([answer.latency_s - answer.estimate_s for answer in answers])
        estimate = percentiles_ms([answer.estimate_s for answer in answers])
        most_ms.append(estimate[0] + 1e3 * period_s)
        columns.append(
            (
                _ms(percentiles_ms(ages)),
                f"{sum(late)} of {len(late)}",
                _ms(inside),
                _ms(estimate),
                _ms(percentiles_ms([answer.came - answer.sent for answer in answers])),
                f"{len(answers) / SECONDS:.1f}",
            )
        )
    names = (
        ("age of the image when its estimate begins", ""),
        (f"  of them older than a period and {1e3 * transit_s:.0f} ms of transport", "0"),
        ("image received to pose published, without the estimate", f"median < {1e3 * period_s:.0f} ms"),
        ("the estimate", ""),
        ("image sent to answer received", f"median < {most_ms[0]:.0f} ms: an estimate and a period"),
        ("images a second", ""),
    )
    rows = [Row(name, ours, wanted, plain) for (name, wanted), ours, plain in zip(names, *columns, strict=True)]
    return [Row("100 Hz camera, 20 Hz estimator; p50 / p95", "node", "wanted", "plain node"), *rows]


def start(material: Material, out: Path, minutes: float) -> list[Row]:
    """Process to ACTIVE: until its subscription to the images is there."""
    from rclpy.qos import QoSProfile
    from sensor_msgs.msg import Image

    spent, processor, torch = [], [], False
    for number in range(STARTS):
        say(f"start: {number + 1} of {STARTS}")
        with watching() as watch:
            publisher = watch.node.create_publisher(Image, TOPIC, QoSProfile(depth=1))
            begin = time.monotonic()
            with node(material.large_scene, out, NODE, "raw") as process:
                while not publisher.get_subscription_count():
                    if process.poll() is not None or time.monotonic() > begin + 60:
                        raise SystemExit(f"the node did not become active: see {out / 'node.log'}")
                    time.sleep(0.005)
                spent.append(time.monotonic() - begin)
                processor.append(cpu_s(process))
                torch |= has_loaded(process, "libtorch")
    loaded = "torch was imported" if torch else "torch not imported"
    return [
        Row(f"process to ACTIVE, {KEYFRAMES} keyframes", "node", "wanted"),
        Row("  processor time of it, median", f"{np.median(processor):.2f} s"),
        Row("  median, most", f"{np.median(spent):.2f} s, {max(spent):.2f} s; {loaded}", "< 3 s, torch not imported"),
    ]


def rate(material: Material, out: Path, minutes: float) -> list[Row]:
    """A camera of 30 Hz of which so many images are localized a second, and all."""
    rows = [Row(f"camera of {CAMERA_HZ:g} Hz, medians of {ROUNDS} rounds", "CPU of the node", "wanted", "images/s")]
    for transport in ("compressed", "raw"):
        for max_rate_hz, wanted in ((LIMIT_HZ, "< 50 % of a core"), (0.0, "")):
            say(f"rate: {transport}, max_rate_hz {max_rate_hz:g}")
            with driven(material, out, NODE, transport, CAMERA_HZ, given={"max_rate_hz": max_rate_hz}) as (watch, one):
                rounds = np.array([_rate(watch, one, None) for _ in range(ROUNDS)], dtype=float)
            images_s, share, _ = np.median(rounds, axis=0)
            limit = f"{max_rate_hz:g} a second" if max_rate_hz else "all"
            rows.append(Row(f"  {transport}, {limit} localized", f"{100 * share:.0f} %", wanted, f"{images_s:.1f}"))
    return rows


def idle(material: Material, out: Path, minutes: float) -> list[Row]:
    """After the camera has stopped."""
    with driven(material, out, NODE, "compressed", 30.0, seconds=4.0) as (watch, process):
        watch.spin(6.0)
        say(f"idle: {IDLE_S:.0f} s")
        before = cpu_s(process)
        time.sleep(IDLE_S)
        share = (cpu_s(process) - before) / IDLE_S
    return [Row("camera stopped", "node", "wanted"), Row("  of a core", f"{100 * share:.1f} %", "< 2 %")]


def viewer(material: Material, out: Path, minutes: float) -> list[Row]:
    """What clients of the viewer take from the node's rate, and what the viewer itself takes: with a camera that leaves
    the two cores some time, and with one that takes them all."""
    return [row for rate_hz in (15.0, 30.0) for row in _viewer_rows(material, out, rate_hz)]


def _viewer_rows(material: Material, out: Path, rate_hz: float) -> list[Row]:
    """In turn, since the rate of a busy node drifts by more than a viewer takes."""
    measured: dict[str, list[_Measured]] = defaultdict(list)
    with driven(material, out, NODE, "compressed", rate_hz) as (watch, process):
        for number in range(ROUNDS):
            say(f"viewer: {rate_hz:g} Hz, round {number + 1} of {ROUNDS}")
            measured["no viewer"].append(_rate(watch, process, None))
            with started("campose_ros.viewer_node", *parameters(port=VIEWER_PORT), log=out / "viewer.log") as shown:
                watch.spin(4.0)
                measured["nobody looks"].append(_rate(watch, process, shown))
                for name, arguments in CLIENTS.items():
                    with _looking(watch, arguments, out / f"{name}.log"):
                        measured[name].append(_rate(watch, process, shown))
            watch.spin(1.0)
    median = {name: _Measured(*np.median(np.array(rounds, dtype=float), axis=0)) for name, rounds in measured.items()}
    rows = [Row(f"camera of {rate_hz:g} Hz, medians of {ROUNDS} rounds", "images/s", "wanted", "CPU of node / viewer")]
    return rows + [Row(f"  {name}", *_shown(one, median["no viewer"])) for name, one in median.items()]


@contextmanager
def _looking(watch: Watch, arguments: tuple[str, ...], log: Path) -> Iterator[None]:
    with started("benchmarks.ros.clients", str(VIEWER_PORT), *arguments, log=log) as clients:
        while "subscribed" not in log.read_text():
            if clients.poll() is not None:
                raise SystemExit(f"the clients ended: see {log}")
            watch.spin(0.5)
        yield


def memory(material: Material, out: Path, minutes: float) -> list[Row]:
    """Resident memory of the node in overload, from half a minute on: the path and the trail fill in the first half."""
    with driven(material, out, SLOW, "compressed", FAST_HZ, AGES=os.devnull, PLAIN="") as (watch, process):
        watch.spin(30.0)
        begin, samples = time.monotonic(), []
        while time.monotonic() < begin + 60 * minutes:
            samples.append((time.monotonic() - begin, memory_mb(process)))
            watch.spin(1.0)
            watch.answers.clear()
    np.savetxt(out / "memory.csv", samples, "%.1f", ",", header="seconds,megabytes", comments="")
    rows = [Row("resident memory, 100 Hz camera, 20 Hz estimator", "node", "wanted")]
    halves = (half.T for half in np.array_split(np.array(samples), 2))
    for name, (seconds, megabytes), wanted in zip(("first", "second"), halves, ("", "flat"), strict=True):
        slope = 60 * float(np.polyfit(seconds, megabytes, 1)[0])
        between = f"{megabytes[0]:.1f} MB to {megabytes[-1]:.1f} MB, {slope:+.3f} MB/min"
        rows.append(Row(f"  {name} half of {minutes:g} min", between, wanted))
    return rows


class _Measured(NamedTuple):
    """Images a second of the node, and shares of a core."""

    rate_hz: float
    node_cpu: float
    viewer_cpu: float = 0.0


def _rate(watch: Watch, process: subprocess.Popen[bytes], shown: subprocess.Popen[bytes] | None) -> _Measured:
    watch.spin(0.5)
    before, begin = [cpu_s(p) for p in (process, shown) if p is not None], time.monotonic()
    answers = watch.spin(ROUND_S)
    seconds = time.monotonic() - begin
    spent = [cpu_s(p) for p in (process, shown) if p is not None]
    return _Measured(len(answers) / seconds, *((after - b) / seconds for after, b in zip(spent, before, strict=True)))


def _shown(measured: _Measured, alone: _Measured) -> tuple[str, str, str]:
    change = f"{measured.rate_hz:.2f} ({100 * (measured.rate_hz / alone.rate_hz - 1):+.1f} %)"
    return change, "within 3 %", f"{100 * measured.node_cpu:.0f} / {100 * measured.viewer_cpu:.0f} %"


@contextmanager
def node(
    scene: Path, out: Path, module: str, transport: str, given: Mapping[str, object] = {}, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    inputs = parameters(
        scene=scene, image_topic=TOPIC, image_transport=transport, camera_info_topic=INFO_TOPIC, **given
    )
    with started(module, *inputs, log=out / "node.log", **environment) as process:
        yield process


@contextmanager
def driven(
    material: Material,
    out: Path,
    module: str,
    transport: str,
    rate_hz: float,
    seconds: float | None = None,
    given: Mapping[str, object] = {},
    **environment: str,
) -> Iterator[tuple[Watch, subprocess.Popen[bytes]]]:
    """A node that tracks before the wall, for its camera publishes. The camera has the Fast DDS profile for raw."""
    duration = FOREVER if seconds is None else str(seconds)
    camera = (str(material.pictures), str(rate_hz), duration, transport)
    with (
        watching() as watch,
        node(material.scene, out, module, transport, given, **environment) as process,
        started("benchmarks.ros.camera", *camera, log=out / "camera.log", **LARGE_SHM),
    ):
        watch.wait_for_tracking()
        yield watch, process


def _ms(values: tuple[float, float]) -> str:
    return f"{values[0]:.1f} / {values[1]:.1f} ms"
