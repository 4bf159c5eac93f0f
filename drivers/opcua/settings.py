"""Keys of a ``[[device]]`` table whose driver is ``opcua``; from the agent's configuration to ``driver``.

``README.md`` beside this file explains each key to the engineer who sets it.
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

_ENDPOINT: Final = re.compile(
    r"opc\.tcp://(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[\w.-]{1,253}):(?P<port>[0-9]{1,5})(/\S*)?\Z"
)
_ENDPOINT_REMEDY: Final = 'Give "opc.tcp://host:port", with the path that the server has; a user has keys of its own'
_File = Annotated[str | None, Field(min_length=1, max_length=255)]


class OpcUaSettings(BaseModel):
    """One OPC UA server, over one session."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Annotated[str, Field(max_length=512, description=_ENDPOINT_REMEDY)]
    security: Literal["None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"] = "None"
    security_mode: Literal["SignAndEncrypt", "Sign"] = "SignAndEncrypt"
    certificate_file: _File = None
    private_key_file: _File = None
    server_certificate_file: _File = None
    username: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    password_file: _File = None
    user_certificate_file: _File = None
    user_key_file: _File = None
    mode: Literal["auto", "subscribe", "poll"] = "auto"
    publish_ms: Annotated[float, Field(ge=10, le=10_000, allow_inf_nan=False)] = 500.0
    sampling_ms: Annotated[float | None, Field(ge=1, le=3_600_000, allow_inf_nan=False)] = None
    timeout_s: Annotated[float, Field(ge=0.05, le=60, allow_inf_nan=False)] = 1.0
    reconnect_max_s: Annotated[float, Field(ge=0.1, le=60, allow_inf_nan=False)] = 5.0

    @field_validator("endpoint")
    @classmethod
    def _is_endpoint(cls, endpoint: str) -> str:
        shape = _ENDPOINT.match(endpoint)
        if shape is None or not 1 <= int(shape["port"]) <= 65535:
            raise ValueError("is not opc.tcp://host:port")
        return endpoint
