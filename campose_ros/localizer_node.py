"""The localizer node: camera images in, the robot's pose on the floor plan out.

Callbacks run on one thread and only take messages in; images are decoded and localized on a worker thread with one
slot, so that an old image is dropped, never queued. What is published carries the stamp of its image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from nav_msgs.srv import LoadMap
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from campose_core.cli.console import exit_code_of
from campose_core.errors import CamposeError
from campose_core.floorplan.scene_floor import why_not_snapped
from campose_core.map_scale import MEASURED
from campose_ros import parameters as table
from campose_ros.camera_parameters import declare_cameras, read_cameras
from campose_ros.clock_watch import ClockWatch
from campose_ros.conversions import key_values
from campose_ros.diagnostics import name_of
from campose_ros.live import Configured, LiveLocalization
from campose_ros.loading import LoadedScene, load
from campose_ros.outputs import Outputs
from campose_ros.plain_log import PlainLog, fault_line
from campose_ros.process import run
from campose_ros.transforms import Transforms
from campose_ros.transitions import refuse_misfits

DISABLED = "disabled: call set_enabled with true"
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class LocalizerNode(PlainLog, LifecycleNode):
    """Lifecycle: configure loads the scene; activate subscribes; deactivate unsubscribes; cleanup unloads."""

    def __init__(self, name: str = "localizer", **options: Any) -> None:
        super().__init__(name, **options)
        refuse_misfits(self)
        self._configured: Configured | None = None
        self._live: LiveLocalization | None = None
        self._active = False
        self._fault = ""
        # Before the declaration, so that values from the command line and from files are checked as well.
        self.add_on_set_parameters_callback(self._may_set)
        table.declare(self)
        declare_cameras(self)
        self.add_post_set_parameters_callback(self._have_set)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._clock_watch = ClockWatch(self)
        self._wake = self.create_guard_condition(self._report)
        # On a steady clock: simulated time may stand still, and an operator still wants to know.
        self._timer = self.create_timer(1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.create_service(Trigger, "~/relocalize", self._on_relocalize)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/set_enabled", self._on_set_enabled)
        self.create_service(LoadMap, "~/load_scene", self._on_load_scene)
        if self.get_parameter("autostart").value and self.trigger_configure() == SUCCESS:
            self.trigger_activate()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("configure", self._configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        return self._guarded("activate", self._activate, state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._deactivate(state)
        return SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._unload()
        return SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._unload()
        return SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        self._unload()
        return SUCCESS

    def destroy_node(self) -> None:
        self._unload()
        super().destroy_node()

    def _guarded(
        self, name: str, work: Callable[[LifecycleState], None], state: LifecycleState
    ) -> TransitionCallbackReturn:
        """Do the work of a transition; a fault fails it and says why: rclpy itself would hide it."""
        try:
            work(state)
        except CamposeError as error:
            self._fault = f"{name} failed: {error}"
        except Exception as error:
            self._fault = f"{name} failed: {error!r}"
            if not self.context.ok():
                return FAILURE  # a signal has shut it down meanwhile
            self.get_logger().error(fault_line(error))
        else:
            self._fault = ""
            return SUCCESS
        self.get_logger().error(self._fault)
        return FAILURE

    def _configure(self, state: LifecycleState) -> None:
        parameters = table.read(self)
        cameras = read_cameras(self, parameters)
        loaded = load(parameters.scene, parameters, cameras)
        localizer = loaded.localizer(parameters)
        listen = any(camera.base_from_camera_tf for camera in cameras)
        transforms = Transforms(self, broadcast=parameters.publish_tf, listen=listen)
        try:
            outputs = Outputs(self, parameters, transforms)
        except BaseException:
            transforms.close()
            raise
        self._configured = Configured(parameters, cameras, loaded, localizer, transforms, outputs)
        self._log_scene(loaded)
        for intrinsics in loaded.cameras.values():
            self.get_logger().info(f"intrinsics are those of the scene, camera_info is not read: {intrinsics}")
        for camera in (c for c in cameras if c.is_unplaced):
            unset = f"{camera.parameter('base_from_camera')} is the identity: the poses are those of the camera's "
            if parameters.use_odometry or parameters.publish_tf or len(cameras) > 1:
                self.get_logger().warning(
                    f"{unset}optical frame, and the robot would move along its z axis: set it, or base_from_camera_tf"
                )
            else:
                self.get_logger().info(f"{unset}optical frame")

    def _log_scene(self, loaded: LoadedScene) -> None:
        where = "no floor map" if loaded.walkable is None else "its floor map"
        self.get_logger().info(f"scene {loaded.scene.path} with {where}, estimator {loaded.estimator.name}")
        scale, not_snapped = loaded.scene.scale, why_not_snapped(loaded.scene)
        if not scale.is_known:
            self.get_logger().warning(
                f"{scale.in_words()}: poses are in a unit of the map's own, not metres; odometry is not used, and the "
                "place of the camera on the robot is not scaled"
            )
        elif scale != MEASURED:
            self.get_logger().info(f"{scale.in_words()}: `campose align` with a reference puts it right")
        if not_snapped:
            self.get_logger().warning(not_snapped)

    def _activate(self, state: LifecycleState) -> None:
        if self._configured is None:
            raise RuntimeError("activated without being configured")
        try:
            self._live = LiveLocalization(self, self._configured, self._clock_watch, self._wake.trigger)
            super().on_activate(state)
            self._configured.outputs.publish_scene(self._configured.loaded)
        except BaseException:
            self._deactivate(state)
            raise
        self._active = True

    def _deactivate(self, state: LifecycleState) -> None:
        self._active = False
        self._stop()
        super().on_deactivate(state)

    def _stop(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None

    def _unload(self) -> None:
        self._active = False
        self._stop()
        if self._configured is not None:
            self._configured.outputs.close()
            self._configured.transforms.close()
            self._configured = None

    def _on_relocalize(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget where the robot was, and find it again: as after it was carried."""
        if self._live is not None:
            self._live.forget()
        return self._answer(response, "starting over with the next image")

    def _on_reset(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """As relocalize, and forget the path and the counts as well: as after the node was started."""
        if self._live is not None:
            self._live.reset()
        return self._answer(response, "starting over with the next image, with a new path and new counts")

    def _answer(self, response: Trigger.Response, done: str) -> Trigger.Response:
        response.success = self._live is not None
        response.message = done if response.success else self._why_idle()
        return response

    def _why_idle(self) -> str:
        return DISABLED if self._active else "the node is not active"

    def _on_set_enabled(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Disabled, the node takes no images until it is enabled, which starts over, or activated again."""
        response.success = self._active
        if not self._active or self._configured is None:
            response.message = self._why_idle()
        elif not request.data:
            self._stop()
            response.message = "disabled"
        else:
            if self._live is None:
                self._live = LiveLocalization(self, self._configured, self._clock_watch, self._wake.trigger)
            response.message = "enabled"
        self.get_logger().info(f"set_enabled: {response.message}")
        return response

    def _on_load_scene(self, request: LoadMap.Request, response: LoadMap.Response) -> LoadMap.Response:
        """map_url is a scene folder. Images wait meanwhile; when loading fails, the present scene stays."""
        if self._configured is None:
            response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
            self.get_logger().error("load_scene: configure the node first")
            return response
        try:
            loaded = load(request.map_url, self._configured.parameters, self._configured.cameras)
            response.map = self._configured.outputs.publish_scene(loaded)
        except CamposeError as error:
            response.result = LoadMap.Response.RESULT_INVALID_MAP_DATA
            self.get_logger().error(f"load_scene: {error}")
            return response
        except Exception as error:  # would end the node and what it can still do
            response.result = LoadMap.Response.RESULT_UNDEFINED_FAILURE
            self.get_logger().error(f"load_scene: {fault_line(error)}")
            return response
        localizer = loaded.localizer(self._configured.parameters)
        self._configured = self._configured._replace(loaded=loaded, localizer=localizer)
        if self._live is not None:
            self._live.replace(self._configured)
        self._configured.outputs.clear_path()
        response.result = LoadMap.Response.RESULT_SUCCESS
        self._log_scene(loaded)
        return response

    def _may_set(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            reason = table.refusal(parameter.name, parameter.value)
            if not reason and self._configured is not None and table.is_fixed(parameter.name):
                reason = f"{parameter.name} is read when the node is configured: `cleanup` it first"
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)

    def _have_set(self, parameters: list[Parameter]) -> None:
        """All of them at once: the worker reads the set once for each image."""
        if self._configured is not None:
            self._configured = self._configured._replace(parameters=table.read(self))
            if self._live is not None:
                self._live.take(self._configured)

    def _report(self) -> None:
        if self._live is not None and self._configured is not None:
            self._configured.outputs.publish_path()
            loaded = self._configured.loaded
            facts = {
                "scene": loaded.scene.path,
                "scene_digest": loaded.digest,
                "estimator": loaded.estimator.name,
                "scale": loaded.scene.scale.basis.value,
            }
            statuses = self._live.statuses(facts)
            wrong = [
                s for status in statuses if status.level != DiagnosticStatus.OK for s in status.message.split("; ")
            ]
            if wrong:  # a silent camera is told of by both statuses
                self.get_logger().warning("; ".join(dict.fromkeys(wrong)), throttle_duration_sec=10.0)
        else:
            level = DiagnosticStatus.ERROR if self._fault else DiagnosticStatus.STALE
            if self._active:
                level = DiagnosticStatus.WARN
            values = key_values({"state": "INITIALIZING"})
            name, text = f"{name_of(self)}: localization", self._fault or self._why_idle()
            statuses = [DiagnosticStatus(level=level, name=name, message=text, values=values)]
        for status in statuses:
            status.hardware_id = self.get_fully_qualified_name()
        message = DiagnosticArray(status=statuses)
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to end; returns the exit code."""
    return exit_code_of("campose_localizer", lambda: run(LocalizerNode, args))


if __name__ == "__main__":
    sys.exit(main())
