"""The goods: a seeded catalogue, long on purpose, or one read from a file.

A product is a dict as it appears in JSON: sku, name, description, price_cents, stock. The whole
catalogue is some 380 kB, six times what a datagram can hold: it needs pages in era 0, fragments
and windows in era 1, and nobody thinks of it from era 2 on.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from era0_naive import rules

Product = dict[str, Any]

PRODUCTS = 1_500
CATALOGUE_SEED = 2017  # the year of "Pattern: Service Mesh"

MATERIALS = ("oak", "brass", "linen", "slate", "copper", "cork", "wool", "glass", "steel", "clay")
THINGS = (
    "teapot",
    "lamp",
    "chair",
    "kettle",
    "blanket",
    "compass",
    "drawer",
    "mug",
    "clock",
    "jar",
)
QUALITIES = ("sturdy", "light", "quiet", "warm", "plain", "patient", "bright", "honest", "small")
USES = ("for the kitchen", "for long evenings", "for the desk", "for travel", "for rainy days")
ORIGINS = ("made in a small workshop", "found in an attic", "built to be repaired", "never used")


def catalogue(seed: int = CATALOGUE_SEED) -> list[Product]:
    """The same products for the same seed, byte for byte, on every Python."""
    rng = random.Random(seed)
    return [_product(rng, f"sku-{number:04}") for number in range(1, PRODUCTS + 1)]


def _product(rng: random.Random, sku: str) -> Product:
    material, thing, quality = (_pick(rng, words) for words in (MATERIALS, THINGS, QUALITIES))
    other, use, origin = (_pick(rng, words) for words in (QUALITIES, USES, ORIGINS))
    return {
        "sku": sku,
        "name": f"{quality} {material} {thing}",
        "description": f"A {quality} and {other} {thing} of {material}, {origin}, {use}. "
        f"It is delivered in a box of grey card; the {material} darkens with the years.",
        "price_cents": 100 + int(rng.random() * 20_000),
        "stock": 20 + int(rng.random() * 480),
    }


def _pick(rng: random.Random, words: Sequence[str]) -> str:
    # only random() is promised to give the same numbers in every version of Python
    return words[int(rng.random() * len(words))]


def read_catalogue(path: Path) -> list[Product]:
    """Reads a JSON list of products; raises ValueError that names file, value, what is accepted."""
    try:
        products = json.loads(path.read_bytes())
    except OSError as error:
        raise ValueError(f"catalogue {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"catalogue {path} is not JSON: {error}") from error
    wrong = _mistake(products)
    if wrong:
        raise ValueError(f"catalogue {path}: {wrong}")
    return [{name: product[name] for name in rules.PRODUCT} for product in products]


def _mistake(products: Any) -> str | None:
    if not isinstance(products, list) or not products:
        return f"it holds {rules.brief(products)}; accepted: a list of at least one product"
    seen: set[str] = set()
    for number, product in enumerate(products):
        if not isinstance(product, dict):
            return f"product {number} is {rules.brief(product)}; accepted: an object"
        wrong = rules.mistake(product, rules.PRODUCT)
        if wrong:
            return f"product {number}: {wrong[1]}"
        if product["sku"] in seen:
            return f"product {number}: sku {product['sku']!r} again; accepted: each sku once"
        seen.add(product["sku"])
    return None
