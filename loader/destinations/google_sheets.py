"""Google Sheets: one row per key in a tab that is the sync's own, with a heading that this file writes.

API      https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values, read 2026-11
Matches  the sync's key, in the first column. People may sort the rows, and add columns of their own at the right
Answers  all or nothing. What is written goes to places that are read just before, so that twice is as once
Leaves   the row becomes empty, and is taken by the next who is new: to delete one twice would delete another
"""

from collections.abc import Mapping
from itertools import count
from typing import Any

from loader.core.audience import Batch, Member, Mode, Op, Result, accepted
from loader.core.destination import Account, Destination, Limits, Rate, Resend, Steps
from loader.core.fields import Field
from loader.core.http import Request, address
from loader.core.oauth import bearer, google_login
from loader.core.settings import Record, Secret
from loader.core.tabular import text_cell
from loader.errors import DestinationError

_EXACT = 2**53  # a number of a sheet has no more digits
_SIZE = "gridProperties(rowCount,columnCount)"


class Settings(Record, frozen=True):
    """A tab, and a client that has a person's leave for the scope https://www.googleapis.com/auth/spreadsheets."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    spreadsheet_id: str  # in its address, between /d/ and /edit
    tab: str = "Sheet1"
    key: str = "key"  # the heading of the first column
    host: str = "https://sheets.googleapis.com"
    auth_host: str = "https://oauth2.googleapis.com"


def encode(own: Settings, member: Member) -> Mapping[str, Any]:
    cells = {name: _cell(value) for name, value in member.fields.items() if name != own.key}
    return {own.key: member.key, **({} if member.op is Op.REMOVE else cells)}


def _cell(value: Any) -> Any:
    exact = isinstance(value, bool) or (isinstance(value, int | float) and abs(value) <= _EXACT)
    return value if exact else str(text_cell(value))


def push(account: Account[Settings], batch: Batch) -> Steps[Result]:
    url, key = _url(account.settings), account.settings.key
    grid = yield from _grid(account)
    tab = "'" + grid["title"].replace("'", "''") + "'"
    asked = f"{address(url + '/values:batchGet', ranges=f'{tab}!1:1')}&{address('', ranges=f'{tab}!A:A')[1:]}"
    first, column = [
        each.get("values", []) for each in (yield Request("GET", asked, harmless=True)).json["valueRanges"]
    ]
    header = [str(name) for name in first[0]] if first else []
    if header and header[0] not in ("", key):
        raise DestinationError(f"A1 of the tab holds another word than {key!r}: if it is this sync's own, empty it")
    names = list(dict.fromkeys([key, *header[1:], *(name for each in batch.members for name in each.payload)]))
    taken = {place: str(row[0]) for place, row in enumerate(column, 1) if row and row[0] != "" and place > 1}
    there = {name: place for place, name in taken.items()}
    free = (place for place in count(2) if place not in taken)
    rows: list[tuple[int, list[Any]]] = [(1, [*names])] if names != header else []
    for each in batch.members:
        if batch.removes and each.key in there:
            rows.append((there[each.key], [""] * len(names)))
        elif not batch.removes:  # null leaves a cell as it is
            rows.append((there.get(each.key) or next(free), [each.payload.get(name) for name in names]))
    if rows:
        yield from _enlarged(url, grid, max(place for place, _ in rows), len(names))
        # Raw: a text that looks like a formula stays a text.
        data = [{"range": f"{tab}!A{place}", "values": [cells]} for place, cells in rows]
        yield Request("POST", f"{url}/values:batchUpdate", json={"valueInputOption": "RAW", "data": data})
    return accepted(batch)


def _enlarged(url: str, grid: Mapping[str, Any], rows: int, columns: int) -> Steps[None]:
    size = {"rowCount": rows, "columnCount": columns}
    if any(size[name] > grid["gridProperties"][name] for name in size):
        larger = {name: max(number, grid["gridProperties"][name]) for name, number in size.items()}
        change = {"properties": {"sheetId": grid["sheetId"], "gridProperties": larger}, "fields": _SIZE}
        yield Request("POST", f"{url}:batchUpdate", json={"requests": [{"updateSheetProperties": change}]})


def _grid(account: Account[Settings]) -> Steps[Mapping[str, Any]]:
    asked = address(_url(account.settings), fields="sheets.properties")
    sheets = {each["properties"]["title"]: each for each in (yield Request("GET", asked, harmless=True)).json["sheets"]}
    if account.settings.tab not in sheets:
        raise DestinationError(f"there is no tab {account.settings.tab!r}; there are {', '.join(map(repr, sheets))}")
    found: Mapping[str, Any] = sheets[account.settings.tab]["properties"]
    return found


def _url(own: Settings) -> str:
    return address(own.host, "v4", "spreadsheets", own.spreadsheet_id)


def check(account: Account[Settings]) -> Steps[str]:
    grid = yield from _grid(account)
    return f"the tab {grid['title']!r} is there, with {grid['gridProperties']['rowCount']:,} rows"


DESTINATION = Destination(
    title="Google Sheets",
    docs="https://developers.google.com/workspace/sheets/api/reference/rest/v4/spreadsheets.values",
    settings=Settings,
    modes=frozenset({Mode.INSERT, Mode.UPSERT, Mode.MIRROR}),
    fields=(),
    extra=Field("any", max_length=50_000),  # letters in a cell
    identity=(),
    # 60 requests a minute and user, 2 MB each (.../sheets/api/limits, read 2026-11). One at a time: places are counted.
    limits=Limits(rows=2_000, bytes=2_000_000, row_bytes=1_000_000, rates=(Rate(60, 60),)),
    resend=Resend.SAFE,
    encode=encode,
    push=push,
    login=google_login,
    headers=lambda account: bearer(account.session),
    check=check,
)
