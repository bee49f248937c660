"""The sidecar's file: every field wrong once; told are line, key, value and what is accepted."""

import json
import re
import time
import tomllib
from pathlib import Path

import pytest

from era5_sidecar import config as configs
from era5_sidecar.config import ConfigFileError, SidecarConfig, placed, read, shown
from era5_sidecar.config_lines import line_of
from tests.wrong_values import (
    NUMBER,
    OF_A_CLIENT,
    OF_LIMITS,
    WHOLE,
    found,
    general,
    inside,
    keys,
    never_wrong,
    spoiled,
)

SAMPLE = Path(__file__).parents[2] / "era5_sidecar" / "sidecar.toml"
CLIENT = "outbound.services.suppliers.client"


def written(folder: Path, text: str) -> Path:
    path = folder / "sidecar.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refusal(folder: Path, text: str) -> ConfigFileError:
    with pytest.raises(ConfigFileError) as refused:
        read(written(folder, text))
    return refused.value


def test_the_sample_is_valid_and_names_every_key():
    read(SAMPLE)
    names = {general(each) for each in found(tomllib.loads(SAMPLE.read_text()))}
    assert {*keys(SidecarConfig)} - names == set()


def test_the_sample_says_the_defaults():
    said, least = read(SAMPLE), configs.InboundConfig("http://127.0.0.1:0")
    for field in ("most_in_flight", "deadline_s", "settle_s", "drain_s", "heartbeat_s", "lease_s"):
        assert getattr(said.inbound, field) == getattr(least, field)
    assert said.limits == configs.LimitsConfig()
    assert said.log == configs.LogConfig()
    assert said.supervisor == configs.SupervisorConfig()
    assert said.outbound.services["suppliers"] == configs.UpstreamConfig()


