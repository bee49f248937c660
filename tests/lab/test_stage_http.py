"""A stage of many instances over HTTP: all the verbs, tried on a learner's own small era."""

import json
import os
import stat
import subprocess
import sys
import textwrap
import time
import urllib.request

import pytest

from lab.cast.http import HttpCast
from lab.cast.setting import environment_for
from lab.contract import ShopClosed
from lab.find import ROOT
from lab.launch import RoleFailed
from lab.stage import NoWay, Stage, Variant
from tests.lab.processes import FORMS, has_ended

ERA = "tests.lab.web_era"
THREE = ["inventory-1", "inventory-2", "inventory-3"]


@pytest.fixture(scope="module", params=FORMS)
def stage(request, seed, tmp_path_factory):
    with Stage(ERA, request.param, seed=seed, directory=tmp_path_factory.mktemp("http")) as stage:
        yield stage


@pytest.fixture(scope="module")
def portable(seed):
    with Stage(ERA, seed=seed) as stage:
        yield stage


@pytest.fixture
def place(request):
    """Places an order of a name that no other test uses; its outcome."""

    def placed(stage: Stage, name: str) -> str:
        order_id = f"{request.node.originalname}-{name}"[-64:].strip("-_")
        return stage.customer().place(order_id, "sku-0001", 1)["outcome"]

    return placed


def listed(stage: Stage) -> dict[str, str]:
    """Name and URL of each instance, as the registry on the portable wire has them."""
    with urllib.request.urlopen(f"{stage.registry_url}/services/inventory") as answer:  # noqa: S310
        return {each["name"]: each["url"] for each in json.load(answer)["instances"]}


def test_three_instances_share_one_store_and_are_known_by_name(stage):
    assert stage.instances == THREE
    assert stage.roles == ["registry", *THREE, "orders"]
    assert len({stage.pid(role) for role in stage.roles}) == 5
    for number in range(6):
        order_id = f"shared-{number}"
        assert stage.customer().place(order_id, "sku-0002", 1)["outcome"] == "placed"
    stores = stage.stores()
    assert sum(sku == "sku-0002" for _, sku, _ in stores.reservations) == 6
    asked = {event.target for event in stage.trace() if event.what == "send"}
    assert asked >= set(THREE), "the wire says which instance a frame went to"


def test_a_killed_instance_refuses_and_comes_back_at_its_address(stage, place):
    address = stage.address("inventory-2")
    stage.kill("inventory-2")
    assert {place(stage, f"without-{n}") for n in range(3)} == {"placed"}
    stage.restart("inventory-2")
    assert stage.address("inventory-2") == address
    assert place(stage, "again") == "placed"


def test_dead_orders_are_a_closed_shop(stage, place):
    stage.kill("orders")
    with pytest.raises(ShopClosed):
        place(stage, "closed")
    stage.restart("orders")
    assert place(stage, "open") == "placed"


def test_who_is_asked_to_end_ends_by_itself(stage):
    assert stage.terminate("inventory-3") == 0
    with pytest.raises(RoleFailed, match="inventory-3 is not running"):
        stage.terminate("inventory-3")
    stage.restart("inventory-3")


def test_a_moved_instance_has_its_name_and_another_address(portable, place):
    before, asked_at = portable.address("inventory-1"), listed(portable)["inventory-1"]
    portable.move("inventory-1")
    assert portable.address("inventory-1") != before
    assert listed(portable)["inventory-1"] != asked_at
    assert portable.instances == THREE
    assert {place(portable, f"{n}") for n in range(3)} == {"placed"}


def test_one_more_instance_joins_and_its_path_is_as_bad_as_the_others(portable, place):
    portable.wire.set("there", delay_s=0.01)
    name = portable.add()
    assert name == "inventory-4"
    assert name in listed(portable)
    since = time.monotonic()
    while name not in took_s(portable, since):
        assert place(portable, f"{len(portable.stores().orders)}") == "placed"
    assert took_s(portable, since)[name] >= 0.01
    portable.wire.set("there", delay_s=0)
    with pytest.raises(ValueError, match="accepted is a name that none has had yet"):
        portable.add("inventory-1")


def test_one_path_is_hurt_and_the_others_are_not(portable, place):
    portable.wire_of("inventory-2").set("there", delay_s=0.2)
    since = time.monotonic()
    took: dict[str, float] = {}
    while "inventory-2" not in took or took.get("inventory-1", 1.0) >= 0.2:
        assert place(portable, f"{len(portable.stores().orders)}") == "placed"
        took = took_s(portable, since)
    assert took["inventory-2"] >= 0.2
    portable.wire_of("inventory-2").set(delay_s=0)
    with pytest.raises(ValueError, match="instance 'inventory-9': accepted are inventory-1, "):
        portable.wire_of("inventory-9")


