"""What is wrong is logged when it lasts, each fault by itself, and not again and again."""

from campose_ros.complaint_log import ComplaintLog


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now

    def at(self, seconds: float) -> None:
        self.now = 100.0 + seconds


def test_what_is_over_soon_is_not_logged_and_what_lasts_is_every_ten_seconds() -> None:
    clock = Clock()
    log = ComplaintLog(clock)
    assert log.due(["no image processed yet"]) == ""
    clock.at(0.5)
    assert log.due(["no imu for 1 s"]) == ""
    clock.at(1.6)
    assert log.due(["no imu for 2 s"]) == "no imu for 2 s"
    for second in range(2, 11):
        clock.at(second)
        assert log.due([f"no imu for {second} s"]) == ""
    clock.at(11.7)
    assert log.due(["no imu for 12 s"]) == "no imu for 12 s"


def test_another_fault_is_not_hidden_by_the_one_before() -> None:
    clock = Clock()
    log = ComplaintLog(clock)
    log.due(["no image"])
    clock.at(1.0)
    assert log.due(["no image"]) == "no image"
    clock.at(2.0)
    log.due(["no image", "no imu"])
    clock.at(3.0)
    assert log.due(["no image", "no imu"]) == "no imu"


def test_what_comes_and_goes_is_not_logged_each_time() -> None:
    clock = Clock()
    log, said = ComplaintLog(clock), []
    for tenth in range(100):
        clock.at(tenth / 10)
        said.append(log.due(["LOST"] if tenth // 15 % 2 == 0 else []))
    assert [text for text in said if text] == ["LOST"]


def test_what_the_log_has_already_is_not_said_twice() -> None:
    clock = Clock()
    log = ComplaintLog(clock)
    log.told("nothing was recognized until 0.31 m")
    log.due(["nothing was recognized until 0.31 m"])
    clock.at(1.0)
    assert log.due(["nothing was recognized until 0.32 m"]) == ""
    clock.at(10.1)
    assert log.due(["nothing was recognized until 0.32 m"]) == "nothing was recognized until 0.32 m"
