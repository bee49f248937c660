"""The catalogue: seeded, long, the same everywhere; one from a file is checked field by field."""

import hashlib
import json

import pytest

from era0_naive import shop

PRODUCT = {"sku": "lamp", "name": "lamp", "description": "A lamp.", "price_cents": 1, "stock": 5}


def test_the_catalogue_is_long_enough_to_need_windows():
    assert len(json.dumps(shop.catalogue())) >= 300_000


def test_the_catalogue_is_the_same_byte_for_byte_on_every_python():
    text = json.dumps(shop.catalogue()).encode()
    assert hashlib.sha256(text).hexdigest()[:16] == "07304416a3403199"


def test_another_seed_gives_other_products_under_the_same_skus():
    one, other = shop.catalogue(1), shop.catalogue(2)
    assert one != other
    assert [product["sku"] for product in one] == [product["sku"] for product in other]


def test_a_catalogue_file_gives_its_products(tmp_path):
    path = tmp_path / "goods.json"
    path.write_text(json.dumps([PRODUCT | {"note": "not ours"}]))
    assert shop.read_catalogue(path) == [PRODUCT]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is not JSON"),
        ("[{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        ("{}", "holds {}; accepted: a list of at least one product"),
        ("[]", "holds []; accepted: a list of at least one product"),
        ("[7]", "product 0 is 7; accepted: an object"),
        (json.dumps([PRODUCT, PRODUCT]), "product 1: sku 'lamp' again; accepted: each sku once"),
        (json.dumps([PRODUCT | {"stock": -1}]), "product 0: stock is -1; accepted: a whole number"),
        (json.dumps([PRODUCT | {"stock": True}]), "product 0: stock is True; accepted"),
        (json.dumps([PRODUCT | {"stock": 2**63}]), "product 0: stock is 9223372036854775808;"),
        (json.dumps([PRODUCT | {"sku": "x" * 65}]), "product 0: sku is 'xxx"),
        (json.dumps([PRODUCT | {"price_cents": "1"}]), "product 0: price_cents is '1'; accepted"),
        (json.dumps([{"sku": "lamp"}]), "product 0: name is None; accepted: text"),
        (json.dumps([PRODUCT | {"description": "x" * 2_001}]), "product 0: description is 'xxx"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_catalogue_that_is_none_is_refused_by_file_field_and_value(tmp_path, text, told):
    path = tmp_path / "goods.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=r"goods\.json") as refused:
        shop.read_catalogue(path)
    assert told in str(refused.value)


def test_a_missing_catalogue_is_refused_by_its_path(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.json cannot be read: No such file"):
        shop.read_catalogue(tmp_path / "missing.json")
