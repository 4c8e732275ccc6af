"""A spreadsheet with one tab of four rows and two columns: who writes beyond that must make it larger first."""

import re
from collections.abc import Mapping
from typing import Any

from loader.rehearsal import google
from loader.rehearsal.fake import Call, Reply
from loader.rehearsal.google import refused

SPREADSHEET, TAB = "1AbC", "People's list"
MAX_LETTERS = 50_000
_PLACE = re.compile(r"'People''s list'!A(\d+)")


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {**google.settings(url), "spreadsheet_id": SPREADSHEET, "tab": TAB}


class Fake:
    """The spreadsheet."""

    def __init__(self) -> None:
        self.cells: list[list[Any]] = [[""] * 2 for _ in range(4)]

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        names = self.cells[0][1:]
        rows = {row[0]: dict(zip(names, row[1:], strict=True)) for row in self.cells[1:] if row[0] != ""}
        return {key: {name: value for name, value in row.items() if name != ""} for key, row in rows.items()}

    def answer(self, call: Call) -> Reply:
        if (answer := google.admitted(call)) is not None:
            return answer
        match call.method, call.path.removeprefix(f"/v4/spreadsheets/{SPREADSHEET}"):
            case "GET", "":
                size = {"rowCount": len(self.cells), "columnCount": len(self.cells[0])}
                return Reply(200, {"sheets": [{"properties": {"sheetId": 0, "title": TAB, "gridProperties": size}}]})
            case "GET", "/values:batchGet" if call.query["ranges"] == "'People''s list'!A:A":  # the first range was 1:1
                ranges = ([_trimmed(self.cells[0])], _trimmed([row[:1] if row[0] != "" else [] for row in self.cells]))
                return Reply(200, {"valueRanges": [{"values": each} if any(each) else {} for each in ranges]})
            case "POST", ":batchUpdate":
                size = call.json["requests"][0]["updateSheetProperties"]["properties"]["gridProperties"]
                self._resize(size["rowCount"], size["columnCount"])
                return Reply(200, {"replies": [{}]})
            case "POST", "/values:batchUpdate" if call.json["valueInputOption"] == "RAW":
                return self._write(call.json["data"])
        return refused(404, "NOT_FOUND", "Requested entity was not found.")

    def _resize(self, rows: int, columns: int) -> None:
        wider = [[*row, *[""] * (columns - len(row))][:columns] for row in self.cells]
        self.cells = [*wider, *([""] * columns for _ in range(rows - len(wider)))][:rows]

    def _write(self, data: list[dict[str, Any]]) -> Reply:
        """Write all, or nothing."""
        writes: list[tuple[int, list[Any]]] = []
        for each in data:
            place, (cells,) = _PLACE.fullmatch(each["range"]), each["values"]
            if place is None:
                return refused(400, "INVALID_ARGUMENT", f"Unable to parse range: {each['range']}")
            if int(place[1]) > len(self.cells) or len(cells) > len(self.cells[0]):
                return refused(400, "INVALID_ARGUMENT", "Range exceeds grid limits.")
            if any(isinstance(cell, list | dict) or len(str(cell)) > MAX_LETTERS for cell in cells):
                return refused(
                    400, "INVALID_ARGUMENT", "Invalid values: your input contains more than 50000 characters."
                )
            writes.append((int(place[1]) - 1, cells))
        for row, cells in writes:
            for column, cell in enumerate(cells):
                if cell is not None:
                    self.cells[row][column] = cell
        return Reply(200, {"totalUpdatedRows": len(writes)})


def _trimmed(values: list[Any]) -> list[Any]:
    """Return the values without the empty ones at the end, which the tool never tells."""
    while values and values[-1] in ("", []):
        values = values[:-1]
    return values
