"""Configurations for bought proxies: their own programs accept them, and strangers write none."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from era4_framework.config import (
    BalancerConfig,
    BreakerConfig,
    ClientConfig,
    ConfigError,
    QuotaConfig,
    RetryConfig,
)
from era5_sidecar import bought, certificates
from era5_sidecar.config import (
    InboundConfig,
    LogConfig,
    OutboundConfig,
    RegistryConfig,
    Rule,
    SidecarConfig,
    TlsConfig,
    UpstreamConfig,
)
from era5_sidecar.discovery import Instance

CHECK_S = 20.0
PLAIN_INBOUND = InboundConfig("http://127.0.0.1:18001")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsConfig:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.main(folder, ["inventory"])
    names = ("inventory.pem", "inventory.key", "authority.pem")
    return TlsConfig(*(str(folder / name) for name in names))


@pytest.fixture(params=bought.PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def sidecar(
    inbound: InboundConfig = PLAIN_INBOUND,
    outbound: OutboundConfig | None = None,
    tls: TlsConfig | None = None,
    app: str = "unix:/tmp/app.sock",
    **others: LogConfig,
) -> SidecarConfig:
    registry = RegistryConfig("http://127.0.0.1:18000", "/nowhere/secret")
    admin = "http://127.0.0.1:18003"
    names = ("inventory", "inventory-1", app, admin)
    return SidecarConfig(*names, inbound, outbound=outbound, registry=registry, tls=tls, **others)


def everything(tls: TlsConfig, log: str) -> SidecarConfig:
    """Each policy that a file can name, used."""
    unlike = ClientConfig(
        retry=RetryConfig(attempts=1),
        breaker=BreakerConfig(consecutive_failures=0, failure_percent=50.0),
        balancer=BalancerConfig("round_robin"),
    )
    fixed = UpstreamConfig(unlike, endpoints=("http://127.0.0.1:18010", "http://127.0.0.1:18011"))
    # names that a careless writer would confuse with the files' own
    callees = {"suppliers": UpstreamConfig(), "app": fixed, "collector": UpstreamConfig()}
    rules = (
        Rule(("orders", "reports"), "GET", "/catalogue"),
        Rule(("orders",), "PUT", "/reservations/"),
        Rule(("*",), "*", "/a.b~c/"),
    )
    quotas = {
        "orders": QuotaConfig(500, 1000),
        "others": QuotaConfig(0.2, 1),
        "*": QuotaConfig(5, 10),
    }
    inbound = dataclasses.replace(PLAIN_INBOUND, may=rules, quotas=quotas)
    outbound = OutboundConfig("http://127.0.0.1:18002", callees)
    return sidecar(inbound, outbound, tls, log=LogConfig(log))


def written(program: str, config: SidecarConfig, known: dict[str, list[Instance]]) -> str:
    return "\n".join(bought.language(program).files(config, known, "/nowhere").values())


def judge(program: str, config: SidecarConfig, known: dict[str, list[Instance]], folder: Path):
    """The program's own verdict: exit code and what it said."""
    try:
        binary = bought.find(program)
    except bought.Missing as missing:
        pytest.skip(str(missing))
    bought.place(program, config, known, folder)
    command = bought.language(program).check(binary, str(folder))
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHECK_S)
    return done.returncode, done.stdout + done.stderr


def test_the_program_accepts_every_policy(program, tls, tmp_path):
    config = everything(tls, str(tmp_path / "access.log"))
    known = {"suppliers": [Instance("s-1", "http://127.0.0.1:18020")]}
    code, said = judge(program, config, known, tmp_path)
    assert code == 0, said


def test_the_program_accepts_the_edge_while_nobody_is_known(program, tmp_path):
    inbound = InboundConfig("http://127.0.0.1:18001", is_edge=True, may=(Rule(("*",), "*", "/"),))
    outbound = OutboundConfig("http://127.0.0.1:18002", {"suppliers": UpstreamConfig()})
    config = sidecar(inbound, outbound, app="http://127.0.0.1:18004")
    code, said = judge(program, config, {}, tmp_path)
    assert code == 0, said


