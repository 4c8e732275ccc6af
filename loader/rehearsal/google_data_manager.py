"""A Customer Match list: requests are worked through at the second look, and members are known by hashes.

`odd7@blocked.example` is an invalid member, named by its place; `fake7@blocked.example` is left out later, and only
counted: Google tells no names there.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from loader.rehearsal import google
from loader.rehearsal.fake import Call, Reply
from loader.rehearsal.google import refused

ACCOUNT, LIST = "1234567890", "77"
MAX_MEMBERS, MAX_IDENTIFIERS = 10_000, 10
_HASH = re.compile(r"[0-9a-f]{64}")
_INVALID, _LEFT_OUT = (
    {sha256(f"{name}{n}@blocked.example".encode()).hexdigest() for n in range(1_000)} for name in ("odd", "fake")
)
_KNOWN = {"destinations", "audienceMembers", "encoding", "validateOnly"}


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {**google.settings(url), "account_id": ACCOUNT, "list_id": LIST, "terms": "ACCEPTED"}


class Fake:
    """The list, and what it was asked."""

    def __init__(self) -> None:
        self.people: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, tuple[bool, list[dict[str, str]]]] = {}
        self.looked: set[str] = set()

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        return self.people

    def answer(self, call: Call) -> Reply:
        if (answer := google.admitted(call)) is not None:
            return answer
        match call.method, call.path.removeprefix("/v1/"):
            case "POST", "audienceMembers:ingest":
                return self._take(call.json, removes=False)
            case "POST", "audienceMembers:remove":
                return self._take(call.json, removes=True)
            case "GET", "requestStatus:retrieve" if call.query.get("requestId") in self.asked:
                return Reply(200, {"requestStatusPerDestination": [self._status(call.query["requestId"])]})
        return refused(404, "NOT_FOUND", "Requested entity was not found.")

    def _take(self, body: dict[str, Any], *, removes: bool) -> Reply:
        own = {"operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": ACCOUNT}, "productDestinationId": LIST}
        terms = {} if removes else {"termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"}}
        if body.keys() - {"consent"} != _KNOWN | terms.keys() or body["destinations"] != [own]:
            return refused(400, "INVALID_ARGUMENT", "Invalid JSON payload received.")
        if len(body["audienceMembers"]) > MAX_MEMBERS or not terms.items() <= body.items():
            return refused(400, "INVALID_ARGUMENT", "There was a problem with the request.")
        members = [[*each["userData"]["userIdentifiers"]] for each in body["audienceMembers"]]
        bad = [place for place, each in enumerate(members) if not _valid(each)]
        if bad:
            fields = [f"audience_members.audience_members[{place}].user_data.user_identifiers" for place in bad]
            told = [
                {"field": each, "description": "The identifier is invalid.", "reason": "INVALID"} for each in fields
            ]
            kind = "type.googleapis.com/google.rpc.BadRequest"
            return refused(400, "INVALID_ARGUMENT", "See details.", [{"@type": kind, "fieldViolations": told}])
        name = f"request-{len(self.asked) + 1}"
        if not body["validateOnly"]:
            self.asked[name] = (
                removes,
                [{key: each for one in member for key, each in one.items()} for member in members],
            )
        return Reply(200, {"requestId": name})

    def _status(self, name: str) -> dict[str, Any]:
        if name not in self.looked:
            self.looked.add(name)
            return {"requestStatus": "PROCESSING"}
        removes, members = self.asked[name]
        left_out = [member for member in members if set(member.values()) & _LEFT_OUT]
        for member in members:
            who = member.get("emailAddress") or member["phoneNumber"]
            if removes:
                self.people.pop(who, None)
            elif member not in left_out:
                self.people[who] = member
        if not left_out:
            return {"requestStatus": "SUCCESS"}
        counts = [{"reason": "PROCESSING_ERROR_REASON_INVALID_FORMAT", "recordCount": str(len(left_out))}]
        return {"requestStatus": "PARTIAL_SUCCESS", "errorInfo": {"errorCounts": counts}}


def _valid(member: list[dict[str, str]]) -> bool:
    values = [value for each in member for value in each.values()]
    names = {name for each in member for name in each}
    one_each = all(len(each) == 1 for each in member) and names <= {"emailAddress", "phoneNumber"}
    hashed = all(_HASH.fullmatch(each) and each not in _INVALID for each in values)
    return one_each and hashed and 0 < len(member) <= MAX_IDENTIFIERS
