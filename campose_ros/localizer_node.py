"""The localizer node: camera images in, the robot's pose on the floor plan out.

Callbacks run on one thread and only take messages in; images are decoded and localized on a worker thread with one
slot, so that an old image is dropped, never queued. What is published carries the stamp of its image.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.srv import LoadMap
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from campose_core.cli.console import exit_code_of
from campose_core.errors import CamposeError
from campose_core.geometry import Pose
from campose_ros import declared_parameters as table
from campose_ros.bond_heartbeat import BondHeartbeat
from campose_ros.camera_parameters import declare_cameras, read_cameras
from campose_ros.clock_watch import ClockWatch
from campose_ros.complaint_log import ComplaintLog
from campose_ros.diagnostics import complaints, idle_status
from campose_ros.live import Configured, LiveLocalization
from campose_ros.loading import load
from campose_ros.nav2_services import offer_nav2_services
from campose_ros.outputs import Outputs
from campose_ros.overrides import fit_changes, fit_overrides
from campose_ros.parameter_refusal import refusal
from campose_ros.plain_log import PlainLog, fault_line
from campose_ros.process import run
from campose_ros.scene_log import log_cameras, log_scene
from campose_ros.scene_service import load_scene
from campose_ros.setup_watch import SetupWatch
from campose_ros.start_pose import declare_start, read_start
from campose_ros.transforms import Transforms
from campose_ros.transitions import refuse_misfits
from campose_ros.usage import localizer_usage

DISABLED = "disabled: call set_enabled with true"
SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class LocalizerNode(PlainLog, LifecycleNode):
    """Lifecycle: configure loads the scene; activate subscribes; deactivate unsubscribes; cleanup unloads."""

    def __init__(self, name: str = "localizer", **options: Any) -> None:
        super().__init__(name, **options)
        refuse_misfits(self)
        self._configured: Configured | None = None
        self._live: LiveLocalization | None = None
        self._bond: BondHeartbeat | None = None
        self._awaited_start: PoseWithCovarianceStamped | None = None
        self._active = False
        self._fault = ""
        # Before the declaration, so that values from the command line and from files are checked as well.
        self.add_pre_set_parameters_callback(fit_changes)
        self.add_on_set_parameters_callback(self._may_set)
        fit_overrides(self)
        table.declare(self)
        declare_cameras(self)
        declare_start(self)
        self._setup = SetupWatch(self)
        self.add_post_set_parameters_callback(self._have_set)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._clock_watch, self._complaints = ClockWatch(self), ComplaintLog()
        self._wake = self.create_guard_condition(self._report)
        # On a steady clock: simulated time may stand still, and an operator still wants to know.
        self._timer = self.create_timer(1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self.create_service(Trigger, "~/relocalize", self._on_relocalize)
        self.create_service(Trigger, "~/reset", self._on_reset)
        self.create_service(SetBool, "~/set_enabled", self._on_set_enabled)
        self.create_service(LoadMap, "~/load_scene", self._on_load_scene)
        offer_nav2_services(self, self._start_over, self._start_at)
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
        self._configured = Configured(parameters, cameras, loaded, localizer, transforms, outputs, {})
        log_scene(self.get_logger(), loaded)
        log_cameras(self.get_logger(), parameters, cameras, loaded)

    def _activate(self, state: LifecycleState) -> None:
        if self._configured is None:
            raise RuntimeError("activated without being configured")
        try:
            self._live = self._begin(self._configured, read_start(self))
            super().on_activate(state)
            self._configured.outputs.publish_scene(self._configured.loaded)
            self._bond = BondHeartbeat(self, self._configured.parameters.bond_heartbeat_period)
        except BaseException:
            self._deactivate(state)
            raise
        self._active = True

    def _begin(self, configured: Configured, near: Pose | None = None) -> LiveLocalization:
        """near: about where the base is; a pose that somebody told since wins, over one that was remembered both do."""
        live = LiveLocalization(self, configured, self._clock_watch, self._complaints, self._wake.trigger)
        if near is not None:
            live.forget(near)
        if self._awaited_start is not None:
            live.start_at(self._awaited_start)
            self._awaited_start = None
        return live

    def _deactivate(self, state: LifecycleState) -> None:
        self._end()
        super().on_deactivate(state)

    def _end(self) -> None:
        """End what lasts from activate to deactivate."""
        self._active = False
        if self._bond is not None:
            self._bond.close()
            self._bond = None
        self._stop()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.close()
            self._live = None

    def _unload(self) -> None:
        self._end()
        if self._configured is not None:
            self._configured.outputs.close()
            self._configured.transforms.close()
            self._configured = None

    def _start_over(self) -> None:
        if self._live is not None:
            self._live.forget()
        said = "starting over with the next image" if self._live is not None else self._why_idle()
        self.get_logger().info(f"reinitialize_global_localization: {said}")

    def _start_at(self, start: PoseWithCovarianceStamped) -> None:
        """Start over near a pose; of a node that is not active, when it is: as AMCL does."""
        if self._live is not None:
            self._live.start_at(start)
        else:
            self._awaited_start = start
            self.get_logger().info(f"set_initial_pose: {self._why_idle()}; the pose is kept until then")

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
                self._live = self._begin(self._configured)
            response.message = "enabled"
        self.get_logger().info(f"set_enabled: {response.message}")
        return response

    def _on_load_scene(self, request: LoadMap.Request, response: LoadMap.Response) -> LoadMap.Response:
        """map_url is a scene folder. Images wait meanwhile; when loading fails, the present scene stays."""
        loaded = load_scene(request.map_url, self._configured, response)
        if isinstance(loaded, str) or self._configured is None:
            self.get_logger().error(f"load_scene: {loaded}")
            return response
        localizer = loaded.localizer(self._configured.parameters)
        self._configured = self._configured._replace(loaded=loaded, localizer=localizer)
        if self._live is not None:
            self._live.replace(self._configured)
        else:
            self._configured.outputs.leave_scene()
        log_scene(self.get_logger(), loaded)
        return response

    def _may_set(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            reason = refusal(parameter.name, parameter.value)
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
            self._live.remember()
            statuses = self._live.statuses(self._configured.loaded.facts())
            if wrong := self._complaints.due(complaints(statuses)):
                self.get_logger().warning(wrong)
        else:
            statuses = [idle_status(self, self._fault, self._why_idle(), is_active=self._active)]
        statuses.append(self._setup.status(self._configured.outputs.other_map() if self._configured else ""))
        for status in statuses:
            status.hardware_id = self.get_fully_qualified_name()
        message = DiagnosticArray(status=statuses)
        message.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(message)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to end; returns the exit code."""
    return exit_code_of("campose_localizer", lambda: run(LocalizerNode, localizer_usage(), args))


if __name__ == "__main__":
    sys.exit(main())
