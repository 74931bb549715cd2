"""Forged and mutated deliveries, made at random from a seed, each with the answers that are right for it."""

import json
import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from bot.webhooks.verify import DEEPEST
from tests.bot.deliveries import FORM, JSON, body_of, form_of, headers_of, sign
from tests.bot.hostile import TARGETS, Target
from tests.bot.wire import in_chunks, request_of

SIGNATURE = "X-Hub-Signature-256"
UNVERIFIED = frozenset({401})
MALFORMED = frozenset({400})


@dataclass(kw_only=True)
class Forgery:
    """A request in the making; it begins as a delivery that would be taken.

    Attributes:
        headers: name and value, in order; a value may be any bytes.
        statuses: the answers that are right for it.
    """

    target: Target
    chance: random.Random
    body: bytes
    headers: list[tuple[str, str | bytes]]
    method: str = "POST"
    has_length: bool = True
    statuses: frozenset[int] = field(default=frozenset())

    @classmethod
    def begin(cls, target: Target, chance: random.Random) -> "Forgery":
        """A right delivery, JSON or form, with noise that doesn't matter."""
        payload = target.payload | {"noise": _text(chance, chance.randrange(200)), "number": chance.randrange(10**9)}
        is_form = chance.random() < 0.2
        body = form_of(payload) if is_form else body_of(payload)
        headers = headers_of(
            body,
            event=target.event,
            delivery_id=f"forged-{chance.getrandbits(64):x}",
            secret=target.secret,
            content_type=FORM if is_form else JSON,
        )
        listed: list[tuple[str, str | bytes]] = [(_any_case(chance, name), value) for name, value in headers.items()]
        listed += [(f"X-Noise-{number}", _text(chance, 20)) for number in range(chance.randrange(3))]
        chance.shuffle(listed)
        return cls(target=target, chance=chance, body=body, headers=listed)

    def values(self, name: str) -> list[str | bytes]:
        """A header's values."""
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def set(self, name: str, *values: str | bytes) -> None:
        """Let a header have these values, at any place."""
        self.headers = [(given, value) for given, value in self.headers if given.lower() != name.lower()]
        for value in values:
            self.headers.insert(self.chance.randrange(len(self.headers) + 1), (_any_case(self.chance, name), value))

    def sign(self) -> None:
        """Sign the body as it is now, rightly."""
        self.set(SIGNATURE, sign(self.body, self.target.secret))

    def become_json(self, body: bytes) -> None:
        """Take another body, rightly signed and declared as JSON."""
        self.body = body
        self.set("Content-Type", JSON)
        self.sign()

    def request(self) -> bytes:
        """Its bytes, with a length or in chunks."""
        if self.has_length and self.chance.random() < 0.2:
            headers = [*self.headers, ("Transfer-Encoding", "chunked")]
            body = in_chunks(self.body, len(self.body) // self.chance.randrange(1, 40) + 1)
            return request_of(self.target.path, body, headers, method=self.method, length=False)
        return request_of(self.target.path, self.body, self.headers, method=self.method, length=self.has_length)


def forgeries(target: Target, *, seed: int, count: int) -> Iterator[tuple[str, bytes, frozenset[int]]]:
    """So many of them: what was done, the bytes, and the right answers."""
    chance = random.Random(seed)
    ways = [*UNVERIFIED_WAYS, *MALFORMED_WAYS, *REFUSED_WAYS]
    for number in range(count):
        way = ways[number % len(ways)]
        forgery = Forgery.begin(target, chance)
        way(forgery)
        yield f"{way.__name__} {number} of seed {seed}", forgery.request(), forgery.statuses


def _text(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(string.ascii_letters + string.digits, k=length))


def _any_case(chance: random.Random, name: str) -> str:
    return chance.choice([name, name.lower(), name.upper()])


# Not signed by the secret ---------------------------------------------------------------------------------------------


def _change_a_bit(forgery: Forgery) -> None:
    at = forgery.chance.randrange(len(forgery.body))
    changed = forgery.body[at] ^ (1 << forgery.chance.randrange(8))
    forgery.body = forgery.body[:at] + bytes([changed]) + forgery.body[at + 1 :]
    forgery.statuses = UNVERIFIED


def _insert_bytes(forgery: Forgery) -> None:
    at = forgery.chance.randrange(len(forgery.body) + 1)
    forgery.body = forgery.body[:at] + forgery.chance.randbytes(forgery.chance.randrange(1, 9)) + forgery.body[at:]
    forgery.statuses = UNVERIFIED


def _cut_bytes(forgery: Forgery) -> None:
    at = forgery.chance.randrange(len(forgery.body))
    forgery.body = forgery.body[:at] + forgery.body[at + forgery.chance.randrange(1, 50) :]
    forgery.statuses = UNVERIFIED


def _swap_the_body(forgery: Forgery) -> None:
    forgery.body = body_of(forgery.target.payload | {"other": forgery.chance.randrange(10**9)})
    forgery.set("Content-Type", JSON)
    forgery.statuses = UNVERIFIED


def _change_a_digit(forgery: Forgery) -> None:
    (right,) = forgery.values(SIGNATURE)
    assert isinstance(right, str)
    at = forgery.chance.randrange(len("sha256="), len(right))
    other = forgery.chance.choice([digit for digit in "0123456789abcdef" if digit != right[at]])
    forgery.set(SIGNATURE, right[:at] + other + right[at + 1 :])
    forgery.statuses = UNVERIFIED


def _garble_the_signature(forgery: Forgery) -> None:
    (right,) = forgery.values(SIGNATURE)
    assert isinstance(right, str)
    garbled: list[str | bytes] = [
        right[: forgery.chance.randrange(len(right))],
        right + _text(forgery.chance, forgery.chance.randrange(1, 9)),
        right.replace("sha256", forgery.chance.choice(["sha1", "sha512", "SHA256", "md5", ""])),
        # Control characters aren't HTTP, and such a request gets no further than the parser.
        bytes(byte for byte in forgery.chance.randbytes(71) if byte >= 0x20 and byte != 0x7F) + b"\xff",
        "sha256=" + _text(forgery.chance, 64),
        f"sha256={forgery.chance.getrandbits(256):064x}",
        f"{right}, {right}",
        right.encode() + "é".encode(),
    ]
    forgery.set(SIGNATURE, forgery.chance.choice(garbled))
    forgery.statuses = UNVERIFIED


def _repeat_the_signature(forgery: Forgery) -> None:
    (right,) = forgery.values(SIGNATURE)
    forgery.set(SIGNATURE, *forgery.chance.choice([[right, right], [right, "sha256=" + "0" * 64], ["", right]]))
    forgery.statuses = UNVERIFIED


def _drop_the_signature(forgery: Forgery) -> None:
    forgery.set(SIGNATURE)
    if forgery.chance.random() < 0.5:
        forgery.set("X-Hub-Signature", f"sha1={forgery.chance.getrandbits(160):040x}")
    forgery.statuses = UNVERIFIED


def _sign_by_another_secret(forgery: Forgery) -> None:
    right = forgery.target.secret
    at = forgery.chance.randrange(len(right))
    secrets = [
        "",
        right[:at],
        right + " ",
        right.upper(),
        right[:at] + "?" + right[at + 1 :],
        f"{right},{right}",
        _text(forgery.chance, 26),
        *(target.secret for target in TARGETS if target is not forgery.target),
    ]
    forgery.set(SIGNATURE, sign(forgery.body, forgery.chance.choice(secrets)))
    forgery.statuses = UNVERIFIED


def _come_from_the_other_webhook(forgery: Forgery) -> None:
    (other,) = (target for target in TARGETS if target is not forgery.target)
    body = body_of(other.payload)
    headers = headers_of(body, event=other.event, secret=other.secret)
    forgery.body, forgery.headers = body, list(headers.items())
    forgery.statuses = UNVERIFIED


def _be_wrong_in_everything(forgery: Forgery) -> None:
    forgery.body = forgery.chance.randbytes(forgery.chance.randrange(300))
    for name in ("X-GitHub-Event", "X-GitHub-Delivery", SIGNATURE):
        forgery.set(name, *([_text(forgery.chance, 9)] * forgery.chance.randrange(3)))
    forgery.set("Content-Type", f"{JSON}; charset={_text(forgery.chance, 5)}")
    forgery.statuses = UNVERIFIED


# Signed, but no delivery ----------------------------------------------------------------------------------------------


def _sign_half_of_it(forgery: Forgery) -> None:
    whole = body_of(forgery.target.payload)
    forgery.become_json(whole[: forgery.chance.randrange(len(whole))])
    forgery.statuses = MALFORMED


def _sign_a_byte_that_is_no_text(forgery: Forgery) -> None:
    whole = body_of(forgery.target.payload)
    at = forgery.chance.randrange(len(whole) + 1)
    forgery.become_json(whole[:at] + bytes([forgery.chance.randrange(0x80, 0x100)]) + whole[at:])
    forgery.statuses = MALFORMED


def _sign_another_kind_of_value(forgery: Forgery) -> None:
    values = [[forgery.target.payload], "text", 1, 1.5, True, None, [], [[]], ""]
    forgery.become_json(json.dumps(forgery.chance.choice(values)).encode())
    forgery.statuses = MALFORMED


def _sign_a_wrong_action(forgery: Forgery) -> None:
    values = [1, 1.5, True, None, [], ["created"], {}, {"action": "created"}, "a" * 200, "\x00", "\ud800", "\u2028"]
    forgery.become_json(body_of(forgery.target.payload | {"action": forgery.chance.choice(values)}))
    forgery.statuses = MALFORMED


def _sign_too_deep_a_text(forgery: Forgery) -> None:
    depth = forgery.chance.randrange(DEEPEST, 3000)
    begin, end = forgery.chance.choice([(b"[", b"]"), (b'{"a":', b"}")])
    forgery.become_json(b'{"action": "created", "x": ' + begin * depth + b"1" + end * depth + b"}")
    forgery.statuses = MALFORMED


def _miss_a_header(forgery: Forgery) -> None:
    name = forgery.chance.choice(["X-GitHub-Event", "X-GitHub-Delivery"])
    (value,) = forgery.values(name)
    wrong: list[list[str | bytes]] = [[], [""], [value, value], ["two words"], ["é".encode()], [b"\xfe"], ["a" * 200]]
    forgery.set(name, *forgery.chance.choice(wrong))
    forgery.statuses = MALFORMED


def _name_the_other_event(forgery: Forgery) -> None:
    forgery.set("X-GitHub-Event", forgery.target.other_event)
    forgery.statuses = MALFORMED


def _name_a_strange_charset(forgery: Forgery) -> None:
    (given,) = forgery.values("Content-Type")
    assert isinstance(given, str)
    forgery.set("Content-Type", f"{given}; charset={_text(forgery.chance, 6)}")
    forgery.statuses = MALFORMED


def _break_the_form(forgery: Forgery) -> None:
    body = forgery.chance.choice([b"a=b", b"payload=%7B%7D&payload=%7B%7D", b"payload", b"payload=%FF", b"payload=[]"])
    forgery.body = body
    forgery.set("Content-Type", FORM)
    forgery.sign()
    forgery.statuses = MALFORMED


# Not even read --------------------------------------------------------------------------------------------------------


def _use_another_method(forgery: Forgery) -> None:
    forgery.method = forgery.chance.choice(["GET", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
    forgery.statuses = frozenset({405})


def _leave_out_the_length(forgery: Forgery) -> None:
    forgery.body = b""
    forgery.has_length = False
    forgery.statuses = frozenset({411})


Way = Callable[[Forgery], None]

UNVERIFIED_WAYS: tuple[Way, ...] = (
    _change_a_bit,
    _insert_bytes,
    _cut_bytes,
    _swap_the_body,
    _change_a_digit,
    _garble_the_signature,
    _repeat_the_signature,
    _drop_the_signature,
    _sign_by_another_secret,
    _come_from_the_other_webhook,
    _be_wrong_in_everything,
)
MALFORMED_WAYS: tuple[Way, ...] = (
    _sign_half_of_it,
    _sign_a_byte_that_is_no_text,
    _sign_another_kind_of_value,
    _sign_a_wrong_action,
    _sign_too_deep_a_text,
    _miss_a_header,
    _name_the_other_event,
    _name_a_strange_charset,
    _break_the_form,
)
REFUSED_WAYS: tuple[Way, ...] = (_use_another_method, _leave_out_the_length)
