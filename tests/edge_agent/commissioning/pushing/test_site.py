"""What lies on a gateway is a whole configuration at every moment, and only what was shown is replaced.

Over a real sshd. A lost connection is played between any two things that are asked of the gateway: each of them is done whole
there, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from edge_agent.commissioning.pushing import connection as connections
from edge_agent.commissioning.pushing.connection import Access, Connection, GatewayError, LostError
from edge_agent.commissioning.pushing.difference import FILE_BYTES_MAX, FILES_MAX
from edge_agent.commissioning.pushing.hosts import Target
from edge_agent.commissioning.pushing.site import VERSIONS_KEPT, Site

OLD = {"agent.toml": b"old", "points.csv": b"old", "models/a.toml": b"old"}
NEW = {"agent.toml": b"new", "points.csv": b"new", "devices.csv": b"new", "models/a.toml": b"new"}
NEWER = {"agent.toml": b"newer"}
CHANGING = {"mkdir", "symlink", "posix_rename", "remove", "rmdir"}
"""What gives or takes a name; what else is asked changes nothing that a name leads to."""
OPERATIONS_MAX = 100

Work = Callable[[Connection, Path], Awaitable[None]]


class Budget:
    """The connection is lost before the changing operation that goes beyond ``left`` of them."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise asyncssh.SFTPConnectionLost("cut")


class Cut:
    """SFTP under a budget."""

    def __init__(self, whole: Any, budget: Budget) -> None:
        self._whole = whole
        self._budget = budget

    def __getattr__(self, name: str) -> Any:
        async def call(*words: Any, **options: Any) -> Any:
            if name in CHANGING:
                self._budget.spend()
            return await getattr(self._whole, name)(*words, **options)

        return call

    def open(self, *words: Any) -> Any:
        return self._whole.open(*words)


class CutConnection(Connection):
    def __init__(self, whole: Connection, budget: Budget) -> None:
        super().__init__(whole._ssh, Cut(whole.files, budget))  # type: ignore[arg-type]  # behaves as one
        self._budget = budget

    async def run_shell(self, line: str) -> connections.Said:
        try:
            self._budget.spend()
        except asyncssh.SFTPError as error:
            raise LostError from error
        return await super().run_shell(line)


@pytest.fixture(scope="module")
def gateway(make_field: Callable[..., Any]) -> Any:
    return make_field("gw1")


