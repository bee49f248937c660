"""What may be typed behind `eras mesh`."""

from __future__ import annotations

import argparse
import getpass
import os
import socket

from era6_control_plane.governed import LONGEST_WAIT_S

STDIN = "-"
AT = "http://IP:PORT or unix:PATH; default: $ERAS_MESH"
TOKEN_FILE = "default: $ERAS_MESH_TOKEN"  # noqa: S105


def command_line(description: str) -> argparse.ArgumentParser:
    """All verbs and what each is told. description: one line, then examples."""
    about, _, more = description.partition("\n\n")
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("eras mesh", None, about, more, formatter_class=raw)
    parser.add_argument("--at", metavar="ADDRESS", default=os.environ.get("ERAS_MESH", ""), help=AT)
    token_file = os.environ.get("ERAS_MESH_TOKEN", "")
    parser.add_argument("--token-file", metavar="FILE", default=token_file, help=TOKEN_FILE)
    parser.add_argument("--json", action="store_true", help="for programs")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("get", help="what is in force")
    _say(verbs.add_parser("apply", help="want this from now on"), "file")
    diff = verbs.add_parser("diff", help="what a file, or another revision, would change")
    diff.add_argument("file", nargs="?", metavar="FILE", help=f"{STDIN}: stdin")
    diff.add_argument("--from", dest="old", type=int, metavar="N", help="default: the newest")
    diff.add_argument("--to", dest="new", type=int, metavar="N", help="default: the newest")
    history = verbs.add_parser("history", help="who wanted what, and when")
    history.add_argument("--limit", type=int, default=20, metavar="N", help="default: 20")
    _say(verbs.add_parser("rollback", help="want again what an old revision says"), "revision")
    status = verbs.add_parser("status", help="who is there, who has been told what")
    status.add_argument("--wait", type=_wait, metavar="SECONDS", help="until all are in step")
    token = verbs.add_parser("token", help="lets one instance join the mesh, once")
    token.add_argument("service", metavar="SERVICE")
    token.add_argument("instance", metavar="INSTANCE")
    token.add_argument("--life", type=float, default=600.0, metavar="SECONDS", help="default: 600")
    verbs.add_parser("rotate", help="replace the authority that signs certificates")
    for verb in verbs.choices.values():  # they may also stand behind it
        verb.add_argument("--at", metavar="ADDRESS", default=argparse.SUPPRESS, help=AT)
        verb.add_argument(
            "--token-file", metavar="FILE", default=argparse.SUPPRESS, help=TOKEN_FILE
        )
        verb.add_argument(
            "--json", action="store_true", default=argparse.SUPPRESS, help="for programs"
        )
    return parser


def _say(verb: argparse.ArgumentParser, what: str) -> None:
    if what == "file":
        verb.add_argument("file", metavar="FILE", help=f"{STDIN}: stdin")
    else:
        verb.add_argument("revision", type=int, metavar="N")
    verb.add_argument("--note", default="", metavar="TEXT", help="why")
    me = _me()
    verb.add_argument("--who", default=me, metavar="NAME", help=f"default: {me.replace('%', '%%')}")
    verb.add_argument("--base", type=int, metavar="N", help="refused unless this is the newest")
    verb.add_argument("--wait", type=_wait, metavar="SECONDS", help="for all to obey")


def _wait(text: str) -> float:
    """Judged here: when the control plane judges it, what is waited for has been done."""
    seconds = float(text)
    if not 0 <= seconds <= LONGEST_WAIT_S:  # as no NaN is
        raise argparse.ArgumentTypeError(f"{text!r}: accepted is 0 to {LONGEST_WAIT_S:g}")
    return seconds


def _me() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container may have no name for its user
        return f"user {os.getuid()}"
