"""What a folder would do, told without doing it."""

from __future__ import annotations

from typing import Any

from edge_agent.settings.preview import check_report, driver_faults


def test_the_report_tells_what_was_understood(folder: Any) -> None:
    folder.write_points(
        {"h": "25", "hh": "50", "poll_s": "0.5"},
        {"l": "5", "class": "advisory", "poll_s": "0.5"},
        {"poll_s": "10", "report_deadband": "off"},
    )
    config = folder.load()
    report = check_report(config)
    assert report[0] == f"agent agent-1 of acme, configuration {config.config_hash[:12]}"
    assert "destination park (mandatory) at tcp://127.0.0.1:7440, key of park" in report
    assert "device plc (modbus): 3 points, 2 every 0.5 s, 1 every 10 s" in report
    assert "set-points: 3 (2 safety, 1 advisory); 1 points have none" in report
    assert report[-1] == ("telemetry: 3 points by exception, 1 with every sample, chunks of 60 s; outbox data, 512 MiB")


def test_the_driver_predicts_its_time_in_the_report(folder: Any) -> None:
    report = check_report(folder.load())
    after = report.index("device plc (modbus): 1 points, 1 every 1 s") + 1
    assert report[after].split() == ["connection", "device", "how", "points", "requests", "ms", "a", "turn", "load"]
    assert report[after + 1].split()[:7] == ["127.0.0.1:502", "plc", "every", "1", "s", "1", "1"]
    assert report[after + 1].endswith("0.2%")
    assert len(report[after]) == len(report[after + 1])


SECOND = '\n[[device]]\nname = "second"\ndriver = "modbus"\nhost = "127.0.0.1"\nunit = 2\n'


def test_devices_at_one_place_share_a_connection_and_its_time(folder: Any) -> None:
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + SECOND)
    folder.write_points({}, {"device": "second", "poll_s": "0.1"})
    report = check_report(folder.load())
    (together,) = [line.split() for line in report if "together" in line]
    assert together == ["together", "2", "2", "2.2%"]


def test_devices_at_one_place_that_differ_in_it_are_told_by_key(folder: Any) -> None:
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + SECOND + "reconnect_max_s = 9.0\n")
    folder.write_points({}, {"device": "second"})
    assert folder.places() == [("agent.toml", None, "device.2.reconnect_max_s")]


def test_a_sound_configuration_has_no_faults_of_drivers(folder: Any) -> None:
    assert driver_faults(folder.load()) == []


def test_two_points_at_one_place_are_told_and_no_fault(folder: Any) -> None:
    folder.write_points({}, {"address": "10"})
    config = folder.load()
    assert "LOOK: plc: GT-1 and GT-2 read the same place, holding:10" in check_report(config)


def test_of_many_points_at_shared_places_the_first_are_told_and_the_number(folder: Any) -> None:
    folder.write_points(*({"address": str(number // 2)} for number in range(30)))
    look = [line for line in check_report(folder.load()) if line.startswith("LOOK: plc")]
    assert len(look) == 11
    assert look[-1] == "LOOK: plc: 5 more such places"
