"""A Twilio account: messages by number, one request each; a message that comes twice is sent twice.

+15005550001 is no number, +15005550009 cannot receive, and whoever ends in 0610 has opted out.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from loader.rehearsal.fake import Call, Reply

ACCOUNT, TOKEN, SENDER = "AC00000000000000000000000000000000", "rehearsal-token", "+15005550006"
MAX_BODY = 1_600


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "account_sid": ACCOUNT, "auth_token": TOKEN, "sender": SENDER}


class Fake:
    """The account."""

    def __init__(self) -> None:
        self.sent: list[dict[str, str]] = []

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """Return number → its messages, in order."""
        return {
            each["To"]: {"sent": [one["Body"] for one in self.sent if one["To"] == each["To"]]} for each in self.sent
        }

    def answer(self, call: Call) -> Reply:
        expected = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if call.headers.get("authorization") != f"Basic {expected}":
            return _error(401, 20003, "Authenticate")
        match call.method, call.path.split("/")[1:]:
            case "GET", ["2010-04-01", "Accounts", name] if name == f"{ACCOUNT}.json":
                return Reply(200, {"sid": ACCOUNT, "friendly_name": "Acme", "status": "active"})
            case "POST", ["2010-04-01", "Accounts", account, "Messages.json"] if account == ACCOUNT:
                return self._message(dict(parse_qsl(call.body.decode())))
        return _error(404, 20404, f"The requested resource {call.path} was not found")

    def _message(self, form: dict[str, str]) -> Reply:
        to, body = form.get("To", ""), form.get("Body", "")
        if form.get("From") != SENDER:
            return _error(400, 21606, f"The From phone number {form.get('From')} is not a valid number of yours")
        if not to.startswith("+") or to == "+15005550001":
            return _error(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        if to == "+15005550009":
            return _error(400, 21614, f"'To' number: {to}, is not a valid mobile number")
        if to.endswith("0610"):
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        if not body:
            return _error(400, 21602, "Message body is required.")
        if len(body) > MAX_BODY:
            return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
        self.sent.append({"To": to, "Body": body})
        return Reply(201, {"sid": f"SM{len(self.sent):032d}", "status": "queued", "error_code": None})


def _error(status: int, code: int, message: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Reply(status, {"code": code, "message": message, "more_info": more, "status": status})
