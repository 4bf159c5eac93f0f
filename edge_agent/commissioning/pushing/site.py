"""How a configuration lies on a gateway, and how it is changed there in one step.

::

    site-a/agent.toml -> versions/current/agent.toml     so do the other files and models, if they are there
    site-a/versions/current -> 20261125T131000Z-3fa85f   the one name that a switch changes: rename(2) is old or new
    site-a/versions/unconfirmed -> ...                   what to go back to, until the new one has been confirmed
    site-a/keys, site-a/data                             the gateway's own, never touched

A version has what is pushed and, as links, all else of the folder, so that it can be checked in its place. Files that are
not yet links are adopted first: their content becomes a version, ``current`` leads there, and each is replaced by a link
that says the same. A version is on the disk (fsync) before a name leads to it.
"""

from __future__ import annotations

import posixpath
import re
import shlex
import stat
from dataclasses import dataclass
from typing import Final

import asyncssh

from edge_agent.commissioning.pushing.connection import EXIT_NO_COMMAND, Connection, GatewayError, Said
from edge_agent.commissioning.pushing.difference import FILE_BYTES_MAX, FILES, FILES_MAX, ConfigSet
from edge_agent.commissioning.pushing.report import Report, read_check, read_report
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.models.library import MODELS_FOLDER as MODELS

NAMES: Final = (*FILES, MODELS)
ENTRIES_MAX: Final = 1000
VERSIONS_KEPT: Final = 5
_VERSIONS: Final = "versions"
_CURRENT: Final = f"{_VERSIONS}/current"
_UNCONFIRMED: Final = f"{_VERSIONS}/unconfirmed"
_VERSION: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\Z")


@dataclass(frozen=True, slots=True)
class Present:
    """What lies on the gateway. ``version`` is None where the files are no links of ours; ``former`` is what an unconfirmed
    push would go back to."""

    files: ConfigSet
    version: str | None
    former: str | None


