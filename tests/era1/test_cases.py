"""Thirty ways in which a transport is known to fail, and the test here that would notice.

The list is a digest of RFC 9293, 6298, 5681, 5961, 6528, of packetdrill's scripts and of published
vulnerabilities. A deviation says what we do instead, and why.
"""

from pathlib import Path

import pytest

CASES = {  # case: (what must hold, (the tests))
    "P1": (
        "each header bit flipped in turn: dropped, counted, the stream intact",
        (
            "test_packet.py::test_any_single_flipped_bit_is_noticed",
            "test_packet.py::test_a_stream_with_every_bit_of_a_packet_damaged_in_turn_stays_whole",
        ),
    ),
    "P2": (
        "truncated anywhere: dropped without an exception",
        ("test_packet.py::test_a_packet_cut_short_anywhere_is_dropped",),
    ),
    "P3": (
        "a length field that is not the packet's: dropped",
        ("test_packet.py::test_a_wrong_length_is_dropped_even_with_a_right_checksum",),
    ),
    "P4": (
        "RST that names exactly what is expected: closed",
        ("test_hostile.py::test_a_reset_that_names_exactly_what_we_expect_ends_it",),
    ),
    "P5": (
        "RST elsewhere in the window: challenge, alive",
        ("test_hostile.py::test_a_reset_elsewhere_in_the_window_is_challenged",),
    ),
    "P6": (
        "RST outside the window: silence",
        ("test_hostile.py::test_a_reset_outside_the_window_is_not_even_answered",),
    ),
    "P7": (
        "SYN in mid-conversation: challenge",
        ("test_hostile.py::test_a_syn_in_mid_conversation_changes_nothing",),
    ),
    "P8": (
        "ACK of unsent data, or older than any window: challenge, its data dropped",
        (
            "test_hostile.py::test_an_acknowledgement_of_what_was_never_sent_is_challenged_"
            "and_its_data_dropped",
            "test_hostile.py::test_an_acknowledgement_older_than_any_window_is_challenged",
        ),
    ),
    "P9": (
        "10,000 blind packets: at most 10 challenges in 5 s, counted per connection",
        (
            "test_hostile.py::test_ten_thousand_blind_packets_get_at_most_ten_challenges_"
            "in_five_seconds",
            "test_hostile.py::test_challenges_are_counted_per_connection_so_that_nobody_"
            "reads_them_from_another",
        ),
    ),
    "P10": (
        "10,000 SYNs a second: memory bounded, a true caller gets in within 3 s",
        ("test_endpoint.py::test_under_a_flood_of_syns_a_true_caller_still_gets_in",),
    ),
    "P11": (
        "first numbers without a constant step",
        ("test_endpoint.py::test_first_numbers_have_no_constant_step",),
    ),
    "P12": (
        "overlap with other bytes: the first copy is kept, nothing is spliced",
        (
            "test_hostile.py::test_other_bytes_for_the_same_place_change_nothing",
            "test_receiver.py::test_overlapping_parts_are_never_spliced",
        ),
    ),
    "P13": (
        "1 MiB across the wrap of 32 bits",
        (
            "test_path.py::test_a_mebibyte_across_the_wrap_of_the_sequence_numbers",
            "test_path.py::test_a_mebibyte_across_the_wrap_of_the_packet_numbers",
        ),
    ),
    "P14": (
        "old duplicates of an earlier incarnation, or a whole recording: rejected",
        (
            "test_hostile.py::test_an_old_duplicate_of_an_earlier_incarnation_is_not_taken_for_data",
            "test_endpoint.py::test_a_whole_recorded_conversation_played_again_has_no_effect",
        ),
    ),
    "P15": (
        "zero window for 60 s: ever rarer probes, no abort; a lost update is made good",
        (
            "test_windows.py::test_nothing_leaves_through_a_shut_window_but_ever_rarer_questions",
            "test_windows.py::test_a_lost_window_update_is_made_good_by_a_probe",
        ),
    ),
    "P16": (
        "a window that shrinks: no crash; ours never does",
        (
            "test_windows.py::test_a_peer_that_takes_its_window_back_does_not_confuse_us",
            "test_windows.py::test_the_window_never_shrinks_as_seen_on_the_wire",
        ),
    ),
    "P17": (
        "tiny windows: no flood of crumbs",
        ("test_windows.py::test_tiny_windows_give_whole_segments_not_a_flood_of_crumbs",),
    ),
    "P18": (
        "simultaneous open",
        ("test_connection.py::test_both_call_at_once_and_one_connection_results",),
    ),
    "P19": (
        "simultaneous close: both CLOSED",
        ("test_connection.py::test_both_end_at_once_on_a_wire_and_both_are_closed",),
    ),
    "P20": (
        "half-open after kill and restart: an error within one timeout",
        ("test_endpoint.py::test_a_restarted_peer_says_so_and_the_error_comes_within_one_timeout",),
    ),
    "P21": (
        "the peer vanishes: an error in bounded time",
        (
            "test_connection.py::test_a_peer_that_dies_in_mid_transfer_is_given_up_in_bounded_time",
            "test_endpoint.py::test_a_peer_that_vanishes_is_forgotten_in_bounded_time_on_both_sides",
        ),
    ),
    "P22": (
        "the end before missing data: end of stream only after the gap is filled",
        ("test_connection.py::test_an_end_that_arrives_before_missing_data_waits_for_it",),
    ),
    "P23": (
        "half-close: the other side may still answer",
        ("test_connection.py::test_half_closed_the_other_half_still_receives",),
    ),
    "P24": (
        "data after our close: RST",
        ("test_endpoint.py::test_data_for_a_conversation_that_has_ended_gets_a_reset_that_fits",),
    ),
    "P25": (
        "a black hole at 1280 bytes: completes within 5 s; impossible fragments are dropped",
        (
            "test_path.py::test_a_path_that_swallows_large_packets_from_the_start",
            "test_path.py::test_a_path_that_begins_to_swallow_large_packets_in_mid_connection",
            "test_receiver.py::test_a_part_that_cannot_be_true_is_malformed",
        ),
    ),
    "P26": (
        "reordering of depth 3: at most 1 needless copy; 50 % doubled: delivered once",
        (
            "test_path.py::test_a_packet_overtaken_by_three_is_not_sent_again",
            "test_path.py::test_half_of_all_packets_doubled_is_delivered_once",
        ),
    ),
    "P27": (
        "1 GiB offered out of order: the buffer stays within the window",
        ("test_receiver.py::test_a_gibibyte_offered_out_of_order_keeps_no_more_than_the_window",),
    ),
    "P28": (
        "ICMP unreachable: a soft error",
        ("test_carrier.py::test_an_unreachable_port_is_a_soft_error_and_ends_nothing",),
    ),
    "P29": (
        "1 MiB through 30 % loss, 20 seeds: the same bytes; timeouts double",
        (
            "test_path.py::test_a_mebibyte_through_a_third_lost_arrives_whole",
            "test_sender.py::test_each_timeout_waits_twice_as_long_up_to_a_second",
        ),
    ),
    "P30": (
        "100,000 fuzzed packets: no exception, bounded memory",
        (
            "test_packet.py::test_a_hundred_thousand_fuzzed_frames_raise_nothing_and_cost_no_memory",
            "test_hostile.py::test_any_sound_packet_in_any_state_raises_nothing_and_leaves_memory_"
            "bounded",
        ),
    ),
}

