"""The window of a measurement opens when the connection stands and closes after its duration."""

import itertools

from lab.measure.contestants.meter import SAMPLE_EVERY_S, Meter


def test_connecting_is_not_counted() -> None:
    assert not Meter(duration_s=1.0).is_over(100.0)


def test_the_window_opens_before_the_first_byte() -> None:
    meter = Meter(duration_s=1.0)
    meter.add(5.0, 0)
    assert meter.is_over(6.0)


def test_bytes_after_the_window_do_not_count() -> None:
    meter = Meter(duration_s=1.0)
    meter.add(10.0, 100)
    meter.add(10.9, 50)
    meter.add(11.0, 1000)
    assert meter.size_bytes == 150
    assert meter.is_over(11.0)


def test_samples_are_spaced() -> None:
    meter = Meter(duration_s=1.0)
    for millisecond in range(200):
        meter.add(millisecond / 1000, 10)
    times = [at for at, _ in meter.samples]
    assert len(times) == 4
    assert all(b - a >= SAMPLE_EVERY_S for a, b in itertools.pairwise(times))


def test_a_window_that_never_opened_reports_no_bytes() -> None:
    assert Meter(duration_s=1.0).as_report()["bytes"] == 0