class Site:
    """One agent's folder on one gateway. Every method raises GatewayError or LostError."""

    def __init__(self, connection: Connection, directory: str, command: str) -> None:
        self._connection = connection
        self._files = connection.files
        self._directory = directory
        self._command = shlex.split(command)

    # -- reading -----------------------------------------------------------------------------------------------------

    async def fetch(self) -> Present:
        found: list[Present] = []

        async def work() -> None:
            version = await self._link(_CURRENT)
            linked = version is not None and all([await self._is_ours(name) for name in NAMES])
            former = await self._link(_UNCONFIRMED)
            former = former if linked and former != version else None
            found.append(Present(await self._read_all(), version if linked else None, former))

        await self._connection.do(work)
        return found[0]

    async def _is_ours(self, name: str) -> bool:
        """A link to what is current, or not there where the current version does not have it either."""
        if await self._files.lexists(self._at(name)):
            return await self._link(name) == f"{_CURRENT}/{name}"
        return not await self._files.lexists(self._at(f"{_CURRENT}/{name}"))

    async def _read_all(self) -> ConfigSet:
        files = {}
        for name in FILES:
            if await self._files.isfile(self._at(name)):
                files[name] = await self._read(name)
        if AGENT_FILE not in files:
            raise GatewayError(
                f"there is no {AGENT_FILE} in {self._directory}: see to --to, or deploy the gateway first, with keys"
            )
        if await self._files.isdir(self._at(MODELS)):
            names = sorted(str(each) for each in await self._files.listdir(self._at(MODELS)))
            for name in [each for each in names if not each.startswith(".")][: FILES_MAX + 1]:
                files[f"{MODELS}/{name}"] = await self._read(f"{MODELS}/{name}")
        if len(files) > FILES_MAX:
            raise GatewayError(f"{MODELS} of the gateway has more than {FILES_MAX} files")
        return files

    async def _read(self, name: str) -> bytes:
        async with self._files.open(self._at(name), "rb") as file:
            # Its size first: who asks for the most that may be there asks hundreds of times, over whatever link it is.
            size = (await file.stat()).size or 0
            if size > FILE_BYTES_MAX:
                raise GatewayError(f"{name} of the gateway is larger than {FILE_BYTES_MAX} bytes")
            data: bytes = await file.read(size)
        return data

    async def check(self, version: str | None) -> str:
        """The beginning of the configuration's hash, as the gateway's own software reads it."""
        place = self._directory if version is None else self._at(f"{_VERSIONS}/{version}")
        said = await self._run("check", place)
        config_hash = read_check(said.output)
        if said.status != 0 or config_hash is None:
            raise GatewayError(f"its edge-agent check says: {said.in_short()}")
        return config_hash

    async def status(self) -> Report | None:
        """None where no agent has ever run there."""
        return read_report((await self._run("status", self._directory, "--json")).output)

    async def reload(self) -> bool:
        """False where no agent runs, which is asked only when it failed: each command takes a small gateway seconds."""
        said = await self._run("reload", self._directory)
        if said.status == 0:
            return True
        status = await self.status()
        if status is None or not status.running:
            return False
        raise GatewayError(f"its edge-agent reload says: {said.in_short()}")

    async def start(self, command: str) -> None:
        said = await self._connection.run_shell(command)
        if said.status != 0:
            raise GatewayError(f"{command!r} failed: {said.in_short()}")

    async def _run(self, *words: str) -> Said:
        said = await self._connection.run([*self._command, *words])
        if said.status == EXIT_NO_COMMAND:
            raise GatewayError(f"there is no {self._command[0]} at the gateway; name it with --agent-command")
        return said

    # -- writing -----------------------------------------------------------------------------------------------------

    async def upload(self, version: str, files: ConfigSet) -> None:
        """A version beside the others, on the disk and read back; nothing leads to it yet."""

        async def work() -> None:
            await self._files.makedirs(self._at(_VERSIONS), exist_ok=True)
            await self._write_version(version, files)

        await self._connection.do(work)

    async def _write_version(self, version: str, files: ConfigSet) -> None:
        place = f"{_VERSIONS}/{version}"
        mode = stat.S_IMODE((await self._files.stat(self._at(AGENT_FILE))).permissions or 0o644)
        folder_mode = stat.S_IMODE((await self._files.stat(self._directory)).permissions or 0o755)
        models = [f"{place}/{MODELS}"] if any(name.startswith(f"{MODELS}/") for name in files) else []
        for folder in (place, *models):
            await self._files.mkdir(self._at(folder))
            await self._files.chmod(self._at(folder), folder_mode)
        for name, data in files.items():
            async with self._files.open(self._at(f"{place}/{name}"), "wb") as file:
                await file.write(data)
                await file.chmod(mode)
                await file.fsync()
            if await self._read(f"{place}/{name}") != data:
                raise GatewayError(f"{name} did not arrive as it was sent")
        entries = [str(each) for each in await self._files.listdir(self._directory)][:ENTRIES_MAX]
        for name in entries:
            if name not in {*NAMES, _VERSIONS, ".", ".."} and not name.startswith("."):
                await self._files.symlink(f"../../{name}", self._at(f"{place}/{name}"))
        for folder in (*models, place, _VERSIONS):
            await self._sync(folder)

    async def switch(self, version: str, shown: Present, adopted: str) -> bool:
        """False, and nothing done, where the files are not what was shown any more. ``adopted`` names the version that
        present files become which are no links yet."""
        now = await self.fetch()
        if now != shown:
            return False

        async def work() -> None:
            former = now.former or now.version
            if former is None:
                await self._write_version(adopted, now.files)
                await self._lead(_CURRENT, adopted)
                await self._sync(_VERSIONS)
                await self._adopt(adopted)
                former = adopted
            await self._lead(_UNCONFIRMED, former)
            await self._sync(_VERSIONS)
            await self._turn_to(version)

        await self._connection.do(work)
        return True

    async def _turn_to(self, version: str) -> None:
        """One rename. A name that only this version has leads nowhere until then; one that it does not have goes afterwards:
        in between either is no file, as in the version that is current."""
        for name in NAMES:
            wanted = await self._files.lexists(self._at(f"{_VERSIONS}/{version}/{name}"))
            if wanted and not await self._files.lexists(self._at(name)):
                await self._lead(name, f"{_CURRENT}/{name}")
        await self._sync("")
        await self._lead(_CURRENT, version)
        await self._sync(_VERSIONS)
        for name in NAMES:
            if await self._link(name) == f"{_CURRENT}/{name}" and not await self._files.exists(self._at(name)):
                await self._remove(name)
        await self._sync("")

    async def _adopt(self, adopted: str) -> None:
        for name in NAMES:
            if name == MODELS and await self._is_folder(MODELS):
                await self._exchange_folder(adopted)
            elif await self._files.lexists(self._at(name)):
                await self._lead(name, f"{_CURRENT}/{name}")
        await self._sync("")

    async def _exchange_folder(self, adopted: str) -> None:
        """A link cannot be renamed over a folder: two renames, by the gateway's shell, which a lost connection does not stop
        between them."""
        link, kept = self._at(_draft(MODELS)), self._at(f"{_VERSIONS}/{adopted}/.{MODELS}.former")
        await self._remove(_draft(MODELS))
        await self._files.symlink(f"{_CURRENT}/{MODELS}", link)
        moved = (shlex.join(["mv", "-T", "--", *each]) for each in ((self._at(MODELS), kept), (link, self._at(MODELS))))
        said = await self._connection.run_shell(" && ".join(moved))
        if said.status != 0:
            raise GatewayError(f"{MODELS} could not be replaced by a link: {said.in_short()}")

    async def roll_back(self) -> bool:
        """False where there is nothing to go back to."""
        found: list[str] = []

        async def work() -> None:
            former = await self._link(_UNCONFIRMED)
            if former is not None and await self._files.isdir(self._at(f"{_VERSIONS}/{former}")):
                await self._turn_to(former)
                found.append(former)

        await self._connection.do(work)
        return bool(found)

    async def settle(self) -> None:
        """What is current is confirmed; versions beyond the newest few and what a lost connection left are removed."""

        async def work() -> None:
            await self._remove(_UNCONFIRMED)
            for name in (*NAMES, _CURRENT, _UNCONFIRMED):
                await self._remove(_draft(name))
            await self._sync(_VERSIONS)
            current = await self._link(_CURRENT)
            names = sorted(str(each) for each in await self._files.listdir(self._at(_VERSIONS)))
            versions = [name for name in names if _VERSION.match(name) and name != current]
            for name in versions[: -VERSIONS_KEPT + 1]:
                await self._remove_tree(f"{_VERSIONS}/{name}")

        await self._connection.do(work)

    async def discard(self, version: str) -> None:
        async def work() -> None:
            await self._remove_tree(f"{_VERSIONS}/{version}")

        await self._connection.do(work)

    # -- names -------------------------------------------------------------------------------------------------------

    def _at(self, name: str) -> str:
        return posixpath.join(self._directory, name) if name else self._directory

    async def _link(self, name: str) -> str | None:
        try:
            return str(await self._files.readlink(self._at(name)))
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
            return None
        except asyncssh.SFTPError:
            if await self._files.islink(self._at(name)):
                raise
            return None

    async def _lead(self, name: str, to: str) -> None:
        """Let ``name`` be a link to ``to``, in one step."""
        draft = self._at(_draft(name))
        await self._remove(_draft(name))
        await self._files.symlink(to, draft)
        await self._files.posix_rename(draft, self._at(name))

    async def _is_folder(self, name: str) -> bool:
        return await self._files.isdir(self._at(name)) and not await self._files.islink(self._at(name))

    async def _sync(self, folder: str) -> None:
        async with self._files.open(self._at(folder), "rb") as handle:
            await handle.fsync()

    async def _remove(self, name: str) -> None:
        if await self._files.lexists(self._at(name)):
            await self._files.remove(self._at(name))

    async def _remove_tree(self, name: str) -> None:
        """Links are removed, never followed."""
        if not await self._is_folder(name):
            await self._remove(name)
            return
        for each in [str(each) for each in await self._files.listdir(self._at(name))]:
            if each not in {".", ".."}:
                await self._remove_tree(f"{name}/{each}")
        await self._files.rmdir(self._at(name))


def _draft(name: str) -> str:
    """Where a link is made before it takes its name."""
    return posixpath.join(posixpath.dirname(name), f".{posixpath.basename(name)}.link")
