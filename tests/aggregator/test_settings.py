"""aggregator.toml is read whole and checked whole: every fault at once, where it lies, with what to do."""

from __future__ import annotations

import pytest

from aggregator.settings import TEMPLATE, WEB_DEFAULT, Settings, parse
from contract.errors import ConfigError


def test_the_file_that_init_writes_reads_back():
    text = TEMPLATE.format(name="park-west", listen="tcp://*:7440", web="[::1]:80")
    settings = parse(text, "aggregator.toml")
    assert (settings.name, settings.listen) == ("park-west", "tcp://*:7440")
    assert (settings.web.host, settings.web.port) == ("::1", 80)


def test_what_is_left_out_has_its_default():
    assert parse('name = "x"', "aggregator.toml").web.listen == WEB_DEFAULT


def test_every_fault_is_told_at_once_with_its_place():
    text = 'name = "-x"\nlisten = "udp://x"\nlisen = 1\n[web]\nlisten = "x:99999"\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, "aggregator.toml")
    assert sorted(str(fault.column) for fault in caught.value.faults) == ["lisen", "listen", "name", "web.listen"]
    assert all(fault.remedy for fault in caught.value.faults)


@pytest.mark.parametrize("listen", ["tcp://127.0.0.1:7440", "tcp://*:*", "tcp://[::1]:1", "tcp://host.local:65535"])
def test_addresses_that_zeromq_takes(listen):
    assert Settings(name="x", listen=listen).listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:7440", "tcp://127.0.0.1", "tcp://a:65536", "tcp://a b:1", "tcp://:1"])
def test_addresses_that_it_does_not_take(listen):
    with pytest.raises(ConfigError, match="must be tcp"):
        parse(f'name = "x"\nlisten = "{listen}"', "aggregator.toml")


def test_no_toml_is_one_fault_that_names_the_line():
    with pytest.raises(ConfigError, match="line 2"):
        parse("name = 'x'\nlisten = = 1\n", "aggregator.toml")
