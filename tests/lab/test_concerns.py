"""Where the code went: every line has one concern, every entry of the table meets a line."""

import ast

import pytest

from lab.concerns.attribution import attribute
from lab.concerns.count import complaints, count
from lab.concerns.learned import to_learn
from lab.concerns.lines import code_of, python_code
from lab.concerns.table import FileRules, TableError, load
from lab.find import ROOT, Era, eras

SERVICE = '''\
"""A service."""

import jwt  # who is it?
import time

TRIES = 3


class Service:
    """Serves."""

    def serve(self, order):
        for attempt in range(TRIES):
            # once more
            self.send(
                order,
                token=self.token,
            )
        return order

    def wait(self):
        time.sleep(1)
'''
RULES = FileRules(
    "service.py",
    "era9_none",
    "application",
    whole={"Service.wait": "retries"},
    mostly={"import": "plumbing", "Service": "business"},
    names={"identity": ("jwt", "token"), "retries": ("TRIES",)},
)


@pytest.fixture(scope="module")
def counted():
    return count(eras(), load())


@pytest.fixture
def service(tmp_path):
    path = tmp_path / "service.py"
    path.write_text(SERVICE)
    return path


def test_a_line_belongs_to_what_it_names_then_to_what_stands_around_it(service):
    found = attribute(service, RULES)
    told = {found.code[number].strip(): concern for number, concern in found.concern.items()}
    assert told == {
        "import jwt": "identity",
        "import time": "plumbing",
        "TRIES = 3": "retries",
        "class Service:": "business",
        "def serve(self, order):": "business",
        "for attempt in range(TRIES):": "retries",
        "self.send(": "retries",
        "order,": "retries",
        "token=self.token,": "identity",
        ")": "retries",
        "return order": "business",
        "def wait(self):": "retries",
        "time.sleep(1)": "retries",
    }
    assert not found.unknown
    assert not found.idle


def test_what_the_table_does_not_know_and_what_it_knows_in_vain_is_told(service):
    rules = FileRules("service.py", "era9_none", "application", names={"identity": ("jwt", "oath")})
    found = attribute(service, rules)
    assert found.idle == ["oath"]
    assert found.unknown[6] == "TRIES = 3"


def test_comments_docstrings_and_blank_lines_are_no_code():
    assert list(python_code(SERVICE).values())[:2] == ["import jwt", "import time"]
    assert len(python_code(SERVICE)) == 13


def test_every_line_of_every_era_has_one_concern_and_every_entry_meets_one():
    assert complaints(load()) == [], "mend lab/concerns/table.toml"


def test_no_line_is_lost_or_counted_twice(counted):
    table = load()
    for era in eras():
        lines = sum(sum(floors.values()) for floors in counted.eras[era.package].values())
        own = [path for path, rules in table.files.items() if rules.column == era.package]
        files = [*own, *table.borrowed.get(era.package, [])]
        assert lines == sum(len(code_of(ROOT / path)) for path in files), era.package


def test_deduplication_is_the_line_that_never_leaves_the_service(counted):
    for era in eras():
        floors = counted.eras[era.package].get("deduplication", {})
        assert set(floors) == ({"application"} if era.number >= "3" else set()), era.package


def test_from_era_3_to_4_the_services_lose_what_the_library_gets(counted):
    for concern in ("retries", "circuit breaking", "balancing", "tracing"):
        before = counted.eras["era3_inline_microservice"][concern]
        after = counted.eras["era4_framework"][concern]
        assert before["application"] > 3 >= after.get("application", 0), concern
        assert "library" not in before, concern
        assert after["library"] > 0, concern


def test_from_era_4_to_5_what_was_a_library_becomes_a_process(counted):
    found = counted.eras["era5_sidecar"]
    for concern in ("retries", "circuit breaking", "balancing", "discovery", "metrics"):
        assert set(found[concern]) == {"process"}, concern
    of_library = {concern for concern, floors in found.items() if floors.get("library")}
    assert of_library == {"plumbing", "health and draining", "identity"}, "web.py and server.py"
    assert found["tracing"]["application"] <= 2, "the one line that no sidecar can write"


def test_from_era_5_to_6_no_service_has_a_line_more_and_there_is_a_floor_more(counted):
    found = counted.eras
    before, after = found["era5_sidecar"], found["era6_control_plane"]
    for concern in set(after) - {"plumbing"}:
        assert after[concern].get("application") == before.get(concern, {}).get("application")
        assert after[concern].get("library") == before.get(concern, {}).get("library")
    assert set(after["central control"]) == {"control plane", "process"}
    assert not [era for era in found if "central control" in found[era] and era[3] < "6"]
    for concern in ("retries", "circuit breaking", "framing"):
        assert after[concern] == before[concern], "the data plane does not change, its ruler does"


def test_an_era_that_the_table_does_not_know_is_named():
    learners = Era("my_era", "mine", {"portable": "http"}, ROOT)
    with pytest.raises(TableError, match=r"era 'my_era' is not in .*; accepted: era0_naive"):
        count([learners], load())


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("[file.cellar]\nbusiness = ['a.py']", "a.py: floor 'cellar'; accepted: application"),
        ("[file.library]\nleisure = ['a.py']", "a.py: concern 'leisure'; accepted: business"),
        ("[file.library]\nbusiness = ['a.py', 'a.py']", "a.py is in the table twice"),
    ],
)
def test_a_wrong_table_is_refused_in_a_sentence(tmp_path, said, complaint):
    path = tmp_path / "table.toml"
    head = "concerns = ['business']\nshared = []\nexhibits = []\nmixed = []\n"
    path.write_text(f"{head}[taken]\n[borrowed]\n{said}\n")
    with pytest.raises(TableError, match=complaint):
        load(path)


def test_what_must_be_learned_is_what_a_service_imports_and_holds():
    four, three, two = (
        to_learn(package, load())
        for package in ("era4_framework", "era3_inline_microservice", "era2_tcp")
    )
    assert two.names == ("Caller", "NoAnswer", "Unreachable", "serve")
    assert {"client_stack", "ClientConfig", "QuotaConfig"} <= set(four.names)
    assert "ClientConfig.retry.budget.percent" in four.settings, "down to the last field"
    assert "ClientConfig.retry" not in four.settings
    assert "ATTEMPTS" in three.settings
    assert not three.names, "era 3 has no library: all of it is typed again"
    for name in four.names:
        assert name in _names_used_by("era4_framework/orders.py", "era4_framework/inventory.py")


def _names_used_by(*paths: str) -> set[str]:
    trees = [ast.parse((ROOT / path).read_text()) for path in paths]
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
