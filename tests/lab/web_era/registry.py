"""Who is there: a dictionary."""

from tests.lab.web_era.web import serve


def main(listen, secret, networks, ready):
    urls: dict[str, str] = {}

    def answer(method: str, path: list[str], body: dict) -> tuple[int, dict]:
        if method == "PUT":
            urls[path[2]] = body["url"]
        if method == "DELETE":
            urls.pop(path[2], None)
        return 200, {"instances": [{"name": name, "url": url} for name, url in urls.items()]}

    serve(listen, answer, ready)
