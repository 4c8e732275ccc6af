"""Synthetic Segment events for benchmarks and tests: the same shape gives the same bytes, always.

Every event has its own random numbers, seeded from (seed, file, position): a file is made without the others, and
an event that is sent twice is simply made twice. Only `random()` and `getrandbits()` are drawn from: they give the
same in every Python version, `choice()` does not. Names, properties and devices do not depend on the seed.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, islice
from operator import itemgetter, methodcaller
from random import Random
from typing import Any

import msgspec

Event = dict[str, Any]  # JSON about to be written
Maker = Callable[[Random], Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
VISITORS = 20_000
DUPLICATE, DIRTY, CONFLICT, LATE, PLAIN = range(5)  # what becomes of a position in a file


@dataclass(frozen=True, slots=True)
class Shape:
    """How many events, and how many of them are odd; shares are between 0 and 1 and of all events."""

    events: int = 10_000
    event_names: int = 60  # of track events; the n-th is 1/n as frequent as the first
    seed: int = 1
    files: int = 20  # spread evenly over the hours of `days`
    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    days: int = 1
    duplicates: float = 0.005  # an earlier event again: half byte for byte, half received and sent anew
    dirty: float = 0.0  # lines of which no row can be made
    conflicts: float = 0.0005  # one property has a value of another type than usual
    late: float = 0.01  # happened days before it was received
    batches: float = 0.0  # in envelopes of 2-5 events; an event in one is never repeated byte for byte


def files(shape: Shape) -> Iterator[tuple[str, bytes]]:
    """Yield the key and the JSON lines of each file, in order of time."""
    return (file(shape, index) for index in range(shape.files))


def file(shape: Shape, index: int) -> tuple[str, bytes]:
    """Return the key and the JSON lines of one file, the same as `files` yields at that place."""
    plan = _plan(shape, index)
    hour = EPOCH + timedelta(milliseconds=plan.starts_at_ms)
    lines = [_line(plan, at[0]) if len(at) == 1 else _envelope(plan, at) for at in plan.lines]
    return f"{hour:%Y-%m-%d/%H}/events-{index:04d}.jsonl", b"".join(line + b"\n" for line in lines)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of each event of a file, and which events share a line."""

    shape: Shape
    index: int
    starts_at_ms: int
    length_ms: int
    fates: bytes  # by position
    lines: tuple[tuple[int, ...], ...]  # positions; several are an envelope
    enveloped: frozenset[int]

    def begin(self, position: int) -> tuple[Random, int]:
        """Return the random numbers of a position, and when it is received, in milliseconds."""
        rng = _random(self.shape, self.index, position)
        share = (position * 1024 + rng.getrandbits(10)) / (len(self.fates) * 1024)
        return rng, self.starts_at_ms + int(self.length_ms * share)


def _random(shape: Shape, index: int, position: int) -> Random:
    return Random((shape.seed & 0xFFFFFFFFFFFFFFFF) << 64 | index << 32 | position)


