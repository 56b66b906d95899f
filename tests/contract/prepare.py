"""Fills a fresh server with something to ask about, and writes down the names of it for schemathesis.

    prepare.py URL DIR BROADCASTS

DIR has `tokens`, one a line; there come `broadcasts`, `to-be-ended` and `people`: the first of those who have the tokens, friends of each other.
"""

import base64
import json
import pathlib
import sys

import requests

# Begins as pictures begin, which is all that the server looks at.
PICTURE = b"\xff\xd8\xff\xe0"
TO_BE_ENDED = 4
PEOPLE = 6


def main(url, directory, broadcasts):
    directory = pathlib.Path(directory)
    tokens = (directory / "tokens").read_text().split()
    # The part of a JWT that says who it is.
    ids = [json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))["sub"] for token in tokens]

    def ask(method, path, token, status, body=None, **also):
        answer = requests.request(method, f"{url}{path}", headers={"Authorization": f"Bearer {token}"}, json=body, timeout=60, **also)
        if answer.status_code != status:
            sys.exit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json() if answer.content else None

    slugs = []
    for number, token in enumerate(tokens[: TO_BE_ENDED + int(broadcasts)], 1):
        slug = f"final-{number}"
        ask("POST", "/api/v1/broadcasts", token, 201, {"slug": slug, "title": f"Final {number}"})
        ask("POST", f"/api/v1/broadcasts/{slug}/markers", token, 201, {"kind": "goal", "label": "1:0"})
        slugs.append(slug)
    for token in tokens[::2]:
        ask("POST", "/api/v1/me/stream-key", token, 201)
    # Everybody is a friend of some and has written to them.
    for other, theirs in list(zip(ids, tokens))[:PEOPLE]:
        ask("PUT", "/api/v1/me/account/picture", theirs, 204, data=PICTURE)
        for mine, token in list(zip(ids, tokens))[:PEOPLE]:
            if mine < other:
                ask("PUT", f"/api/v1/me/friends/{other}", token, 200)
                ask("PUT", f"/api/v1/me/friends/{mine}", theirs, 200)
                ask("POST", f"/api/v1/me/messages/{other}", token, 201, {"nonce": 1, "text": "Did you see that?"})
    for name, words in [("broadcasts", slugs[TO_BE_ENDED:]), ("to-be-ended", slugs[:TO_BE_ENDED]), ("people", ids[:PEOPLE])]:
        (directory / name).write_text("".join(f'"{word}"\n' for word in words))


main(*sys.argv[1:])
