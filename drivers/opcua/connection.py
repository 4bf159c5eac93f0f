"""A connection to an OPC UA server: channel, session, and the services that a driver may ask for. Nothing here is tried twice.

Called by ``session`` and ``monitoring``; the only module that holds asyncua's client. Asyncua encodes and asks, and decodes what ``decode``
leaves to it; connecting, renewing and giving up are done here, since its own ways fail in silence: its reconnect keeps namespace indices that have moved
(connected, no error, no data for ever) and its publish loop logs a trace each second once the connection is gone.

The services are Read, the making of subscriptions and Publish, and one Call: ConditionRefresh, which has the server tell its
alarms again and changes nothing in the plant. There is no Write and no other Call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import UaStatusCodeError

from contract.clock import Clock
from contract.errors import DeviceError
from drivers.opcua.decode import News, publish_response, read_response
from drivers.opcua.plan import Subscription
from drivers.opcua.security import Credentials, apply, check_password, choose
from drivers.opcua.settings import OpcUaSettings
from drivers.opcua.values import Reading
from drivers.opcua.wire import node_id, reading

SESSION_TIMEOUT_MS: Final = 60_000
"""A session whose client died is gone from the server by then."""
CHANNEL_LIFETIME_MS: Final = 3_600_000
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
NOTIFICATIONS_MAX: Final = 10_000
"""Most changes in one publish response; what is more comes with the next."""
CONDITION_TYPE: Final = 2782
CONDITION_REFRESH: Final = 3875
"""Object and method of the one call that there is, in namespace 0 (OPC 10000-9, clause 5.5.7)."""


@dataclass(slots=True)
class Traffic:
    """Counters over all sessions of a device; they only grow."""

    requests: int = 0
    connects: int = 0
    missed_turns: int = 0
    """Turns of polling left out because their time had passed."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A publish response and when it came, whoever looks at it later: plain news, or as the library decodes the rest."""

    response: News | ua.PublishResponse
    time_ns: int
    mono_ns: int


class Phase(Enum):
    """How far a connection has come; says what a failure means."""

    CONNECTING = "connecting"
    ASKING = "asking what there is"
    SECURING = "securing"
    SIGNING_IN = "signing in"
    OPEN = "open"


_UNTRUSTED: Final = "it does not trust our certificate, thumbprint {thumbprint}: accept it there"
_USER: Final = "user or password is wrong, or the user may not sign in"
_HINTS: Final = {
    ua.StatusCodes.BadSecurityChecksFailed: _UNTRUSTED,
    ua.StatusCodes.BadCertificateUntrusted: _UNTRUSTED,
    ua.StatusCodes.BadCertificateInvalid: _UNTRUSTED,
    ua.StatusCodes.BadCertificateTimeInvalid: "to the server our certificate has expired: compare the clocks",
    ua.StatusCodes.BadCertificateUriInvalid: "our certificate names another application than the server expects",
    ua.StatusCodes.BadUserAccessDenied: _USER,
    ua.StatusCodes.BadIdentityTokenRejected: _USER,
    ua.StatusCodes.BadIdentityTokenInvalid: "it does not take this kind of user, anonymous ones perhaps",
    ua.StatusCodes.BadSecurityPolicyRejected: "it does not take this security policy",
    ua.StatusCodes.BadSecurityModeRejected: "it does not take this security mode",
}


class _Session(UaSession):
    """Without asyncua's own publish loop, whose failures nobody would see."""

    def ensure_publish_loop(self) -> None:
        """Publishing is ``session``'s."""

    async def publish_news(self, acknowledge: list[ua.SubscriptionAcknowledgement]) -> News | ua.PublishResponse:
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = acknowledge
        data = await self._send_request(request, timeout=0)
        if (news := publish_response(bytes(data))) is not None:
            return news
        response: ua.PublishResponse = struct_from_binary(ua.PublishResponse, data)
        return response

    async def read_values(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[Reading]:
        request = ua.ReadRequest()
        request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes]
        data = await self._send_request(request)
        if (readings := read_response(bytes(data))) is not None:
            return readings
        response = struct_from_binary(ua.ReadResponse, data)
        response.ResponseHeader.ServiceResult.check()
        return [reading(answer) for answer in response.Results]