@lru_cache(maxsize=8)
def _plan(shape: Shape, index: int) -> _Plan:
    rng = _random(shape, index, 0xFFFFFFFF)
    events = shape.events * (index + 1) // shape.files - shape.events * index // shape.files
    cuts = list(accumulate((shape.duplicates, shape.dirty, shape.conflicts, shape.late)))
    fates = bytes(bisect_right(cuts, rng.random()) for _ in range(events))
    hours = 24 * shape.days
    hour = index * hours // shape.files
    first, behind = -(-hour * shape.files // hours), -(-(hour + 1) * shape.files // hours)
    length_ms = HOUR_MS // (behind - first)  # files of one hour share it, one after the other
    start_ms = (shape.start - EPOCH) // timedelta(hours=1) * HOUR_MS + hour * HOUR_MS
    lines = tuple(sorted(_lines(fates, shape.batches, rng), key=itemgetter(-1)))
    enveloped = frozenset(position for at in lines if len(at) > 1 for position in at)
    return _Plan(shape, index, start_ms + (index - first) * length_ms, length_ms, fates, lines, enveloped)


def _lines(fates: bytes, batches: float, rng: Random) -> Iterator[tuple[int, ...]]:
    """Yield the positions of each line; repeated and bad events are never in an envelope."""
    yield from ((position,) for position, fate in enumerate(fates) if fate in (DUPLICATE, DIRTY))
    rest = (position for position, fate in enumerate(fates) if fate not in (DUPLICATE, DIRTY))
    begin = batches / (3.5 - 2.5 * batches)  # an envelope has 3.5 events, on average
    while line := tuple(islice(rest, 2 + rng.getrandbits(2) if rng.random() < begin else 1)):
        yield line


def _line(plan: _Plan, position: int) -> bytes:
    fate = plan.fates[position]
    if fate in (DUPLICATE, DIRTY):
        return _repeated(plan, position) if fate == DUPLICATE else _spoilt(plan, position)
    return msgspec.json.encode(_event(plan, position))


def _envelope(plan: _Plan, positions: tuple[int, ...]) -> bytes:
    """Return the events as one line: what they inherit from the envelope is what they would have said."""
    batch = [_event(plan, position) for position in positions]
    last = batch[-1]
    shared = {key: last[key] for key in ("receivedAt", "sentAt")}
    for event in batch:
        del event["receivedAt"], event["sentAt"]
    return msgspec.json.encode({"batch": batch, **shared, "context": {"library": last["context"].pop("library")}})


def _repeated(plan: _Plan, position: int) -> bytes:
    """Return an event of this file or of one of the three before it again; a new one if there is none."""
    rng, received_ms = plan.begin(position)
    source = _plan(plan.shape, max(plan.index - (0, 0, 0, 0, 1, 1, 2, 3)[rng.getrandbits(3)], 0))
    before = position if source.index == plan.index else len(source.fates)
    target = before - 1 - int(rng.random() * before)
    while target >= 0 and source.fates[target] in (DUPLICATE, DIRTY):
        target -= 1
    event = _event(source, target) if target >= 0 else _event(plan, position)
    if rng.getrandbits(1) or target in source.enveloped:
        event["receivedAt"], event["sentAt"] = _stamp(received_ms), _stamp(received_ms - 20 - rng.getrandbits(10))
    return msgspec.json.encode(event)


def _spoilt(plan: _Plan, position: int) -> bytes:
    event = _event(plan, position)
    way = SPOILT[int(_random(plan.shape, plan.index, position ^ 1 << 31).random() * len(SPOILT))]
    if isinstance(way, dict):
        return msgspec.json.encode({**event, **way})
    head, version, tail = msgspec.json.encode(event).partition(b'"version":2')
    return way % {b"line": head + version + tail, b"head": head, b"tail": tail}


def _event(plan: _Plan, position: int) -> Event:
    """Return the event first sent at a position, whatever becomes of it there."""
    rng, received_ms = plan.begin(position)
    fate, bits = plan.fates[position], rng.getrandbits(160)
    digits = f"{bits >> 32:032x}"
    waited_ms = (bits & 8191) + (DAY_MS + int(6 * DAY_MS * rng.random()) if fate == LATE else 0)
    sent_ms = received_ms - 20 - (bits >> 13 & 1023)
    visitor = int(VISITORS * rng.random() * rng.random())  # some come more often
    event: Event = {
        "messageId": f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}",
        "anonymousId": f"{visitor * 2654435761 & 0xFFFFFFFF:08x}-7c1d-4e6c-a0b2-{visitor:012x}",
        "receivedAt": _stamp(received_ms),
        "sentAt": _stamp(sent_ms),
        "originalTimestamp": _stamp(sent_ms - waited_ms),
        "context": _context(rng, visitor),
        "integrations": {},
        "version": 2,
        **_call(rng, plan.shape.event_names, track=fate in (CONFLICT, DIRTY)),
    }
    if bits >> 31 & 1:
        event["timestamp"] = _stamp(received_ms - waited_ms)
    if visitor % 10 < 7 or event["type"] in ("identify", "alias"):
        event["userId"] = f"user_{visitor}"
    if event["type"] == "identify":
        event["traits"]["email"] = f"user_{visitor}@example.com"
    if fate == CONFLICT:
        _contradict(rng, event["properties"])
    return event


def _contradict(rng: Random, properties: Event) -> None:
    scalars = [(key, value) for key, value in properties.items() if type(value) in OTHER_TYPES]
    key, value = scalars[int(rng.random() * len(scalars))]
    properties[key] = (*OTHER_TYPES[type(value)], {"value": value}, [value])[rng.getrandbits(2)]