def took_s(stage: Stage, since: float) -> dict[str, float]:
    """How long the wire had the fastest frame to each instance: the others may have waited."""
    events = [e for e in stage.trace() if e.t > since and e.source == "orders"]
    sent = {(e.target, e.id): e.t for e in events if e.what == "send"}
    arrived = [e for e in events if e.what == "deliver" and (e.target, e.id) in sent]
    took = [(e.t - sent[e.target, e.id], e.target) for e in arrived]
    return {target: each_s for each_s, target in sorted(took, reverse=True)}


def test_the_counts_of_the_wire_are_those_of_its_paths_together(portable, place):
    place(portable, "counted")
    whole = portable.wire.stats()
    parts = [portable.wire_of(name).stats() for name in portable.instances]
    for direction in ("there", "back"):
        assert whole[direction]["sent"] == sum(part[direction]["sent"] for part in parts) > 0


def test_a_role_can_be_another_program_that_the_stage_registers(tmp_path, place):
    foreign = tmp_path / "foreign.py"
    foreign.write_text(FOREIGN)
    variant = Variant([sys.executable, str(foreign)], registers=False)
    with Stage(ERA, instances=1, variants={"inventory-1": variant}) as stage:
        assert list(listed(stage)) == ["inventory-1"]
        assert place(stage, "o") == "placed"
        stage.restart("registry")
        assert list(listed(stage)) == ["inventory-1"], "an empty registry hears of it again"
        stage.restart("inventory-1", Variant())
        assert "I am foreign" not in stage.logs("inventory-1").splitlines()[-1]
        assert place(stage, "p") == "placed"


FOREIGN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
assert sys.argv[1] == "inventory" and options["--name"] == "inventory-1", sys.argv
host, _, port = options["--listen"].removeprefix("http://").partition(":")
class Handler(BaseHTTPRequestHandler):
    def do_PUT(self):
        self.send_response(201)
        self.end_headers()
        self.wfile.write(b'{"outcome": "reserved"}')
server = HTTPServer((host, int(port)), Handler)
print("I am foreign")
print(f"inventory ready at http://{host}:{server.server_port}", flush=True)
server.serve_forever()
"""


def test_a_program_that_is_not_there_is_named():
    variant = Variant(["no-such-program"])
    with pytest.raises(RoleFailed, match=r"inventory-1 cannot be started.*no-such-program"):
        Stage(ERA, instances=1, variants={"inventory-1": variant})


def test_a_later_release_is_found_before_ours():
    environment = environment_for(Variant(environment={"PYTHONPATH": "/later"}))
    assert environment["PYTHONPATH"].split(os.pathsep)[:2] == ["/later", str(ROOT)]
    assert environment["PYTHONSAFEPATH"] == "1", "or python -m would look here first"
    assert "PYTHONSAFEPATH" not in environment_for(Variant())


def test_the_secret_is_long_and_nobody_elses(portable):
    assert stat.S_IMODE(portable.secret.stat().st_mode) == 0o600
    assert len(portable.secret.read_text()) == 64


def test_what_an_era_with_one_instance_cannot_do_is_said():
    with Stage("2", traced=False) as stage:
        assert stage.instances == ["inventory"]
        for asked in (stage.add, lambda: stage.wire_of("inventory"), lambda: stage.secret):
            with pytest.raises(ValueError, match="era 2 has one inventory at one address"):
                asked()


@pytest.mark.parametrize("end", ["KILL", "INT"])
@pytest.mark.parametrize("form", FORMS)
def test_nothing_outlives_the_stage(form, end, tmp_path):
    """However the process that holds the stage ends: all services, and a paused one too."""
    script = f"""
        import os, signal, sys
        from lab.stage import Stage
        with Stage({ERA!r}, {form!r}, instances=2) as stage:
            stage.pause("inventory-2")
            print(stage.wire.pid, *map(stage.pid, stage.roles), flush=True)
            sys.stdin.readline()
            os.kill(os.getpid(), signal.SIG{end})
            signal.pause()
    """
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    pids = [int(pid) for pid in holder.stdout.readline().split()]
    assert len(pids) == 5
    watched = [os.pidfd_open(pid) for pid in pids]
    holder.communicate(b"\n", timeout=20)
    for process in watched:
        assert has_ended(process), f"{end}: a process is still there"


def test_a_policy_of_an_era_without_a_way_cannot_be_changed(portable):
    with pytest.raises(NoWay, match=r"reads retry\.attempts when a service starts"):
        portable.change_policy("orders", "retry.attempts", 1)


def test_a_cast_that_can_change_a_policy_is_asked_to(portable, monkeypatch):
    told = []
    change = lambda cast, *asked: told.append(asked)  # noqa: E731
    monkeypatch.setattr(HttpCast, "change_policy", change, raising=False)
    portable.change_policy("orders", "retry.attempts", 1)
    assert told == [("orders", "retry.attempts", 1)]
    with pytest.raises(ValueError, match="role 'nobody'"):
        portable.change_policy("nobody", "retry.attempts", 1)
