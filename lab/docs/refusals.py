"""What an era says over HTTP, as curl would show it: one order, and four that it refuses.

python -m lab.docs.refusals 3
"""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import requests

from lab.stage import Stage
from lab.wire import Knobs

CROWD = 40  # at once: more than orders has room for
WIRE = Knobs(delay_s=0.1)  # each way, so that the crowd is there at once
PATIENCE_S = 8.0
SHOWN = ("Content-Type", "Retry-After", "WWW-Authenticate")
WANTED = {"sku": "sku-0001", "quantity": 2}


def main(era: str) -> None:
    """Ask real services of this era, and print what they answer."""
    with Stage(era, "portable", knobs=WIRE) as stage:
        instance = stage.address("inventory-1")
        _show("PUT", f"{stage.url}/orders/o-1", "orders", WANTED)
        _show("PUT", f"{stage.url}/orders/o-1", "orders", WANTED | {"quantity": 3})
        _show("GET", f"{stage.url}/catalogue", "orders", patience_ms=1)
        _show("PUT", f"{instance}/reservations/o-2", "inventory-1", WANTED)
        _show_crowd(stage.url)


def _show(
    method: str,
    url: str,
    service: str,
    body: dict[str, object] | None = None,
    patience_ms: int | None = None,
) -> None:
    headers = {} if patience_ms is None else {"X-Deadline-Ms": str(patience_ms)}
    path = "/" + url.split("/", 3)[3]
    asked = [f"{method} {path}", *(f"{name}: {value}" for name, value in headers.items())]
    print(f"> {service}: {', '.join(asked)}{' ' + json.dumps(body) if body else ''}")
    answer = requests.request(method, url, json=body, headers=headers, timeout=PATIENCE_S)
    print(f"{answer.status_code} {answer.reason.lower()}")
    for name in SHOWN:
        if name in answer.headers:
            print(f"{name}: {answer.headers[name]}")
    print(f"{answer.text.strip()}\n")


def _show_crowd(url: str) -> None:
    print(f"> orders: {CROWD} orders at the same moment")
    with ThreadPoolExecutor(CROWD) as crowd:
        answers = list(crowd.map(lambda number: _place(url, f"o-crowd-{number}"), range(CROWD)))
    for (status, said), count in sorted(Counter(answers).items()):
        print(f"{count} x {status} {said}")


def _place(url: str, order_id: str) -> tuple[int, str]:
    body = {"sku": "sku-0001", "quantity": 1}
    answer = requests.put(f"{url}/orders/{order_id}", json=body, timeout=PATIENCE_S)
    said = answer.json()
    return answer.status_code, " ".join(
        filter(None, [said["outcome"], said.get("detail", ""), _after(answer)])
    )


def _after(answer: requests.Response) -> str:
    wait_s = answer.headers.get("Retry-After")
    return f"(Retry-After: {wait_s})" if wait_s else ""


if __name__ == "__main__":
    main(sys.argv[1])
