"""The last verdicts: so many, and none older than that."""

from hypothesis import given
from hypothesis import strategies as st

from era4_framework.policies.window import Window


def test_of_more_calls_than_it_holds_the_first_are_forgotten():
    window = Window(3, window_s=10.0)
    for failed in (True, True, False, False):
        window.add(failed, 0.0)
    assert (len(window), window.failures) == (3, 1)


def test_what_is_exactly_as_old_as_the_window_counts_and_older_does_not():
    window = Window(100, window_s=10.0)
    window.add(True, 0.0)
    window.add(False, 10.0)
    assert (len(window), window.failures) == (2, 1)
    window.add(False, 10.1)
    assert (len(window), window.failures) == (2, 0)


def test_a_cleared_window_is_as_new():
    window = Window(3, window_s=10.0)
    window.add(True, 0.0)
    window.clear()
    assert (len(window), window.failures) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 1.0, 4.0])), min_size=1))
def test_it_agrees_with_a_list_that_forgets_nothing(calls):
    window, everything, now = Window(5, window_s=6.0), [], 0.0
    for failed, gap_s in calls:
        now += gap_s
        window.add(failed, now)
        everything.append((failed, now))
        last = [failed for failed, at in everything[-5:] if now - at <= 6.0]
        assert (len(window), window.failures) == (len(last), sum(last))
