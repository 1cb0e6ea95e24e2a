"""What a lifecycle node answers to a transition that its state does not have."""

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.lifecycle import LifecycleNode

NAMES = {
    Transition.TRANSITION_CONFIGURE: "configure",
    Transition.TRANSITION_CLEANUP: "cleanup",
    Transition.TRANSITION_ACTIVATE: "activate",
    Transition.TRANSITION_DEACTIVATE: "deactivate",
}  # as people say and the command line takes them


def refuse_misfits(node: LifecycleNode) -> None:
    """Let `change_state` refuse an id or label that does not fit the state, such as configure after autostart.

    rclpy raises at such an id, out of the executor's spin, and the process ends.
    """
    service, machine = node._service_change_state, node._state_machine
    change = service.callback

    def change_if_it_fits(request: ChangeState.Request, response: ChangeState.Response) -> ChangeState.Response:
        asked = request.transition
        fitting = {
            transition_label if asked.label else transition_id
            for transition_id, transition_label, *_ in machine.available_transitions
        }
        if (asked.label or asked.id) in fitting:  # rclpy goes by the label where there is one
            return change(request, response)
        named = asked.label or NAMES.get(asked.id, f"number {asked.id}")
        there_are = ", ".join(label for _, label, *_ in machine.available_transitions) or "none"
        node.get_logger().error(
            f"change_state: there is no transition {named} from {machine.current_state[1]}; there are {there_are}"
        )
        response.success = False
        return response

    service.callback = change_if_it_fits
