"""Another authority takes over: a timeline of what agents say, on virtual time."""

import pytest

from era6_control_plane.rotation import ENDS, TRANSITIONS, Event, Holding, Rotation, Stage

OLD, NEW = "old", "new"  # who signs
ONE, BOTH, OTHER = "hash of one", "hash of both", "hash of the other"  # who is believed


def holding(believes, *signed_by, name="inventory/1"):
    return Holding(name, believes, frozenset(signed_by))


def look(rotation, believed, signing, now, *holdings):
    return rotation.look(rotation.waits_for(holdings, believed, signing), now)


def test_a_replacement_from_its_beginning_to_its_end():
    rotation = Rotation(1, since=0.0)
    assert (rotation.signing, rotation.believed) == (1, (1,))
    rotation.ask(10)
    assert (rotation.stage, rotation.signing, rotation.believed) == (Stage.INTRODUCED, 1, (1, 2))
    assert not look(rotation, BOTH, OLD, 12, holding(ONE, OLD))
    assert look(rotation, BOTH, OLD, 12, holding(BOTH, OLD))
    assert (rotation.stage, rotation.signing, rotation.believed) == (Stage.SIGNING, 2, (1, 2))
    assert not look(rotation, BOTH, NEW, 14, holding(BOTH, OLD))
    assert not look(rotation, BOTH, NEW, 14, holding(BOTH, OLD, NEW))  # was the answer lost?
    assert look(rotation, BOTH, NEW, 14, holding(BOTH, NEW))
    assert (rotation.stage, rotation.signing, rotation.believed) == (Stage.RETIRING, 2, (2,))
    assert not look(rotation, OTHER, NEW, 16, holding(BOTH, NEW))
    assert look(rotation, OTHER, NEW, 16, holding(OTHER, NEW))
    assert (rotation.stage, rotation.signing, rotation.believed) == (Stage.STEADY, 2, (2,))
    rotation.ask(20)
    assert rotation.believed == (2, 3)


def test_one_who_is_behind_holds_up_all():
    rotation = Rotation(2, Stage.INTRODUCED)
    late = holding(ONE, OLD, name="orders/1")
    assert rotation.waits_for([holding(BOTH, OLD), late], BOTH, OLD) == ("orders/1",)
    assert not look(rotation, BOTH, OLD, 99, holding(BOTH, OLD), late)


def test_who_has_never_said_what_it_believes_is_waited_for():
    assert Rotation(2, Stage.INTRODUCED).waits_for([holding("", OLD)], BOTH, OLD)


@pytest.mark.parametrize("stage", [Stage.INTRODUCED, Stage.SIGNING, Stage.RETIRING])
def test_where_nobody_is_a_stage_lasts_its_least(stage):
    rotation = Rotation(2, stage, since=10, least_s=1)
    assert not look(rotation, BOTH, NEW, 10.9)
    assert look(rotation, BOTH, NEW, 11)


def test_steady_stays_steady():
    rotation = Rotation(1)
    assert not look(rotation, ONE, OLD, 1e9)
    assert rotation.waits_for([holding("", OLD)], ONE, OLD) == ()


@pytest.mark.parametrize("stage", [each for each in Stage if each is not Stage.STEADY])
def test_two_replacements_at_once_are_refused(stage):
    rotation = Rotation(2, stage)
    with pytest.raises(ValueError, match=f"{stage.value} already; accepted: steady"):
        rotation.ask(1)
    assert (rotation.stage, rotation.number) == (stage, 2)


def test_the_signer_is_believed_in_every_stage():
    for stage in Stage:
        rotation = Rotation(2, stage)
        assert rotation.signing in rotation.believed


def test_the_old_one_is_believed_as_long_as_it_signs_and_a_stage_longer():
    believed = {stage: 1 in Rotation(2, stage).believed for stage in Stage}
    assert believed == {
        Stage.STEADY: False,
        Stage.INTRODUCED: True,
        Stage.SIGNING: True,
        Stage.RETIRING: False,
    }


def test_every_stage_has_one_way_out():
    assert {stage for stage, _ in TRANSITIONS} == {*Stage} == {*TRANSITIONS.values()}
    assert {event for _, event in TRANSITIONS} == {*Event}
    assert ENDS.keys() == {*Stage} - {Stage.STEADY}