def test_a_program_that_reads_nonsense_says_so(program, tmp_path):
    """Otherwise the two claims above would be worth nothing."""
    assert judge(program, sidecar(), {}, tmp_path)[0] == 0
    main = {"nginx": "nginx.conf", "haproxy": "haproxy.cfg", "envoy": "envoy.json"}[program]
    (tmp_path / main).write_text("nonsense\n")
    command = bought.language(program).check(bought.find(program), str(tmp_path))
    assert subprocess.run(command, capture_output=True, timeout=CHECK_S).returncode


STRANGE_NAMES = ["", "a b", "a;b", "a{b", "a}b", 'a"b', "a'b", "a\nb", "a#b", "a$b", "a\\b", "-a",
                 "ä", "a/../b", "a" * 65]  # fmt: skip
STRANGE_URLS = [
    "http://127.0.0.1:18020;",
    "http://127.0.0.1:18020 backup",
    "http://127.0.0.1:18020\n    server evil 10.0.0.1:80",
    "http://127.0.0.1:18020/",
    "http://127.0.0.1:018020",
    "http://127.0.0.1:0",
    "http://127.0.0.1:70000",
    "http://127.0.0.1",
    "http://user@127.0.0.1:18020",
    "http://localhost:18020",
    "http://evil.example:18020",
    "https://127.0.0.1:18020",
    "unix:/var/run/docker.sock",
    "http://[::1]:18020",
    "http://127.0.0.1:١٨",
    "",
]


@pytest.mark.parametrize("url", STRANGE_URLS)
def test_what_the_registry_says_is_an_address_or_is_refused(program, tls, tmp_path, url):
    config = everything(tls, "")
    known = {"suppliers": [Instance("s-1", url)]}
    with pytest.raises(ConfigError, match="suppliers"):
        bought.place(program, config, known, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_an_instances_name_is_a_word_or_is_not_written(program, tls, name):
    known = {"suppliers": [Instance(name, "http://127.0.0.1:18020")]}
    try:
        text = written(program, everything(tls, ""), known)
    except ConfigError:
        return
    # nginx and Envoy name no instance: the text is that of any other name
    other = {"suppliers": [Instance("s-1", "http://127.0.0.1:18020")]}
    assert text == written(program, everything(tls, ""), other)


@pytest.mark.parametrize("path", ["/a;b", "/a'b", "/a$b", "/a(b)", "/a*b", "/a,b"])
def test_a_path_that_means_more_elsewhere_is_refused(program, path):
    """Our own file may say it; nginx would read the end of a word, or a variable."""
    inbound = dataclasses.replace(PLAIN_INBOUND, may=(Rule(("*",), "GET", path),))
    with pytest.raises(ConfigError, match=r"may\.path"):
        written(program, sidecar(inbound), {})


@pytest.mark.parametrize("app", ["unix:/a b.sock", "unix:/a;b", "unix:/a'b", "unix:/a#b"])
def test_a_socket_in_a_strange_place_is_refused(program, app):
    with pytest.raises(ConfigError, match="app"):
        written(program, sidecar(app=app), {})


def test_nothing_is_written_twice(program, tls, tmp_path):
    config = everything(tls, "")
    one = {"suppliers": [Instance("s-1", "http://127.0.0.1:18020")]}
    two = {"suppliers": [*one["suppliers"], Instance("s-2", "http://127.0.0.1:18021")]}
    assert bought.place(program, config, one, tmp_path)
    assert not bought.place(program, config, one, tmp_path)
    assert bought.place(program, config, two, tmp_path)


def test_envoy_reads_new_instances_without_a_new_start(tls, tmp_path):
    config = everything(tls, "")
    bought.place("envoy", config, {}, tmp_path)
    before = (tmp_path / "envoy.json").read_text()
    bought.place("envoy", config, {"suppliers": [Instance("s", "http://127.0.0.1:1")]}, tmp_path)
    assert (tmp_path / "envoy.json").read_text() == before
    assert '"port_value": 1\n' in (tmp_path / "suppliers.endpoints.json").read_text()


def test_who_is_not_installed_is_said_to_be_missing_and_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(bought, "SBIN", "/nowhere")
    monkeypatch.setattr(bought, "_in_wheel", str)
    for program in bought.PROGRAMS:
        with pytest.raises(bought.Missing, match=f"not installed: {program}; `.* install"):
            bought.find(program)


def test_an_unknown_program_is_refused():
    with pytest.raises(ValueError, match="accepted: python, haproxy, nginx, envoy"):
        bought.language("squid")
