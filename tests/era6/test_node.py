"""The file that one node is told by: what it may say, and how it is refused."""

import pytest

from era5_sidecar.config_lines import ConfigFileError
from era6_control_plane import node

WHOLE = """\
service = "inventory"
instance = "inventory-1"
version = "v1"
app = "unix:app.sock"
admin_listen = "http://127.0.0.1:0"

[inbound]
listen = "http://127.0.0.1:0"

[outbound]
listen = "http://127.0.0.1:0"

[pilot]
nodes = "https://127.0.0.1:15012"
join = "https://127.0.0.1:15013"
authorities = "authorities.pem"
token = "join.token"

[agent]
socket = "unix:agent.sock"
state = "state"
"""


def read(tmp_path, text):
    path = tmp_path / "node.toml"
    path.write_text(text)
    return node.read(path)


def test_paths_are_relative_to_the_folder_of_the_file(tmp_path):
    config = read(tmp_path, WHOLE)
    assert config.app == f"unix:{tmp_path}/app.sock"
    assert config.agent == node.AgentPlace(f"unix:{tmp_path}/agent.sock", f"{tmp_path}/state")
    assert config.pilot.authorities == f"{tmp_path}/authorities.pem"
    assert config.pilot.token == f"{tmp_path}/join.token"
    assert (config.data_plane, config.release, config.mark) == ("python", "", 0)


def test_absolute_paths_stay(tmp_path):
    config = read(tmp_path, WHOLE.replace('"state"', '"/var/lib/agent"'))
    assert config.agent.state == "/var/lib/agent"


def test_outbound_token_and_version_may_be_absent(tmp_path):
    text = WHOLE.replace('token = "join.token"\n', "").replace('version = "v1"\n', "")
    config = read(tmp_path, text.replace('[outbound]\nlisten = "http://127.0.0.1:0"\n', ""))
    assert (config.outbound, config.pilot.token, config.version) == (None, "", "")


def test_where_the_token_is_does_not_show(tmp_path):
    assert "join.token" not in repr(read(tmp_path, WHOLE))


REFUSED = [  # what is replaced, by what, which line, which key, what is accepted
    ('"inventory"', '"in ventory"', 1, "service", "1 to 64 of"),
    ('"inventory-1"', "1", 2, "instance", "1 to 64 of"),
    ('"v1"', '"v 1"', 3, "version", "for none"),
    ('"unix:app.sock"', '"unix:"', 4, "app", "a path of 1 to"),
    ('"unix:app.sock"', '"http://192.0.2.1:80"', 4, "app", "loopback"),
    (
        'admin_listen = "http://127.0.0.1:0"',
        'admin_listen = "http://[::]:0"',
        5,
        "admin_listen",
        "",
    ),
    ('[inbound]\nlisten = "http://127.0.0.1:0"', "[inbound]", 7, "inbound.listen", "is missing"),
    ("[inbound]\n", "[inbound]\nadvertise = 'me'\n", 8, "inbound.advertise", "http://IP:PORT"),
    ("[inbound]\n", "[inbound]\nheartbeat_s = 0\n", 8, "inbound.heartbeat_s", "from 0.01"),
    ("[inbound]\n", "[inbound]\nhealth_path = 'x'\n", 8, "inbound.health_path", "a path as"),
    ("[inbound]\n", "[inbound]\ndrain_s = -1\n", 8, "inbound.drain_s", "from 0"),
    ("[inbound]\n", "[inbound]\nhearbeat_s = 1\n", 8, "inbound.hearbeat_s", "heartbeat_s is the"),
    ("[outbound]\nlisten", "[outbound]\nlisten = 1\n#", 11, "outbound.listen", "loopback"),
    ('"https://127.0.0.1:15012"', '"http://127.0.0.1:1"', 14, "pilot.nodes", "https://HOST:PORT"),
    ('"https://127.0.0.1:15013"', '"https://127.0.0.1:0"', 15, "pilot.join", "from 1"),
    ('authorities = "authorities.pem"\n', "", 13, "pilot.authorities", "is missing"),
    ('"join.token"', "7", 17, "pilot.token", "the path of a file"),
    ('"unix:agent.sock"', '"http://127.0.0.1:1"', 20, "agent.socket", "unix:PATH"),
    ('"unix:agent.sock"', '"unix:app.sock"', 20, "agent.socket", "another address than app"),
    ('"state"', '""', 21, "agent.state", "a folder"),
    ("service", 'data_plane = "nginx"\nservice', 1, "data_plane", "'python' or 'envoy'"),
    ("service", "mark = -1\nservice", 1, "mark", "a whole number"),
    ("service", "release = 1\nservice", 1, "release", "a folder"),
    ("service", "policy = 1\nservice", 1, "policy", "is not known"),
]


@pytest.mark.parametrize(("old", "new", "line", "key", "accepted"), REFUSED)
def test_what_cannot_be_is_refused_with_its_line(tmp_path, old, new, line, key, accepted):
    assert old in WHOLE
    with pytest.raises(ConfigFileError) as caught:
        read(tmp_path, WHOLE.replace(old, new, 1))
    assert (caught.value.line, caught.value.key) == (line, key)
    assert accepted in caught.value.problem


def test_who_listens_everywhere_says_where_it_is_reached(tmp_path):
    text = WHOLE.replace("http://127.0.0.1:0", "http://127.0.0.1:1")  # admin and outbound
    everywhere = text.replace(
        '[inbound]\nlisten = "http://127.0.0.1:1"', "[inbound]\nlisten = 'http://0.0.0.0:0'"
    )
    with pytest.raises(ConfigFileError, match=r"inbound\.advertise .* inbound\.listen is everywh"):
        read(tmp_path, everywhere)


def test_two_listeners_at_one_address_are_refused(tmp_path):
    text = WHOLE.replace("http://127.0.0.1:0", "http://127.0.0.1:15001")
    with pytest.raises(ConfigFileError, match="another address than"):
        read(tmp_path, text)


def test_tables_that_are_none_are_refused(tmp_path):
    text = WHOLE.replace('[outbound]\nlisten = "http://127.0.0.1:0"\n', "")
    with pytest.raises(ConfigFileError, match=r"line 1: outbound is .*a table"):
        read(tmp_path, f'outbound = "http://127.0.0.1:0"\n{text}')
