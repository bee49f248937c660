"""The statistics, on numbers that can be checked by hand."""

import pytest

from lab.measure.spread import jain, median, percentile


def test_the_median_is_the_middle_of_an_odd_number_of_values() -> None:
    assert median([9.0, 1.0, 5.0]) == 5.0


def test_the_median_of_an_even_number_lies_between_the_middle_two() -> None:
    assert median([1.0, 2.0, 4.0, 100.0]) == 3.0


def test_a_percentile_is_a_value_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert percentile(values, 0.5) == 50.0
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 1.0) == 100.0


def test_one_stall_in_fifty_is_the_99th_percentile() -> None:
    assert percentile([1.0] * 49 + [200.0], 0.99) == 200.0
    assert percentile([1.0] * 49 + [200.0], 0.98) == 1.0


@pytest.mark.parametrize("fraction", [0.0, -0.5, 1.01])
def test_a_fraction_outside_its_range_is_named(fraction: float) -> None:
    with pytest.raises(ValueError, match=str(fraction)):
        percentile([1.0], fraction)


def test_no_values_have_no_median_and_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        median([])
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 0.5)


def test_equal_shares_have_index_one_and_a_monopoly_one_nth() -> None:
    assert jain([5.0, 5.0]) == 1.0
    assert jain([10.0, 0.0]) == 0.5
    assert jain([3.0, 1.0]) == pytest.approx(0.8)


def test_jain_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        jain([0.0, 0.0])