DEVIATIONS = {
    "P2": "No data offset and no options: the header has one length, so only truncation remains.",
    "P13": "The stream begins at 2^32 - 700 and not - 1000: segments are counted, not bytes, and a "
    "mebibyte has only 727 of them.",
    "P14": "Connections carry 32 random bits of identity beside both sequence numbers; a SYN that "
    "is played again opens a half of a connection, which gets no further and is let go after 3 s.",
    "P20": "While cookies are in use (a flood, and 8 s after) a stranger's packet gets no RST, for "
    "it may be the first of a caller whose cookie is still on its way: then the error comes at R2.",
    "P21": "R2 is 6 s and not 100 s: a lab in which a minute is long. A SYN is given up after 3 s.",
    "P24": "Once the connection is forgotten; in TIME_WAIT such data is acknowledged or ignored.",
    "P28": "Nothing is made of it at all, not even a quicker MTU: we find the path's limit by what "
    "arrives (RFC 8899), as ICMP may be forged, and is often filtered.",
    "P29": "The window does not halve on loss: the rate model takes loss without a queue for an "
    "accident and sends around it; loss under a standing queue makes it yield to 0.7 (congestion.py"
    "; test_path.py::test_loss_by_accident_does_not_slow_the_sender_down_but_a_full_queue_does). "
    "Timeouts start at 0.25 s, not 1 s, have a floor of 10 ms, and double to 1 s, not 60 s.",
}


def test_every_case_is_here_and_only_they_deviate():
    assert list(CASES) == [f"P{n}" for n in range(1, 31)]
    assert set(DEVIATIONS) <= set(CASES)


@pytest.mark.parametrize("case", CASES)
def test_the_tests_that_a_case_names_exist(case):
    for name in CASES[case][1]:
        file, test = name.split("::")
        assert f"def {test}(" in Path(__file__).with_name(file).read_text(), name
