"""What the pages show is what happens: the steady runs again, compared with what is committed."""

import pytest

from lab.docs import generate


def test_steady_outputs_and_ladders_come_out_as_committed() -> None:
    wrong = generate.check([made for made in generate.everything() if made.is_steady])
    assert not wrong, "\n\n".join(wrong) + "\n\nmend with: python -m lab.docs generate"


def test_times_ports_and_folders_do_not_count() -> None:
    one = "ready at udp://127.0.0.1:40001 after 12.5 ms in /tmp/eras-ab12/stock.db"
    other = "ready at udp://127.0.0.1:38211 after 9 ms in /tmp/eras-zz/stock.db"
    assert generate.normal(one) == generate.normal(other)
    assert generate.normal("3 placed") != generate.normal("4 placed")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Something committed that says `3 placed after 12 ms`."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    path = tmp_path / "committed.txt"
    path.write_text("3 placed after 12 ms")
    return lambda text, is_virtual: generate.Made(path, lambda: text, True, is_virtual)


def test_of_a_run_on_virtual_time_the_times_count_too(made):
    (told,) = generate.check([made("3 placed after 13 ms", True)])
    assert "-3 placed after 12 ms" in told, "the difference names what it found"
    assert "+3 placed after 13 ms" in told
    assert not generate.check([made("3 placed after 12 ms", True)])


def test_of_a_run_on_the_machines_time_all_but_the_times_counts(made):
    assert not generate.check([made("3 placed after 13 ms", False)])
    assert generate.check([made("4 placed after 12 ms", False)])


def test_all_ladders_of_virtual_time_are_compared_with_their_times():
    scenes = {f"{name}.json" for name in (*generate.SCENES, *generate.TOLD)}
    assert scenes == {made.path.name for made in generate.everything() if made.is_virtual}