WRONG = [  # (key, what the sample says, what is said instead, what is told)
    ("service", '"inventory"', '"in ventory"', "'in ventory': accepted is 1 to 64 of"),
    ("service", '"inventory"', "3", "is 3: accepted is 1 to 64 of"),
    ("instance", '"inventory-1"', '""', "is '': accepted is 1 to 64 of"),
    ("app", '"unix:inventory-1.sock"', '"unix:"', "accepted is unix:PATH with a path of 1 to 103"),
    ("app", '"unix:inventory-1.sock"', f'"unix:/{"a" * 103}"', "accepted is unix:PATH"),
    (
        "app",
        '"unix:inventory-1.sock"',
        '"http://10.0.0.1:80"',
        "or http://IP:PORT with a loopback IP",
    ),
    ("app", '"unix:inventory-1.sock"', "[]", "is []: accepted is unix:PATH"),
    (
        "app",
        '"unix:inventory-1.sock"',
        '"somewhere"',
        "a path of 1 to 103 bytes, or http://IP:PORT with a loopback IP",
    ),
    ("admin_listen", '"http://127.0.0.1:0"', '"http://0.0.0.0:0"', "with a loopback IP"),
    ("release", '""', "5", "is 5: accepted is the path of a folder"),
    ("mark", "0", "-1", "is -1: accepted is a whole number from 0 to 4294967295"),
    (
        "inbound.listen",
        '"http://127.0.0.1:0"',
        '"http://localhost:0"',
        "accepted is http://IP:PORT",
    ),
    ("inbound.listen", '"http://127.0.0.1:0"', '"https://127.0.0.1:0"', "accepted is http://IP:PO"),
    ("inbound.listen", '"http://127.0.0.1:0"', '"http://127.0.0.1:65536"', "from 0 to 65535"),
    ("inbound.advertise", '""', '"http://127.0.0.1:0"', "a port from 1 to 65535"),
    ("inbound.is_edge", "false", "0", "is 0: accepted is true or false"),
    ("inbound.most_in_flight", "64", "0", f"is 0: {WHOLE} 1 to 100000"),
    ("inbound.deadline_s", "3.0", '"3"', f"is '3': {NUMBER} 0.001 to 3600"),
    ("inbound.settle_s", "1.0", "-1", f"is -1: {NUMBER} 0"),
    ("inbound.drain_s", "3.0", "inf", f"is inf: {NUMBER} 0"),
    ("inbound.heartbeat_s", "0.5", "nan", f"is nan: {NUMBER} 0.01"),
    ("inbound.lease_s", "2.0", "0.9", "is 0.9: accepted is at least twice heartbeat_s, 0.5"),
    ("inbound.lease_s", "2.0", "0", f"is 0: {NUMBER} 0.1"),
    ("inbound.health_path", '"/"', '"health"', "'health': accepted is a path as /orders/"),
    ("inbound.health_path", '"/"', '"/a//b"', "'/a//b': accepted is a path"),
    ("inbound.health_every_s", "0.5", "true", f"is True: {NUMBER} 0.01"),
    ("inbound.may[0].callers", '["orders"]', '"orders"', "is 'orders': accepted is a list of"),
    ("inbound.may[0].callers", '["orders"]', "[]", "accepted is a list of services' names"),
    ("inbound.may[1].method", '"DELETE"', '"delete"', "is 'delete': accepted is 'GET' or 'HEAD'"),
    ("inbound.may[2].path", '"/catalogue"', '"/a/../b"', "is '/a/../b': accepted is a path"),
    ("inbound.may[2].path", '"/catalogue"', '"/a%2fb"', "is '/a%2fb': accepted is a path"),
    ("inbound.quotas.orders.rate_per_s", "500", "0", f"is 0: {NUMBER} 0.001"),
    ("inbound.quotas.reports.burst", "10 }", "0.5 }", f"is 0.5: {NUMBER} 1"),
    ("outbound.listen", '"http://127.0.0.1:0"', '"http://0.0.0.0:0"', "with a loopback IP"),
    ("outbound.services.suppliers.most_connections", "256", "256.0", f"is 256.0: {WHOLE} 1"),
    ("outbound.services.suppliers.endpoints", "[]", '"x"', "is 'x': accepted is a list of http://"),
    ("outbound.services.suppliers.endpoints[1]", "[]", '["http://1.2.3.4:5", "x"]', "is 'x': acc"),
    *inside(CLIENT, OF_A_CLIENT),
    (f"{CLIENT}.retry.backoff.base_s", "0.025", "1", "cap_s is 0.25: accepted is at least base_s"),
    ("registry.url", '"http://127.0.0.1:7500"', '"127.0.0.1"', "accepted is http://HOST:PORT"),
    ("registry.secret", '"secret"', '""', "is '': accepted is the path of a file"),
    ("tls.certificate", '"inventory.pem"', "1", "is 1: accepted is the path of a file"),
    ("tls.key", '"inventory.key"', '""', "is '': accepted is the path of a file"),
    ("tls.authority", '"authority.pem"', "false", "is False: accepted is the path of a file"),
    *inside("limits", OF_LIMITS),
    ("log.path", '""', "1", 'is 1: accepted is the path of a file, "-" for stdout'),
    ("log.every_s", "1.0", "61", f"is 61: {NUMBER} 0.01 to 60"),
    ("supervisor.probe_every_s", "1.0", "0", f"is 0: {NUMBER} 0.05"),
    ("supervisor.patience_s", "5.0", "1", "is 1: accepted is at least twice probe_every_s, 1.0"),
    ("supervisor.upgrade_s", "10.0", "0", f"is 0: {NUMBER} 0.1"),
]


@pytest.mark.parametrize(("key", "before", "after", "told"), WRONG)
def test_a_field_that_is_wrong_is_told_with_line_key_value_and_what_is_accepted(
    tmp_path, key, before, after, told
):
    place = key.removesuffix("[1]") if "endpoints" in key else key
    text, line = spoiled(SAMPLE.read_text(), line_of, place, before, after)
    refused = refusal(tmp_path, text)
    assert refused.line == line
    if "cap_s" not in told:  # told of cap_s, with which it cannot go together
        assert refused.key == key
    assert f"{tmp_path}/sidecar.toml, line {line}: {refused.key} " in str(refused)
    assert told in str(refused)