@pytest.fixture
def at(gateway: Any, tmp_path: Path) -> Callable[[Work], None]:
    """``at(work)`` runs ``await work(connection, folder)`` with one connection to a gateway; its folders lie in ``folder``."""

    async def connected(work: Work) -> None:
        connection = await Connection.open(Target("gw1"), Access(config_file=gateway.path / "ssh_config"))
        try:
            await work(connection, tmp_path)
        finally:
            await connection.close()

    return lambda work: asyncio.run(connected(work))


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    (folder / "models").mkdir(parents=True)
    (folder / "data").mkdir()
    (folder / "data" / "events.db").write_bytes(b"precious")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def found(folder: Path) -> dict[str, bytes]:
    paths = [*folder.glob("*.*"), *(folder / "models").glob("*.*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.name[0] != "." and path.exists()}


def leading_nowhere(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.is_symlink() and not path.exists()]


def site_of(connection: Connection, folder: Path) -> Site:
    return Site(connection, str(folder), "edge-agent")


def version(number: int) -> str:
    return f"20261125T1310{number:02}Z-000000"


async def push(site: Site, number: int, files: dict[str, bytes], switching: Site | None = None) -> None:
    shown = await site.fetch()
    await site.upload(version(number), files)
    assert await (switching or site).switch(version(number), shown, version(number + 50))


async def cut_everywhere(connection: Connection, work: Callable[[Connection, int], Awaitable[None]]) -> int:
    """``work(connection, operations)`` with a connection that ends after 0, 1, ... operations, until it comes to its end."""
    for operations in range(OPERATIONS_MAX):
        budget = Budget(operations)
        await work(CutConnection(connection, budget), operations)
        if budget.left >= 0:
            return operations
    raise AssertionError("it never ends")


def test_wherever_the_first_push_is_cut_a_whole_configuration_is_there_and_the_next_push_repairs(at: Any) -> None:
    async def work(whole: Connection, home: Path) -> None:
        async def once(cut: Connection, operations: int) -> None:
            folder = lay_out(home / str(operations), OLD)
            site = site_of(whole, folder)
            try:
                await push(site, 0, NEW, site_of(cut, folder))
            except LostError:
                assert found(folder) in (OLD, NEW), operations
            await push(site, 1, NEWER)
            assert found(folder) == NEWER
            assert [name for name in leading_nowhere(folder) if name[0] != "."] == []
            assert await site.roll_back()
            assert found(folder) == OLD, "back to what was confirmed last"
            await site.settle()
            assert leading_nowhere(folder) == []
            assert (folder / "data" / "events.db").read_bytes() == b"precious"

        assert await cut_everywhere(whole, once) > 10

    at(work)


def test_wherever_a_later_push_or_its_roll_back_is_cut_a_whole_configuration_is_there(at: Any) -> None:
    async def work(whole: Connection, home: Path) -> None:
        async def once(cut: Connection, operations: int) -> None:
            folder = lay_out(home / str(operations), NEWER)
            site = site_of(whole, folder)
            await push(site, 0, OLD)
            await site.settle()
            try:
                await push(site, 1, NEW, site_of(cut, folder))
                assert await site_of(cut, folder).roll_back()
            except LostError:
                assert found(folder) in (OLD, NEW), operations
            await site.roll_back()
            assert found(folder) == OLD
            await site.settle()
            assert leading_nowhere(folder) == []

        assert await cut_everywhere(whole, once) > 5

    at(work)


def test_what_another_hand_changed_after_it_was_shown_is_left_alone(at: Any) -> None:
    async def work(connection: Connection, home: Path) -> None:
        folder = lay_out(home / "site", OLD)
        site = site_of(connection, folder)
        shown = await site.fetch()
        await site.upload(version(1), NEW)
        (folder / "points.csv").write_bytes(b"by another hand")
        assert not await site.switch(version(1), shown, version(2))
        assert found(folder) == OLD | {"points.csv": b"by another hand"}
        assert not (folder / "points.csv").is_symlink()

    at(work)


def test_a_file_that_was_replaced_in_place_is_taken_for_the_present_one(at: Any) -> None:
    """As an editor does it: a new file in the place of the link."""

    async def work(connection: Connection, home: Path) -> None:
        folder = lay_out(home / "site", OLD)
        site = site_of(connection, folder)
        await push(site, 1, NEW)
        await site.settle()
        (folder / "points.csv").unlink()
        (folder / "points.csv").write_bytes(b"by hand")
        await push(site, 2, NEWER)
        assert await site.roll_back()
        assert found(folder) == NEW | {"points.csv": b"by hand"}

    at(work)


def test_what_a_push_takes_away_leaves_no_name_and_its_return_gives_one(at: Any) -> None:
    async def work(connection: Connection, home: Path) -> None:
        folder = lay_out(home / "site", NEW)
        site = site_of(connection, folder)
        await push(site, 1, NEWER)
        assert sorted(path.name for path in folder.iterdir()) == ["agent.toml", "data", "versions"]
        await site.settle()
        (folder / "devices.csv").write_bytes(b"by hand")
        await push(site, 2, NEW)
        assert found(folder) == NEW
        assert await site.roll_back()
        assert found(folder) == NEWER | {"devices.csv": b"by hand"}

    at(work)


def test_old_versions_go_and_nothing_that_they_lead_to(at: Any) -> None:
    async def work(connection: Connection, home: Path) -> None:
        folder = lay_out(home / "site", OLD)
        site = site_of(connection, folder)
        for number in range(VERSIONS_KEPT + 3):
            await push(site, number, {"agent.toml": b"%d" % number})
            await site.settle()
        kept = sorted(path.name for path in (folder / "versions").iterdir())
        assert len(kept) == VERSIONS_KEPT + 1, "and the name that says which is current"
        assert version(VERSIONS_KEPT + 2) in kept
        assert (folder / "data" / "events.db").read_bytes() == b"precious"

    at(work)


def test_a_gateway_whose_files_are_too_large_or_too_many_is_refused(at: Any) -> None:
    async def work(connection: Connection, home: Path) -> None:
        folder = lay_out(home / "large", OLD | {"models/a.toml": bytes(FILE_BYTES_MAX + 1)})
        with pytest.raises(GatewayError, match=r"models/a.toml .* is larger"):
            await site_of(connection, folder).fetch()
        folder = lay_out(home / "many", OLD | {f"models/{number}.toml": b"" for number in range(FILES_MAX)})
        with pytest.raises(GatewayError, match="more than"):
            await site_of(connection, folder).fetch()

    at(work)


def test_a_command_that_says_too_much_or_never_ends_is_given_up(at: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(connection: Connection, home: Path) -> None:
        with pytest.raises(GatewayError, match="says more than"):
            await connection.run_shell("yes")
        monkeypatch.setattr(connections, "COMMAND_TIMEOUT_S", 0.5)
        ended = home / "ended"
        with pytest.raises(GatewayError, match="has not ended"):
            await connection.run_shell(f"sleep 100; touch {ended}")
        assert not ended.exists()
        monkeypatch.undo()
        assert (await connection.run_shell("echo well")).output == "well\n"

    at(work)
