"""What customers may ask, drawn by hypothesis: mostly sense, often the same ids, some rubbish."""

from typing import Any

from hypothesis import strategies as st

GOOD_QUANTITIES = st.integers(1, 40)
BAD_QUANTITIES: list[Any] = [0, -1, 1001, 2**63, -(2**63), True, 1.0, 2.5, "2", None, [], {}]
BAD_IDS: list[Any] = ["a/b", "a b", "ä", "x" * 65, "x" * 10_000, "o\n", "..%2f", "o\u0000"]
BAD_IDS += [".", "..", "-o", "_o"]  # must begin with a letter or a digit
BAD_IDS_UNSAID_IN_HTTP: list[Any] = ["", None, 7, True, ["o"], {"o": 1}]  # a path is always a text
BAD_SKUS: list[Any] = ["", "x" * 65, "x" * 5_000, "a\nb", None, 7, ["sku-0001"], {}]
NOT_OPERATIONS: list[Any] = [
    b"",
    b"{",
    b"nonsense",
    b"\xff\xfe{}",
    b"null",
    b"[]",
    b'"place"',
    b"{}",
    b'{"op": "destroy"}',
    b'{"op": 7}',
    b'{"op": "place"}',
    b'{"op": "place", "order_id": "o", "sku": "sku-0001"}',
    b'{"op": "cancel"}',
    b'{"op": "place", "order_id": "o", "sku": "sku-0001", "quantity": NaN}',
    b'{"op": "place", "order_id": "o", "sku": "sku-0001", "quantity": 1e999}',
    b'{"op": "place", "order_id": "\\ud800", "sku": "sku-0001", "quantity": 1}',
    b"[" * 5_000,
]


def sequences(skus: list[str], http: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Up to 20 operations on a few orders and goods; `http`: only what HTTP can say."""
    bad_ids = BAD_IDS if http else BAD_IDS + BAD_IDS_UNSAID_IN_HTTP
    good_id = st.sampled_from(["a", "b", "c", "d.e_F-9"])
    order_id = mostly(good_id, st.sampled_from(bad_ids))
    sku = mostly(st.sampled_from([*skus, "sku-unknown"]), st.sampled_from(BAD_SKUS))
    quantity = mostly(GOOD_QUANTITIES | st.just(1000), st.sampled_from(BAD_QUANTITIES))
    place = st.fixed_dictionaries(
        {"op": st.just("place"), "order_id": order_id, "sku": sku, "quantity": quantity}
    )
    other = st.fixed_dictionaries({"op": st.sampled_from(["cancel", "show"]), "order_id": order_id})
    return st.lists(place | other, min_size=1, max_size=20)


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """`usual` seven times out of eight."""
    return st.integers(0, 7).flatmap(lambda n: rare if n == 0 else usual)
