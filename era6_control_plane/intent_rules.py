"""What must hold between the parts of an intent; each part has checked itself when it was made.

A mesh that is told something contradictory would have to choose, and whoever reads the file would
guess which half is in force. So a contradiction is refused, by the name of its second half.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence

from era4_framework.config_rules import ConfigError, not_accepted
from era5_sidecar.config_inbound import ANYONE
from era6_control_plane.identity import check_service
from era6_control_plane.intent import Intent, RouteIntent, ServiceIntent

MOST_SERVICES = 200
MOST_OF_ONE = 1000  # routes, or rules, of one service: a request is compared with one after another
MOST_ROUTES = 5000  # of all services: they go to a caller in one message of gRPC, 4 MiB at most
MOST_NAMED = 20  # that an error lists


def check(intent: Intent) -> None:
    """Raises ConfigError for the first contradiction, its key named as in the file."""
    _check_names(intent.services)
    routes = sum(len(service.routes) for service in intent.services.values())
    if routes > MOST_ROUTES:
        raise _too_many("services", f"{routes} routes", MOST_ROUTES)
    for name, service in intent.services.items():
        where = f"services.{name}"
        _check_versions(service, where)
        _check_callers(service, where, intent.services)
        _check_quotas(service, where, intent.services)
        _check_routes(service, where)


def check_length(listed: Sequence[object], where: str) -> None:
    """Raises ConfigError for a list that is too long; `where` is what errors call it. May be asked
    before its elements are read.
    """
    if len(listed) > MOST_OF_ONE:
        raise _too_many(where, f"{len(listed)} of them", MOST_OF_ONE)


def _too_many(key: str, counted: str, most: int) -> ConfigError:
    return ConfigError(key, f"is too long, {counted}: accepted are {most}")


def _check_names(services: Mapping[str, ServiceIntent]) -> None:
    if not services:
        raise not_accepted("services", {}, "at least one: nobody could call anybody")
    if len(services) > MOST_SERVICES:
        raise _too_many("services", f"{len(services)} of them", MOST_SERVICES)
    for name in services:
        try:
            check_service(name)
        except ValueError as error:
            raise ConfigError(f"services.{name}", f"could have no certificate: {error}") from error


def _check_versions(service: ServiceIntent, where: str) -> None:
    check_length(service.versions, f"{where}.versions")
    for number, version in enumerate(service.versions):
        if version in service.versions[:number]:
            raise not_accepted(f"{where}.versions", version, "each version once")


def _check_callers(
    service: ServiceIntent, where: str, services: Mapping[str, ServiceIntent]
) -> None:
    check_length(service.may, f"{where}.may")
    for number, rule in enumerate(service.may):
        key = f"{where}.may[{number}].callers"
        if service.is_edge and rule.callers != (ANYONE,):
            raise not_accepted(key, rule.callers, '["*"], as customers have no names')
        if len(set(rule.callers)) < len(rule.callers) or ANYONE in rule.callers[:-1]:
            raise not_accepted(key, rule.callers, 'each caller once, or ["*"] alone')
        for caller in rule.callers:
            if caller != ANYONE and caller not in services:
                raise ConfigError(key, f"names {caller!r}: {_accepted(caller, services)}")
        if rule in service.may[:number]:
            problem = f"says what may[{service.may.index(rule)}] says: accepted is each rule once"
            raise ConfigError(f"{where}.may[{number}]", problem)


def _check_quotas(
    service: ServiceIntent, where: str, services: Mapping[str, ServiceIntent]
) -> None:
    may = {caller for rule in service.may for caller in rule.callers}
    for caller in service.quotas:
        key = f"{where}.quotas.{caller}"
        if caller == ANYONE:
            continue
        if service.is_edge:
            raise ConfigError(key, 'is not accepted: accepted is "*", as customers have no names')
        if caller not in services:
            raise ConfigError(key, f"is not known: {_accepted(caller, services)}")
        if not {caller, ANYONE} & may:
            problem = f"is for one who may not call at all: accepted are {_listed(may | {ANYONE})}"
            raise ConfigError(key, problem)


def _check_routes(service: ServiceIntent, where: str) -> None:
    check_length(service.routes, f"{where}.routes")
    if service.is_edge and service.routes:
        problem = "are not accepted: customers come straight in, so nobody would take one"
        raise ConfigError(f"{where}.routes", problem)
    for number, route in enumerate(service.routes):
        key = f"{where}.routes[{number}]"
        for version in route.to:
            if version not in service.versions:
                accepted = _accepted(version, service.versions)
                raise ConfigError(f"{key}.to", f"names {version!r}: {accepted}")
        _check_times(service, route, key)
    for number, before in _unreachable(service.routes):
        problem = f"can never be reached: routes[{before}] takes all that would come here"
        raise ConfigError(f"{where}.routes[{number}]", problem)


def _check_times(service: ServiceIntent, route: RouteIntent, key: str) -> None:
    """As in era 4: a try that may last longer than the whole call could never time out."""
    deadline_s = route.deadline_s or service.client.deadline_s
    try_timeout_s = route.try_timeout_s or service.client.try_timeout_s
    if try_timeout_s <= deadline_s:
        return
    if route.try_timeout_s:
        accepted = f"at most the deadline_s of this route, {deadline_s}"
        raise not_accepted(f"{key}.try_timeout_s", route.try_timeout_s, accepted)
    accepted = f"at least client.try_timeout_s, {try_timeout_s}, or a try_timeout_s of its own"
    raise not_accepted(f"{key}.deadline_s", route.deadline_s, accepted)


def _unreachable(routes: Sequence[RouteIntent]) -> Iterator[tuple[int, int]]:
    """Each route whose requests an earlier one takes, all of them; and which one that is."""
    lengths = sorted({len(route.path) for route in routes})
    seen: dict[tuple[str, str], dict[frozenset[tuple[str, str]], int]] = {}
    for number, route in enumerate(routes):
        headers = frozenset((name.lower(), value) for name, value in route.headers.items())
        starts = [route.path[:length] for length in lengths if length <= len(route.path)]
        alike = [seen.get((start, of), {}) for start in starts for of in (ANYONE, route.method)]
        taken = [at for each in alike for having, at in each.items() if having <= headers]
        if taken:
            yield number, min(taken)
        seen.setdefault((route.path, route.method), {}).setdefault(headers, number)


def _accepted(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    nearest = f"; {close[0]} is the nearest" if close else ""
    return f"accepted are {_listed(known) or 'none, as there are none'}{nearest}"


def _listed(names: Collection[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
    return ", ".join(listed[:MOST_NAMED]) + more