class Connection:
    """Use: ``open`` once, services, ``close`` in any case. What services raise ``in_words`` tells."""

    def __init__(
        self, device: str, settings: OpcUaSettings, clock: Clock, traffic: Traffic, credentials: Credentials
    ) -> None:
        # It logs each failure, many with a trace, some every second; they are raised, counted and told here instead.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
        self._device = device
        self._settings = settings
        self._clock = clock
        self._traffic = traffic
        self._credentials = credentials
        self._client = _new_client(settings)
        self._session = _Session(self._client.uaclient)
        self._client.uaclient.session = self._session
        self._phase = Phase.CONNECTING
        self._renewal: asyncio.Task[None] | None = None
        self._known = False  # True: the server has a session of ours, to be closed even if its subscriptions are dead

    @property
    def renewal(self) -> asyncio.Task[None]:
        """Ends only by failing: the channel could not be renewed."""
        assert self._renewal is not None, "open first"
        return self._renewal

    @property
    def session_timeout_s(self) -> float:
        """As the server revised it: after that long without a request it forgets us."""
        return float(self._client.session_timeout) / 1000

    async def open(self) -> None:
        """Connect and sign in; each step takes ``timeout_s`` at most."""
        client, credentials = self._client, self._credentials
        if credentials.own is not None:
            server = choose(await self._endpoints(), self._settings, self._device)
            apply(client, self._settings, credentials, server, self._device)
        await self._reach(client)
        self._phase = Phase.SECURING
        await client.open_secure_channel()
        self._phase = Phase.SIGNING_IN
        await client.create_session()
        self._known = True
        await self._sign_in()
        self._phase = Phase.OPEN
        self._traffic.connects += 1
        self._traffic.requests += 4
        self._renewal = asyncio.create_task(self._renew())

    async def _reach(self, client: Client) -> None:
        async with asyncio.timeout(self._settings.timeout_s):
            await client.connect_socket()
        await client.send_hello()

    async def _endpoints(self) -> list[ua.EndpointDescription]:
        """What the server offers, asked over a connection of its own that is closed before the next begins."""
        client = _new_client(self._settings)
        try:
            await self._reach(client)
            self._phase = Phase.ASKING
            await client.open_secure_channel()
            self._traffic.requests += 1
            endpoints = await client.get_endpoints()
            self._phase = Phase.CONNECTING
            return endpoints
        finally:
            await _drop(client)

    async def _sign_in(self) -> None:
        client, credentials = self._client, self._credentials
        user = credentials.user
        if credentials.password is not None:
            check_password(client, self._settings, self._device)
        if user is not None:
            client.user_certificate, client.user_private_key = user.certificate, user.key
        try:
            await client.activate_session(
                self._settings.username, credentials.password, None if user is None else user.certificate
            )
        except AttributeError as error:  # there is no certificate of the server's to encrypt with
            message = "the server wants the password encrypted, which takes a secure channel"
            raise DeviceError(self._device, message) from error

    async def close(self) -> None:
        """Take leave if the connection still stands, then drop it in any case. Takes ``timeout_s`` at most."""
        protocol = self._client.uaclient.protocol
        try:
            if self._renewal is not None:
                self._renewal.cancel()
                await asyncio.gather(self._renewal, return_exceptions=True)
            if self._known and protocol is not None and not protocol.is_closed:
                async with asyncio.timeout(self._settings.timeout_s):
                    await self._client.close_session()
                    await self._client.close_secure_channel()
        except Exception:  # the connection goes either way
            logging.getLogger(__name__).debug("no farewell to %s", self._device, exc_info=True)
        finally:
            await _drop(self._client)

    async def _renew(self) -> None:
        """A channel's keys end with its lifetime, as the server revised it: renew in good time."""
        while True:
            await asyncio.sleep(0.75 * self._client.secure_channel_timeout / 1000)
            await self._client.open_secure_channel(renew=True)
            self._client.uaclient.revolve_security_token()

    async def read(
        self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds = ua.AttributeIds.Value
    ) -> list[Reading]:
        """An attribute of each node as one call, with its status: asyncua's client would turn an unknown node into None."""
        self._traffic.requests += 1
        return await self._session.read_values(nodes, attribute)

    async def create_subscription(self, asked: Subscription) -> ua.CreateSubscriptionResult:
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=asked.publish_ms,
            RequestedLifetimeCount=asked.lifetime_count,
            RequestedMaxKeepAliveCount=asked.keepalive_count,
            MaxNotificationsPerPublish=NOTIFICATIONS_MAX,
            PublishingEnabled=True,
        )
        self._traffic.requests += 1
        return await self._client.uaclient.create_subscription(parameters, _unused)

    async def delete_subscription(self, subscription: int) -> None:
        self._traffic.requests += 1
        await self._client.uaclient.delete_subscriptions([subscription])

    async def create_items(
        self, subscription: int, items: Sequence[ua.MonitoredItemCreateRequest]
    ) -> list[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=subscription,
            TimestampsToReturn=ua.TimestampsToReturn.Source,
            ItemsToCreate=list(items),
        )
        self._traffic.requests += 1
        results: list[ua.MonitoredItemCreateResult] = await self._client.uaclient.create_monitored_items(parameters)
        return results

    async def refresh_conditions(self, subscription: int) -> int:
        """Have every alarm that stands told to a subscription, between two events that say so. Returns the status of the call."""
        self._traffic.requests += 1
        call = ua.CallMethodRequest(
            ObjectId=node_id(CONDITION_TYPE),
            MethodId=node_id(CONDITION_REFRESH),
            InputArguments=[ua.Variant(subscription, ua.VariantType.UInt32)],
        )
        (answer,) = await self._session.call([call])
        return int(answer.StatusCode.value)

    async def publish(self, acknowledge: Sequence[ua.SubscriptionAcknowledgement]) -> Arrived:
        """Waits at the server until it has something to say, without a time-out."""
        self._traffic.requests += 1
        response = await self._session.publish_news(list(acknowledge))
        return Arrived(response, self._clock.wall_ns(), self._clock.mono_ns())

    def in_words(self, error: Exception) -> str:
        """What an engineer should read of a failure."""
        secured = self._phase is Phase.SECURING and self._credentials.own is not None
        if self._phase is Phase.ASKING and isinstance(error, AssertionError | ConnectionError | UaStatusCodeError):
            why = f": {name_of(error.code)}" if isinstance(error, UaStatusCodeError) else ""
            return f"the server refuses a channel without security, over which it is asked what it offers{why}"
        if isinstance(error, UaStatusCodeError):
            return f"the server refused: {name_of(error.code)}{self._hint(error.code)}"
        if secured and isinstance(error, AssertionError | OSError):  # asyncua drops the refusal that came
            return f"the server refused the secure channel{self._hint(ua.StatusCodes.BadSecurityChecksFailed)}"
        if isinstance(error, TimeoutError):
            return f"no answer within {self._settings.timeout_s:g} s"
        if isinstance(error, OSError):
            return f"no connection to {self._settings.endpoint}: {str(error) or type(error).__name__}"
        return f"{type(error).__name__}: {error}"

    def _hint(self, status: int) -> str:
        hint = _HINTS.get(status, "")
        return f" ({hint.format(thumbprint=self._credentials.thumbprint)})" if hint else ""


async def _drop(client: Client) -> None:
    protocol = client.uaclient.protocol
    if protocol is not None and protocol.transport is not None:
        protocol.transport.abort()
    await asyncio.sleep(0)  # lets the transport close its socket


def _new_client(settings: OpcUaSettings) -> Client:
    client = Client(settings.endpoint, timeout=settings.timeout_s)
    client.name = client.description = "parksentry edge agent"
    client.application_uri = "urn:parksentry:edge-agent"
    client.product_uri = "urn:parksentry"
    client.session_timeout = SESSION_TIMEOUT_MS
    client.secure_channel_timeout = CHANNEL_LIFETIME_MS
    client.max_messagesize = MESSAGE_BYTES_MAX
    return client


def _unused(_: ua.PublishResult) -> None:
    """Asyncua wants a callback with each subscription and calls it from the loop that is not run."""


def code_of(error: Exception) -> int:
    """The status code of a refusal, 0 for any other failure."""
    return int(error.code) if isinstance(error, UaStatusCodeError) else 0


def name_of(status: int) -> str:
    """The name that the standard gives a status code."""
    return str(ua.StatusCode(ua.UInt32(status)).name)
