"""A few SVG elements as strings. Everything is drawn in currentColor, for light and dark."""

from html import escape


def element(name: str, attributes: dict[str, object], content: str = "") -> str:
    """One element; `content` is SVG already."""
    written = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{written}>{content}</{name}>" if content else f"<{name}{written}/>"


def text(x: float, y: float, words: str, anchor: str = "middle", css: str = "") -> str:
    """A line of text, `anchor` start, middle or end."""
    attributes: dict[str, object] = {"x": round(x, 1), "y": round(y, 1), "text-anchor": anchor}
    if css:
        attributes["class"] = css
    return element("text", attributes, escape(words))


def path(d: str, css: str) -> str:
    """A path with a class for its looks."""
    return element("path", {"d": d, "class": css})


def image(width: float, height: float, label: str, content: str, css: str) -> str:
    """The whole picture, as wide as its place allows; `label` is read out instead of it."""
    attributes: dict[str, object] = {
        "viewBox": f"0 0 {width:g} {height:g}",
        "role": "img",
        "aria-label": label,
        "class": css,
    }
    return element("svg", attributes, content)