def test_the_table_above_has_every_field():
    assert never_wrong(SidecarConfig, WRONG) == set()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("drain_s = 3.0", "drian_s = 3.0", "inbound.drian_s is not known: accepted are listen,"),
        ("drain_s = 3.0", "drian_s = 3.0", "; drain_s is the nearest"),
        ("[limits]", "[limit]", "limit is not known: "),
        ('service = "inventory"', "", "service is missing: it has no default"),
        ('callers = ["orders", "reports"]', "", "inbound.may[2].callers is missing"),
        ("[inbound]", "[inbound.x]", "line 13: inbound.x is not known"),
        ("[log]", "[[log]]", "log is [{'path': '', 'every_s': 1.0}]: accepted is a table, [log]"),
        ("[tls]", "[[tls]]", "accepted is a table, [tls]"),
        ("orders = { rate", "order = { rate", "inbound.quotas.order is not known: accepted are *,"),
        ("[log]", "[log", "'[log' is no TOML: Expected ']'"),
        ("every_s = 1.0", "every_s = 1.0\nevery_s = 2.0", "is no TOML: Cannot overwrite a value"),
    ],
)
def test_what_there_is_not_or_what_is_no_toml_is_told_with_its_line(tmp_path, before, after, told):
    text = SAMPLE.read_text()
    assert before in text
    refused = refusal(tmp_path, text.replace(before, after, 1))
    assert told in str(refused)
    assert refused.line >= 1


@pytest.mark.parametrize(
    ("cut", "key", "told"),
    [
        ("[tls]", "inbound.may[0].callers", 'accepted is ["*"], as there is no [tls]'),
        ("[registry]", "outbound.services.suppliers.endpoints", "at least one if there is no [reg"),
    ],
)
def test_what_cannot_go_together_is_told(tmp_path, cut, key, told):
    text = re.sub(rf"{re.escape(cut)}.*?\n\n", "", SAMPLE.read_text(), count=1, flags=re.DOTALL)
    refused = refusal(tmp_path, text)
    assert refused.key == key
    assert told in str(refused)


def test_customers_have_no_names(tmp_path):
    refused = refusal(tmp_path, SAMPLE.read_text().replace("is_edge = false", "is_edge = true"))
    assert refused.key == "inbound.may[0].callers"
    assert 'accepted is ["*"], as customers have no names' in str(refused)


LEAST = """
service = "orders"
instance = "orders-1"
app = "http://127.0.0.1:8000"
admin_listen = "http://127.0.0.1:7001"
[inbound]
listen = "http://127.0.0.1:7002"
"""


def test_the_least_that_must_be_said(tmp_path):
    config = read(written(tmp_path, LEAST))
    assert config.outbound is config.registry is config.tls is None
    assert not config.registers()
    assert config.inbound.may == ()


@pytest.mark.parametrize(
    ("also", "key"),
    [
        ('[outbound]\nlisten = "http://127.0.0.1:7001"\nservices = {}', "outbound.listen"),
        ('[outbound]\nlisten = "http://127.0.0.1:7003"\n', "outbound.services"),
        ("[outbound.services.x]\n", "outbound.listen"),
        ("quotas = { orders = { rate_per_s = 1, burst = 1 } }", "inbound.quotas.orders"),
        ("may = 3", "inbound.may"),
        ("may = [3]", "inbound.may"),
        (
            '[outbound]\nlisten = "http://127.0.0.1:0"\nservices = { "a b" = {} }',
            "outbound.services",
        ),
        ("[tls]\nkey = 'a'\n", "tls.certificate"),
    ],
)
def test_more_that_cannot_be(tmp_path, also, key):
    assert refusal(tmp_path, LEAST + also).key == key


def test_who_listens_everywhere_must_say_where_it_is_found(tmp_path):
    text = SAMPLE.read_text().replace(
        'listen = "http://127.0.0.1:0"\nadv', 'listen = "http://0.0.0.0:0"\nadv'
    )
    assert refusal(tmp_path, text).key == "inbound.advertise"


