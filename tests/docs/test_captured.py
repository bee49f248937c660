"""What the pages show is what happens: the steady runs again, compared with what is committed."""

from lab.docs import generate


def test_steady_outputs_and_ladders_come_out_as_committed() -> None:
    wrong = generate.check([made for made in generate.everything() if made.is_steady])
    assert not wrong, "\n\n".join(wrong) + "\n\nmend with: python -m lab.docs generate"


def test_times_ports_and_folders_do_not_count() -> None:
    one = "ready at udp://127.0.0.1:40001 after 12.5 ms in /tmp/eras-ab12/stock.db"
    other = "ready at udp://127.0.0.1:38211 after 9 ms in /tmp/eras-zz/stock.db"
    assert generate.normal(one) == generate.normal(other)
    assert generate.normal("3 placed") != generate.normal("4 placed")
