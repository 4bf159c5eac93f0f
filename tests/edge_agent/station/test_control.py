"""The control socket: whoever may ask is answered, nobody else gets in, and no client can hold up the agent."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.station.control import (
    CLIENTS_MAX,
    CONTROL_SOCKET,
    REQUEST_BYTES_MAX,
    ControlError,
    ControlServer,
    ask,
)


async def echo(request: Mapping[str, Any]) -> dict[str, Any]:
    return {"heard": dict(request)}


async def refuse(_request: Mapping[str, Any]) -> dict[str, Any]:
    raise ControlError("not now; try later")


async def fail(_request: Mapping[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("a fault of ours")


HANDLERS = {"echo": echo, "refuse": refuse, "fail": fail}


def serving(directory: Path, scenario: Callable[[ControlServer], Awaitable[None]], silent_s_max: float = 60.0) -> None:
    async def run() -> None:
        server = ControlServer(directory, HANDLERS, silent_s_max)
        await server.start()
        try:
            await scenario(server)
        finally:
            await server.close()

    asyncio.run(run())


def asked(directory: Path, request: Mapping[str, Any]) -> Awaitable[dict[str, Any]]:
    return asyncio.to_thread(ask, directory, request, 10.0)


def test_a_request_is_answered_and_the_socket_is_gone_after_the_stop(tmp_path):
    async def scenario(_server):
        assert await asked(tmp_path, {"ask": "echo", "n": 1}) == {"heard": {"ask": "echo", "n": 1}}

    serving(tmp_path, scenario)
    assert list(tmp_path.iterdir()) == []


def test_only_the_agents_own_user_may_ask(tmp_path):
    async def scenario(_server):
        assert stat.S_IMODE((tmp_path / CONTROL_SOCKET).stat().st_mode) == 0o600

    former = os.umask(0)
    try:
        serving(tmp_path, scenario)
    finally:
        os.umask(former)


def test_without_an_agent_the_message_says_how_to_start_one(tmp_path):
    with pytest.raises(ControlError, match="edge-agent run"):
        ask(tmp_path, {"ask": "echo"})
    with pytest.raises(ControlError, match="edge-agent run"):
        ask(tmp_path / "nowhere", {"ask": "echo"})


def left_behind(directory: Path) -> None:
    """A socket file as a killed agent leaves it."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(directory / CONTROL_SOCKET))
        dead.listen()


def test_what_a_killed_agent_left_is_told_and_replaced(tmp_path):
    left_behind(tmp_path)
    with pytest.raises(ControlError, match="edge-agent run"):
        ask(tmp_path, {"ask": "echo"})

    async def scenario(_server):
        assert await asked(tmp_path, {"ask": "echo"})

    serving(tmp_path, scenario)


def test_a_socket_at_which_somebody_answers_is_left_alone(tmp_path):
    async def scenario(_server):
        with pytest.raises(ControlError, match="another program answers"):
            await ControlServer(tmp_path, HANDLERS).start()
        assert await asked(tmp_path, {"ask": "echo"})

    serving(tmp_path, scenario)


def test_a_path_that_is_too_long_for_the_kernel_works_all_the_same(tmp_path):
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)

    async def scenario(_server):
        assert (deep / CONTROL_SOCKET).is_socket()
        assert await asked(deep, {"ask": "echo"})

    serving(deep, scenario)


def test_a_folder_that_takes_no_socket_is_told(tmp_path):
    with pytest.raises(ControlError, match="cannot listen at"):
        asyncio.run(ControlServer(tmp_path / "gone", HANDLERS).start())


def test_a_refusal_a_fault_and_an_unknown_request_come_as_words(tmp_path):
    async def scenario(_server):
        for request, words in (("refuse", "try later"), ("fail", "a fault of ours"), ("nonsense", "only for echo")):
            with pytest.raises(ControlError, match=words):
                await asked(tmp_path, {"ask": request})
        assert await asked(tmp_path, {"ask": "echo"})

    serving(tmp_path, scenario)


async def sent(directory: Path, data: bytes) -> bytes:
    """Everything that the agent says to these bytes, until it closes."""
    reader, writer = await asyncio.open_unix_connection(str(directory / CONTROL_SOCKET))
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


@settings(max_examples=40)
@given(lines=st.lists(st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")), max_size=5))
def test_whatever_is_sent_each_line_gets_one_answer_and_the_server_lives(tmp_path_factory, lines):
    directory = tmp_path_factory.mktemp("c")

    async def scenario(_server):
        answers = await sent(directory, b"".join(line + b"\n" for line in lines))
        said = [json.loads(line) for line in answers.splitlines()]
        assert len(said) == len(lines)
        assert all("error" in each for each in said)
        assert await asked(directory, {"ask": "echo"})

    serving(directory, scenario)


def test_a_line_without_an_end_is_refused_at_its_bound(tmp_path):
    async def scenario(_server):
        answer = await sent(tmp_path, b"x" * (REQUEST_BYTES_MAX * 2))
        assert "at most" in json.loads(answer)["error"]
        good = b'{"ask":"echo","x":"' + b"x" * (REQUEST_BYTES_MAX - 30) + b'"}\n'
        assert b"heard" in await sent(tmp_path, good)

    serving(tmp_path, scenario)


def test_more_clients_than_there_is_room_for_are_told_so_and_served_once_others_go(tmp_path):
    async def scenario(_server):
        held = [await asyncio.open_unix_connection(str(tmp_path / CONTROL_SOCKET)) for _ in range(CLIENTS_MAX)]
        for reader, writer in held:
            writer.write(b'{"ask":"echo"}\n')
            assert await reader.readline()
        with pytest.raises(ControlError, match="try again"):
            await asked(tmp_path, {"ask": "echo"})
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        while True:
            try:
                assert await asked(tmp_path, {"ask": "echo"})
                break
            except ControlError:
                await asyncio.sleep(0.01)

    serving(tmp_path, scenario)


def test_a_client_that_says_nothing_is_let_go(tmp_path):
    async def scenario(_server):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / CONTROL_SOCKET))
        assert await reader.read() == b""
        writer.close()

    serving(tmp_path, scenario, silent_s_max=0.05)


def test_an_agent_that_ends_in_the_middle_and_one_that_is_silent_are_told(tmp_path):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / CONTROL_SOCKET))
        silent.listen()
        with pytest.raises(ControlError, match=r"not answered within 0\.05 s"):
            ask(tmp_path, {"ask": "echo"}, 0.05)
        silent.accept()[0].close()

        def end_at_once() -> None:
            connection, _ = silent.accept()
            connection.recv(100)
            connection.close()

        ends = threading.Thread(target=end_at_once)
        ends.start()
        with pytest.raises(ControlError, match="ended before"):
            ask(tmp_path, {"ask": "echo"}, 10.0)
        ends.join()
