"""Where a request goes: the first route that fits it, then a draw by weight among its clusters."""

from __future__ import annotations

import random
from collections.abc import Mapping

from era6_control_plane.told import RouteTold


class ByRoutes:
    """In the place of era 5's choice by name."""

    def __init__(self, routes: Mapping[str, tuple[RouteTold, ...]], rng: random.Random) -> None:
        raise NotImplementedError
