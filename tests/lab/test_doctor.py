"""`eras doctor`: what is missing and what that means; for CI, that nothing would be skipped."""

import argparse
import shutil
import subprocess
import sys

import pytest

from lab.doctor import Finding
from lab.find import ROOT
from lab.verbs import doctor

WORKS = Finding("Python", "works", "3.11")
NO_WIRE = Finding("real wire", "without", "namespaces are forbidden here", is_tested=True)
NO_BBR = Finding("TCP control", "without", "cubic", "Compares with CUBIC only.")


@pytest.mark.parametrize(
    ("found", "typed", "code", "last_line"),
    [
        ([WORKS, NO_WIRE], [], 0, "Ready: 1 of 2 work, the rest is optional."),
        ([WORKS, NO_WIRE], ["--strict"], 1, "Tests would be skipped for want of: real wire."),
        ([WORKS, NO_BBR], ["--strict"], 0, "Ready: 1 of 2 work, the rest is optional."),
        ([Finding("UDP", "broken", "no")], [], 1, "Nothing works without: UDP."),
    ],
)
def test_what_tests_would_be_skipped_for_want_of_is_a_failure_for_ci_only(
    monkeypatch, capsys, found, typed, code, last_line
):
    monkeypatch.setattr(doctor, "findings", lambda: iter(found))
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    assert doctor.run(parser.parse_args(typed)) == code
    told = capsys.readouterr().out
    assert told.splitlines()[-1] == last_line
    assert all(finding.found in told for finding in found), "the reason is shown"


FORBIDDEN = "echo 0 >/proc/sys/user/max_net_namespaces; echo 0 >/proc/sys/user/max_user_namespaces"


def test_without_namespaces_ci_is_told_so_and_how_to_mend_it():
    alone = [shutil.which("unshare") or "unshare", "--user", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no user namespaces: `unshare -r` fails")
    argv = [sys.executable, "-m", "lab", "doctor", "--strict"]
    run = subprocess.run(
        [*alone, "sh", "-c", f'{FORBIDDEN}; exec "$@"', "sh", *argv],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 1, run.stderr
    assert "real wire" in run.stdout and "sysctl user.max_user_namespaces=10000" in run.stdout
    assert "Tests would be skipped for want of:" in run.stdout
