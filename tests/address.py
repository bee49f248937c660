"""The address that `--url` names is looked at once, before forty stories fail there one by one."""

from http.client import InvalidURL
from urllib.parse import urlsplit

from lab.contract import CustomerTimeout, NoOutcome, ShopClosed
from lab.doors import customer_at, without_user

ACCEPTED = "http://host:port (or https, or unix:PATH), where a shop runs"
PATIENCE_S = 5.0  # a shop that is at home says so in this time, whatever it says


def knock(url: str, patience_s: float = PATIENCE_S) -> None:
    """Ask for an order that nobody placed. Raises ValueError if it cannot be asked there at all.

    Any answer will do, right or wrong: what the shop gets wrong is for the stories to tell.
    """
    shown = without_user(url)
    try:
        _ = urlsplit(url).port  # a number, and at most 65535: else ValueError
        customer = customer_at(url)
        customer.show("knock-knock", timeout_s=patience_s)
    except (ValueError, InvalidURL) as error:  # UnicodeError too, of a host that is no name
        raise ValueError(f"{shown!r} is no address; accepted: {ACCEPTED}") from error
    except ShopClosed as error:
        raise ValueError(f"{shown!r}: {error}; accepted: {ACCEPTED}") from error
    except CustomerTimeout as error:
        raise ValueError(f"{shown!r} lets in and says nothing: {error}") from error
    except NoOutcome:
        return
    customer.close()
