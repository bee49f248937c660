"""Files that are not as we left them: another process has them too, or they are spoilt."""

import asyncio

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryResponse, Resource
from google.protobuf.any_pb2 import Any

from era6_control_plane import only_one
from era6_control_plane.following import Following
from era6_control_plane.interpret import read
from era6_control_plane.last_good import Keeping
from era6_control_plane.names import CDS, EDS, LDS, RDS
from tests.era6.pilot_process import PilotProcess, pilot

SPOILT = {
    "no message": b"\xff\xff\xff",
    "torn": DeltaDiscoveryResponse(resources=[Resource(name="app")] * 9).SerializeToString()[:-2],
    "of a kind that is none": DeltaDiscoveryResponse(
        resources=[Resource(name="app", resource=Any(type_url="nonsense", value=b"\xff"))]
    ).SerializeToString(),
    "with a body that is none": DeltaDiscoveryResponse(
        resources=[Resource(name="app", resource=Any(type_url=CDS, value=b"\xff\xff"))]
    ).SerializeToString(),
}


def test_a_second_pilot_in_one_state_folder_does_not_start(tmp_path):
    async def test():
        async with pilot(tmp_path) as first:
            second = PilotProcess(tmp_path)
            second.at["operator"] = f"unix:{tmp_path}/another"
            with pytest.raises(AssertionError, match="is in use"):
                await second.start()
            assert await second.stop() == 2
            assert (await first.status())["revision"] == 1

    asyncio.run(asyncio.wait_for(test(), 60))


def test_a_state_folder_is_free_when_its_holder_is_gone(tmp_path):
    only_one.hold(tmp_path).close()
    with only_one.hold(tmp_path), pytest.raises(OSError, match="is in use"):
        only_one.hold(tmp_path)


@pytest.mark.parametrize("name", SPOILT)
def test_what_was_kept_and_is_spoilt_is_as_if_nothing_was_kept(tmp_path, name):
    kept = Keeping(tmp_path / "node.toml")
    (tmp_path / ".node.toml.in-force").write_bytes(SPOILT[name])
    following = Following((CDS, LDS), (EDS, RDS), read)
    following.remember(kept.kept())
    assert following.resources() == []