def _context(rng: Random, visitor: int) -> Event:
    bits = rng.getrandbits(40)
    context = {**DEVICES[visitor % len(DEVICES)], "ip": f"81.{bits & 255}.{bits >> 8 & 255}.{bits >> 16 & 255}"}
    if "userAgent" in context:
        context["page"] = PAGES[bits >> 24 & 31]
    if not bits >> 29 & 7:
        context["campaign"] = CAMPAIGN(rng)
    if not bits >> 32 & 7:
        context["traits"] = {"email": f"user_{visitor}@example.com", "plan": PLAN(rng)}
    return context


def _call(rng: Random, event_names: int, *, track: bool) -> Event:
    make = CALLS[0 if track else int(rng.random() * 100)]
    if make is not None:
        return dict(make(rng))
    reach, templates = _templates(event_names)
    name, properties = templates[bisect_right(reach, rng.random() * reach[-1], 0, event_names - 1)]
    return {"type": "track", "event": name, "properties": properties(rng)}


@lru_cache(maxsize=4)
def _templates(event_names: int) -> tuple[list[float], list[tuple[str, Maker]]]:
    """Return the cumulated weights of the track names, and each name with the maker of its properties."""
    names = [*NAMES.split(","), *(f"Feature {number} Used" for number in range(1, event_names + 1))][:event_names]
    makers = [(key, make) for make, keys in KINDS for key in keys.split(",")]
    templates = []
    for rank, name in enumerate(names):
        rng = Random(rank)
        order = sorted((at != rank % 50, rng.random(), at) for at in range(len(makers)))  # the first is a scalar
        del order[5 + int(26 * rng.random() * rng.random()) :]
        templates.append((name, _made(**dict(makers[at] for *_, at in order))))
    return list(accumulate(1 / (rank + 1) for rank in range(event_names))), templates


def _stamp(ms: int) -> str:
    minute, rest = divmod(ms, 60_000)
    return f"{_minute(minute)}:{rest // 1000:02d}.{rest % 1000:03d}Z"


@lru_cache(maxsize=10_000)  # formatting a datetime is the slowest thing here
def _minute(minute: int) -> str:
    return (EPOCH + timedelta(minutes=minute)).isoformat()[:16]


def _one_of(*values: object) -> Maker:
    wheel = [values[spoke % len(values)] for spoke in range(1024)]
    return lambda rng: wheel[rng.getrandbits(10)]


def _made(**makers: Maker) -> Maker:
    pairs = tuple(makers.items())
    return lambda rng: {key: make(rng) for key, make in pairs}


