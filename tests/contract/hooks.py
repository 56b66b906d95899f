"""What schemathesis needs to know of Courtside: who asks, from where, and the bodies that are not JSON.

Loaded by schemathesis (`hooks` in schemathesis.toml), after prepare.py. CONTRACT names the directory with what that wrote, CONTRACT_PASSWORD
the password of everybody.
"""

import itertools
import os
import pathlib
import time

import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

HERE = pathlib.Path(os.environ["CONTRACT"])
PASSWORD = os.environ["CONTRACT_PASSWORD"]
TOKENS = (HERE / "tokens").read_text().split()
# Those whom prepare.py has made friends.
FRIENDS = TOKENS[: len((HERE / "people").read_text().split())]
GOLDEN_SDP = pathlib.Path(__file__).parent.parent / "golden" / "sdp"
# RFC 2544 section C.2.2: addresses that nobody has.
ASKERS = [f"198.{18 + i // 65536}.{i // 256 % 256}.{i % 256}" for i in range(2 * 65536)]

# Requests in a row of one person, so that what they made they find again.
IN_A_ROW = 8

SESSION_PATHS = ("/whip/{broadcast}/{session}", "/whep/{broadcast}/{session}")

sessions = []
askers = itertools.cycle(ASKERS)
friends = itertools.cycle(FRIENDS)
tokens = (token for token in itertools.cycle(TOKENS) for _ in range(IN_A_ROW))


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """Few requests are one person's, so that few are told to slow down."""

    def get(self, case, ctx):
        return next(friends if case.operation.path == "/api/v1/me/messages/{user}" else tokens)

    def set(self, case, data, ctx):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """Each request comes from another address, for the same reason: the server believes a proxy on its own host."""
    case.headers = case.headers or {}
    case.headers["X-Forwarded-For"] = next(askers)
    if case.meta is None:
        return
    is_right = case.meta.generation.mode == GenerationMode.POSITIVE
    if is_right:
        case.body = confirmed(case.operation.label, meant(case.body))
    # Requests in a row that belong together know their session.
    if case.operation.path in SESSION_PATHS and case.meta.phase.name != TestPhase.STATEFUL:
        in_session(case, is_right)


@schemathesis.hook
def after_call(ctx, case, response):
    """Remembers media sessions: their URLs cannot be guessed."""
    if case.operation.label.startswith("POST /wh") and response.status_code == 201:
        broadcast, session = response.headers["location"][0].split("/")[-2:]
        known = {"broadcast": broadcast, "session": session}
        sessions.append((case.operation.path, known, response.headers["etag"][0], case.headers.get("Authorization")))


def confirmed(label, body):
    """With the password where it is asked for. Accounts are not deleted: their tokens would be good for nothing from then on."""
    match label:
        case "POST /api/v1/auth/sign-in":
            return {"email": "person-1@example.org", "password": PASSWORD}
        case "PUT /api/v1/me/account/email":
            return body | {"password": PASSWORD}
        case "PUT /api/v1/me/account/password":
            return body | {"current": PASSWORD}
        case _:
            return body


def in_session(case, is_right):
    """Turns a request about any media session into one about a session that there is, by whom it belongs to."""
    for index, (endpoint, known, etag, authorization) in enumerate(sessions):
        if case.operation.path.startswith(endpoint) and (is_right or case.method == "PATCH"):
            case.path_parameters = dict(known)
            if authorization is not None:
                case.headers["Authorization"] = authorization
            if case.method == "PATCH" and is_right:
                case.headers["If-Match"] = etag
            if case.method == "DELETE":
                del sessions[index]
            return


def meant(value, key=None):
    """A body as the description means it where JSON Schema has no words: times are of today, passwords more than one letter."""
    match value:
        case dict():
            return {key: meant(inner, key) for key, inner in value.items()}
        case float() | int() if key in ("at_media_ms", "media_time_ms") and not isinstance(value, bool):
            return time.time_ns() // 1_000_000
        case str() if key in ("password", "new") and len(set(value)) == 1:
            return value[:-1] + ("b" if value[0] == "a" else "a")
        case _:
            return value


def fragment(ufrag):
    """Trickles a candidate, and asks for a restart unless the user fragment is the one in force."""
    lines = [f"a=ice-ufrag:{ufrag}", f"a=ice-pwd:{ufrag * 6}", "m=audio 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0"]
    return "".join(f"{line}\r\n" for line in [*lines, "a=candidate:1 1 udp 2122260223 192.0.2.1 50000 typ host"]).encode()


# What browsers offer; broken SDP is what tests/fuzz is for.
OFFERS = [path.read_bytes() for path in sorted(GOLDEN_SDP.glob("*.sdp")) if ".answer." not in path.name]
schemathesis.openapi.media_type("application/sdp", st.sampled_from(OFFERS))
schemathesis.openapi.media_type("application/trickle-ice-sdpfrag", st.sampled_from(["EsAw", "hVKD", "9uB6"]).map(fragment))
# The server looks at how a file begins, as browsers do.
schemathesis.openapi.media_type("image/jpeg", st.binary(max_size=64).map(lambda rest: b"\xff\xd8\xff\xe0" + rest))
schemathesis.openapi.media_type("image/webp", st.binary(max_size=64).map(lambda rest: b"RIFF\x24\x00\x00\x00WEBP" + rest))
