"""A stage starts an era, hurts it on demand, and leaves nothing behind however it ends."""

import os
import subprocess
import sys
import textwrap

import pytest

from lab.contract import CustomerTimeout, CutOff, ShopClosed
from lab.find import ROOT
from lab.launch import RoleFailed
from lab.stage import Stage
from tests.lab.processes import FORMS, has_ended


@pytest.fixture(params=FORMS)
def stage(request, seed, tmp_path):
    with Stage("0", request.param, seed=seed, directory=tmp_path) as stage:
        yield stage


def test_an_order_crosses_the_wire_and_lies_in_both_stores(stage):
    assert stage.customer().place("o-1", "sku-0001", 2)["outcome"] == "placed"
    stores = stage.stores()
    assert stores.reservations == [("o-1", "sku-0001", 2)]
    assert stores.orders == {"o-1": ("sku-0001", 2, "placed")}
    frames = [event for event in stage.trace() if event.what == "send"]
    assert [frame.source for frame in frames] == ["orders", "inventory"]


def test_a_lost_answer_hangs_the_customer_and_is_on_tape(stage):
    stage.wire.script("back", ["drop"])
    with pytest.raises(CustomerTimeout, match="o-1"):
        stage.customer("alice").place("o-1", "sku-0001", 2, timeout_s=0.5)
    told = [(event.process, event.what) for event in stage.trace()]
    assert ("wire", "drop") in told
    assert told[-1] == ("alice", "note")


def test_a_killed_service_comes_back_at_its_address_with_its_store(stage):
    customer = stage.customer()
    customer.place("o-1", "sku-0001", 2)
    before = os.pidfd_open(stage.pid("inventory"))
    stage.kill("inventory")
    assert has_ended(before, within_s=0.0)
    stage.restart("inventory")
    assert customer.place("o-2", "sku-0001", 1)["outcome"] == "placed"
    assert len(stage.stores().reservations) == 2


def test_killed_orders_cut_their_customers_off(stage):
    customer = stage.customer()
    customer.show("o-1")
    stage.kill("orders")
    with pytest.raises(CutOff):
        customer.show("o-1")
    with pytest.raises(ShopClosed):
        customer.show("o-1")
    stage.restart("orders")
    assert customer.show("o-1")["outcome"] == "not_found"


def test_a_paused_service_is_there_and_silent(stage):
    stage.pause("inventory")
    customer = stage.customer()
    with pytest.raises(CustomerTimeout):
        customer.place("o-1", "sku-0001", 1, timeout_s=0.3)
    stage.resume("inventory")
    assert customer.place("o-2", "sku-0001", 1)["outcome"] == "placed"


def test_a_role_that_cannot_start_says_why(tmp_path):
    missing = tmp_path / "no-such-file.json"
    with pytest.raises(RoleFailed, match=r"(?s)inventory ended with exit code 2.*no-such-file"):
        Stage("0", directory=tmp_path, catalogue=missing)


def test_a_form_that_the_era_does_not_have_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'virtual'.*accepted are portable, real"):
        Stage("0", "virtual", directory=tmp_path)


def test_without_a_directory_nothing_stays_on_disk():
    with Stage("0") as stage:
        kept = stage.directory
        assert kept.exists()
    assert not kept.exists()


def test_tracing_can_be_off():
    with Stage("0", traced=False) as stage:
        stage.customer().place("o-1", "sku-0001", 1)
        assert stage.trace() == []


@pytest.mark.parametrize("end", ["KILL", "INT", "TERM", "raise"])
@pytest.mark.parametrize("form", FORMS)
def test_nothing_outlives_the_stage(form, end, tmp_path):
    """However the process that holds the stage ends, both services end with it."""
    script = f"""
        import os, signal, sys
        from lab.stage import Stage
        with Stage("0", {form!r}) as stage:
            print(stage.pid("inventory"), stage.pid("orders"), flush=True)
            sys.stdin.readline()
            {"raise SystemExit" if end == "raise" else f"os.kill(os.getpid(), signal.SIG{end})"}
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
    assert len(pids) == 2
    watched = [os.pidfd_open(pid) for pid in pids]
    holder.communicate(b"\n", timeout=20)
    for process in watched:
        assert has_ended(process), f"{end}: a service is still there"
