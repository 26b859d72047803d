"""Faults of a routing by itself: routes that can never match, settings without effect, names that nobody uses."""

from __future__ import annotations

from collections.abc import Iterator

from cloudxai_analysis.lint import Finding
from cloudxai_analysis.lint.codes import found
from cloudxai_analysis.lint.durations import duration_text
from cloudxai_analysis.lint.matchers import Matcher, covered, finite_values, never
from cloudxai_analysis.lint.routes import Route, Routing

_MOST_NEIGHBOURS = 200


def route_findings(routing: Routing) -> Iterator[Finding]:
    """Every fault of the routes that no rule is needed to see."""
    if routing.root is None:
        return
    dead: set[Route] = set()
    for route in routing.routes():
        if any(above in dead for above in route.ancestry()):
            continue
        for code, line, message in _dead(route):
            dead.add(route)
            yield _of(routing, code, line, route, message)
        if route not in dead:
            for code, line, message in (*_continue(route), *_times(route)):
                yield _of(routing, code, line, route, message)
    yield from _unused(routing)


def _of(routing: Routing, code: str, line: int, route: Route, message: str) -> Finding:
    return found(code, file=routing.file, line=line, subject=str(route), message=message)


def _dead(route: Route) -> Iterator[tuple[str, int, str]]:
    """Why no alert can come to a route, if none can."""
    path = route.path_matchers()
    if route.parent is None:
        return
    if never(path):
        said = "its matchers exclude each other" if never(route.matchers) else "they exclude those of the routes above"
        shown = ", ".join(map(str, _excluding(path)))
        yield "routing/never-matches", route.line, f"Nothing can match {shown}: {said}."
        return
    taken = _taken_by(route, path)
    if taken is not None:
        said = f"The {taken} on line {taken.line} comes first and takes all that this one would match."
        yield "routing/shadowed", route.line, said


def _excluding(path: list[Matcher]) -> list[Matcher]:
    for name in {matcher.name: None for matcher in path}:
        of_label = [matcher for matcher in path if matcher.name == name]
        if never(of_label):
            return of_label
    return path


def _taken_by(route: Route, path: list[Matcher]) -> Route | None:
    """The earlier route that takes all that comes here: a neighbour of this one or of one above it."""
    for level in route.ancestry()[1:]:
        siblings = level.parent.routes if level.parent else []
        before = [other for other in siblings[: siblings.index(level)] if not other.goes_on and not other.unread][
            -_MOST_NEIGHBOURS:
        ]
        for other in before:
            if covered(path, other.matchers):
                return other
        for name in {matcher.name: None for matcher in path}:
            # Value for value: what one neighbour leaves of `a|b` another may take.
            values = finite_values(path, name)
            if not values or len(values) > 50:
                continue
            takers = [
                next((other for other in before if covered([*path, Matcher(name, "=", value)], other.matchers)), None)
                for value in values
            ]
            if all(takers):
                return takers[0]
    return None


def _continue(route: Route) -> Iterator[tuple[str, int, str]]:
    if not route.goes_on or route.parent is None:
        return
    siblings = route.parent.routes
    after = siblings[siblings.index(route) + 1 :]
    path = route.path_matchers()
    if after and not all(never([*path, *other.matchers]) for other in after[:_MOST_NEIGHBOURS]):
        return
    if not after:
        # Last of its neighbours: harmless, and kept by many so that the next one is not forgotten.
        return
    line = route.own.get("continue", route.line)
    yield "routing/useless-continue", line, "It goes on, and no later neighbour can match what it matches."


def _times(route: Route) -> Iterator[tuple[str, int, str]]:
    own = route.own
    if route.group_wait > route.group_interval and {"group_wait", "group_interval"} & set(own):
        line = own.get("group_wait") or own["group_interval"]
        said = f"group_wait is {duration_text(route.group_wait)}, group_interval {duration_text(route.group_interval)}."
        yield "routing/wait-over-interval", line, said
    if route.repeat_interval < route.group_interval and {"repeat_interval", "group_interval"} & set(own):
        line = own.get("repeat_interval") or own["group_interval"]
        repeat, interval = duration_text(route.repeat_interval), duration_text(route.group_interval)
        yield "routing/repeat-under-interval", line, f"repeat_interval is {repeat}, group_interval {interval}."


def _unused(routing: Routing) -> Iterator[Finding]:
    routes = routing.routes()
    sent = {route.receiver.name for route in routes}
    for receiver in routing.receivers:
        if receiver.name and receiver.name not in sent:
            said = f"No route names receiver '{receiver.name}'."
            yield found(
                "routing/unused-receiver", file=routing.file, line=receiver.line, subject=receiver.name, message=said
            )
    used = {interval.name for route in routes for interval in (*route.mute, *route.active)}
    for interval in routing.intervals:
        if interval.name and interval.name not in used:
            said = f"No route names time interval '{interval.name}'."
            yield found(
                "routing/unused-interval", file=routing.file, line=interval.line, subject=interval.name, message=said
            )