COUNT: Maker = methodcaller("getrandbits", 10)
PRICE: Maker = lambda rng: rng.getrandbits(15) / 100  # noqa: E731 a row of this table
CODE: Maker = lambda rng: f"{rng.getrandbits(40):010x}"  # noqa: E731 a row of this table
STAMPS = [_stamp(1_735_689_600_000 + number * 33_554_393) for number in range(1024)]
FLAG = _one_of(True, False)
PLAN = _one_of("free", "pro", "team", "enterprise")
VARIANT = _one_of("control", "blue button", "short form", "B")
NAME = _one_of("Ana García", "Björn Ståhl", "Chloé Rossi", "Femi Okafor", "Nguyễn Thị Minh", "佐藤 浩")
WORD = _one_of("summer sale", "newsletter", "referral", "homepage", "größe", "settings > billing", "N. America")
VERSION = _one_of("4.0.1", "4.1.0", "5.2.13")
ADDRESS = _made(street=_one_of("12 High Street", "Königsallee 3"), city=_one_of("Zürich", "Lagos", "東京"), zip=CODE)
PRODUCT = _made(product_id=CODE, sku=CODE, name=WORD, price=PRICE, quantity=COUNT)
KINDS: tuple[tuple[Maker, str], ...] = (  # and the keys of each: a key is of one kind in every event
    (WORD, "category,label,Coupon Name,utm.source,select,feature_area,buttonText,previous_step,screenTitle,reason"),
    (CODE, "id,order,cart_id,sessionKey,requestId,sku,coupon,affiliation_code,workspaceId,video_id"),
    (COUNT, "quantity,position,stepNumber,retry_count,itemCount,durationMs,scroll_depth_px,unread,ageDays"),
    (PRICE, "revenue,tax,shippingCost,discount,total,loadSeconds,score,latitude"),
    (FLAG, "is_trial,firstTime,has_coupon,autoRenew,beta_user,darkMode"),
    (_one_of(*STAMPS), "timestamp,completedAt,trial_ends_at"),
    (_one_of(*(f"{stamp[:19]}Z" for stamp in STAMPS)), "startedAt,renewal_date"),
    (VARIANT, "variant,experiment_group,plan_variant"),
    (methodcaller("getrandbits", 50), "account_number,bytesSent"),
    (_one_of(None, "docs", "pricing", "blog", "careers"), "referrer_name,nextStep"),
    (_one_of(*range(1, 11), None), "rating"),
    (_one_of(["new"], ["vip", "b2b"], ["épicé", "trial", "new"], []), "tags,interests"),
    (_one_of(*([PRODUCT(Random(n)), PRODUCT(Random(n + 1024))][: 1 + n % 2] for n in range(1024))), "products"),
    (ADDRESS, "address,shippingAddress"),
    (_made(width=COUNT, height=COUNT, focus=_made(x=PRICE, y=PRICE)), "viewport"),
)
NAMES = "product_viewed,Order Completed,Button Clicked,Signed Up,searchPerformed,checkout.step.done,Añadido al carrito"
SITE = "https://www.example.com"
PAGES = [{"path": f"/{n}", "referrer": SITE, "title": f"Offer {n}", "url": f"{SITE}/{n}?q=1"} for n in range(32)]
CAMPAIGN = _made(name=WORD, source=_one_of("newsletter", "google"), medium=_one_of("email", "cpc"), content=VARIANT)
PLACE = {
    "library": _made(name=_one_of("analytics.js", "analytics-next"), version=VERSION),
    "locale": _one_of("en-GB", "de-CH", "ja-JP"),
    "timezone": _one_of("Europe/London", "Europe/Zurich", "Asia/Tokyo"),
    "screen": _made(width=COUNT, height=COUNT, density=_one_of(1.0, 1.5, 2.0, 3.0)),
}
WEB = _made(userAgent=_one_of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 Safari/537"), **PLACE)
MOBILE = _made(
    app=_made(name=_one_of("Acme Shop"), version=VERSION, build=CODE),
    os=_made(name=_one_of("iOS", "Android"), version=_one_of("18.2", "15")),
    device=_made(id=CODE, model=_one_of("iPhone17,1", "Pixel 9"), manufacturer=_one_of("Apple", "Google")),
    network=_made(wifi=FLAG, cellular=FLAG, carrier=_one_of("Swisscom", "EE")),
    **PLACE,
)
DEVICES = [(WEB, MOBILE)[number % 2](Random(number)) for number in range(64)]
PAGE = _made(type=_one_of("page"), name=WORD, category=WORD, properties=_made(url=_one_of(SITE), loadMs=COUNT))
SCREEN = _made(type=_one_of("screen"), name=WORD, properties=_made(variant=VARIANT, scroll_depth=PRICE))
TRAITS = _made(name=NAME, plan=PLAN, logins=COUNT, createdAt=_one_of(*STAMPS), address=ADDRESS)
IDENTIFY = _made(type=_one_of("identify"), traits=TRAITS)
GROUP = _made(type=_one_of("group"), groupId=CODE, traits=_made(name=NAME, employees=COUNT, plan=PLAN))
ALIAS = _made(type=_one_of("alias"), previousId=CODE)
CALLS = (None,) * 78 + (PAGE,) * 10 + (IDENTIFY,) * 6 + (SCREEN,) * 3 + (GROUP,) * 2 + (ALIAS,)
OTHER_TYPES: dict[type, tuple[Any, Any]] = {bool: ("N/A", 7), int: ("N/A", 1.5), float: ("N/A", True), str: (42, False)}
SPOILT: tuple[Event | bytes, ...] = (  # keys to change, or what to make of the line and the parts around its version
    *({"userId": None, "anonymousId": ""}, {"userId": 42}, {"messageId": 1234567}, {"context": "web"}),
    *({"event": 37}, {"event": ""}, {"event": None}, {"type": "click"}, {"type": None}),
    *({"properties": "none"}, {"properties": []}),
    *(b"%(head)b", b"[%(line)b]", b'%(head)b"\xff\xc3":2%(tail)b', b'%(head)b"version":NaN%(tail)b'),
    *(b"%(line)b%(head)b", b"upstream connect error or disconnect/reset before headers", b'{"batch":[]}'),
)
