"""What a proxy says of itself is checked before anything is made of it."""

import pytest
from envoy.config.core.v3.base_pb2 import Node as NodeMessage

from era6_control_plane.compile import LONGEST, Node, node_of
from tests.era6.intents import GRPC, INVENTORY, ORDERS

SAID = {
    "version": "v1",
    "inbound": "http://10.0.0.7:18001",
    "outbound": "http://127.0.0.1:18002",
    "app": "unix:/tmp/app.sock",
}


def message(id: str = "orders-1", cluster: str = "orders", **said: object) -> NodeMessage:
    told = NodeMessage(id=id, cluster=cluster)
    told.metadata.update(SAID | said)
    return told


def test_what_it_says_is_what_it_is():
    told = node_of(message())
    assert told == Node("orders-1", "orders", **SAID)


@pytest.mark.parametrize("node", [ORDERS, INVENTORY, GRPC], ids=lambda node: node.id)
def test_a_node_that_is_said_is_read_again(node):
    names = ("version", "inbound", "outbound", "app", "kind")
    told = NodeMessage(id=node.id, cluster=node.service)
    told.metadata.update({name: getattr(node, name) for name in names})
    assert node_of(told) == node


def test_what_it_says_beside_that_is_its_own_affair():
    told = message(more={"deep": [1, 2, {"er": None}]})
    told.user_agent_name = "envoy"
    assert node_of(told).id == "orders-1"


BAD = {
    "1. no id": ({"id": ""}, "node.id"),
    "2. an id that is no name": ({"id": "a b"}, "node.id"),
    "3. a long id": ({"id": "a" * 65}, "node.id"),
    "4. no service": ({"cluster": ""}, "node.cluster"),
    "5. a service that is no name": ({"cluster": "../orders"}, "node.cluster"),
    "6. a version that is none": ({"version": "v 1"}, "metadata.version"),
    "7. a number": ({"version": 1}, "metadata.version"),
    "8. a list": ({"inbound": ["http://127.0.0.1:1"]}, "metadata.inbound"),
    "9. a line break": ({"version": "v1\nv2"}, "metadata.version"),
    "10. no inbound": ({"inbound": ""}, "metadata.inbound"),
    "11. a name": ({"inbound": "http://localhost:1"}, "metadata.inbound"),
    "12. no port": ({"inbound": "http://127.0.0.1:0"}, "metadata.inbound"),
    "13. outbound for everybody": ({"outbound": "http://10.0.0.7:1"}, "metadata.outbound"),
    "14. outbound everywhere": ({"outbound": "http://0.0.0.0:1"}, "metadata.outbound"),
    "15. no app": ({"app": ""}, "metadata.app"),
    "16. an app elsewhere": ({"app": "http://10.0.0.7:1"}, "metadata.app"),
    "17. an app at no path": ({"app": "unix:"}, "metadata.app"),
    "18. an app at a relative path": ({"app": "unix:app.sock"}, "metadata.app"),
    "19. an app at a long path": ({"app": "unix:/" + "a" * 103}, "metadata.app"),
    "20. an unknown kind": ({"kind": "router"}, "metadata.kind"),
    "21. calls go to the service itself": ({"app": SAID["outbound"]}, "metadata.app"),
    "22. callers come in where calls go out": ({"inbound": SAID["outbound"]}, "metadata.outbound"),
    "23. long": ({"inbound": "http://127.0.0.1:1" + "1" * LONGEST}, "metadata.inbound"),
    "24. bytes in small letters": ({"app": "unix:/" + "ä" * 60}, "metadata.app"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_node_that_says_nonsense_is_refused_by_the_name_of_it(name):
    said, where = BAD[name]
    with pytest.raises(ValueError, match=r"accepted|, too") as refused:
        node_of(message(**said))
    assert where in str(refused.value)
    assert len(str(refused.value)) < 600


def test_who_speaks_xds_itself_needs_no_addresses():
    told = NodeMessage(id="grpc-1", cluster="orders")
    told.metadata.update({"kind": "proxyless"})
    assert node_of(told) == Node("grpc-1", "orders", kind="proxyless")