def test_paths_are_relative_to_the_file(tmp_path):
    config = read(written(tmp_path, SAMPLE.read_text().replace('path = ""', 'path = "a.log"')))
    assert config.app == f"unix:{tmp_path}/inventory-1.sock"
    assert config.tls.key == f"{tmp_path}/inventory.key"
    assert config.registry.secret == f"{tmp_path}/secret"
    assert config.log.path == f"{tmp_path}/a.log"
    assert config.release == ""


def test_stdout_is_no_path(tmp_path):
    config = read(written(tmp_path, SAMPLE.read_text().replace('path = ""', 'path = "-"')))
    assert config.log.path == "-"


@pytest.mark.parametrize("content", [b"\xff", b"a = 1\n# \xc3\n", b"x" * 70_000, b"\n" * 3000])
def test_a_file_that_cannot_be_read_is_told(tmp_path, content):
    path = tmp_path / "sidecar.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigFileError, match="line") as refused:
        read(path)
    assert str(path) in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigFileError, match="cannot be read: No such file or directory"):
        read(tmp_path / "sidecar.toml")


def test_deep_nesting_is_refused_and_not_fatal(tmp_path):
    assert "TOML" in str(refusal(tmp_path, "a = " + "[" * 20_000 + "]" * 20_000))


# Lines.


def test_a_value_over_several_lines_stands_where_it_begins():
    text = '# one\na = [\n  1,\n  2,\n]\n\nb = """\nx\n"""\nc = 1\n'
    assert [line_of(text, key) for key in "abc"] == [2, 7, 10]


def test_names_may_contain_dots_and_tables_may_come_in_any_form():
    text = 'a.b = 1\n[q]\n"x.y" = { z = 1 }\n[[l]]\nm = 1\n[[l]]\nm = 2\n'
    assert line_of(text, "a.b") == 1
    assert line_of(text, "q.x.y.z") == 3
    assert line_of(text, "l[0].m") == 5
    assert line_of(text, "l[1].m") == 7


def test_what_is_missing_is_told_where_its_table_begins():
    text = "a = 1\n\n[t]\nb = 1\n[t.u]\n"
    assert line_of(text, "t.c") == 3
    assert line_of(text, "t.u.v.w") == 5
    assert line_of(text, "zzz") == 1


def test_every_line_of_the_sample_is_found():
    text, lines = SAMPLE.read_text(), SAMPLE.read_text().split("\n")
    for key in found(tomllib.loads(text)):
        if "*" not in key:
            assert key.rpartition(".")[2] in lines[line_of(text, key) - 1], key


def test_a_long_file_is_searched_in_little_time():
    text = "".join(f"k{number} = {number}\n" for number in range(1999))
    begin = time.thread_time()  # of the processor: whoever else is at work
    assert line_of(text, "k1500") == 1501
    assert time.thread_time() - begin < 1.0


def test_an_error_found_later_gets_the_line_of_its_key(tmp_path):
    path = written(tmp_path, SAMPLE.read_text())
    later = placed(path, configs.ConfigError("tls.key", "is of no use"))
    assert "inventory.key" in SAMPLE.read_text().split("\n")[later.line - 1]
    assert str(later).endswith(": tls.key is of no use")
    path.unlink()
    assert str(placed(path, configs.ConfigError("tls.key", "x"))) == "tls.key x"


# Secrets.


def test_where_secrets_and_keys_are_is_not_shown(tmp_path):
    text = (
        SAMPLE.read_text()
        .replace('"secret"', '"canary-1"')
        .replace('"inventory.key"', '"canary-2"')
    )
    config = read(written(tmp_path, text))
    assert "canary" not in repr(config)
    assert "canary" not in json.dumps(shown(config))
    assert shown(config)["tls"]["key"] == shown(config)["registry"]["secret"] == "(hidden)"
    assert shown(config)["inbound"]["may"][0]["method"] == "PUT"
    json.dumps(shown(read(written(tmp_path, LEAST))))
