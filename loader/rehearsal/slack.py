"""A channel of Slack with an incoming webhook: what was posted stays, and a message that comes twice is there twice.

It answers in words, and says `invalid_payload` to lines with a bell in them.
"""

from collections.abc import Mapping
from typing import Any

from loader.rehearsal.fake import Call, Reply

WEBHOOK = "T00000000/B00000000/rehearsalrehearsal"
SPLIT_AT = 4_000


def settings(url: str) -> dict[str, Any]:
    """Return the settings with which a destination speaks to this fake at `url`."""
    return {"host": url, "webhook": f"https://hooks.slack.com/services/{WEBHOOK}"}


class Fake:
    """The channel."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def held(self) -> Mapping[str, Mapping[str, Any]]:
        """Return line → how often it was posted; the title of each message is left out."""
        lines = [line for message in self.messages for line in message.split("\n")[1:]]
        return {line: {"posted": lines.count(line)} for line in lines}

    def answer(self, call: Call) -> Reply:
        if not call.path.startswith("/services/") or call.path.count("/") != 4:
            return _word(404, "no_team")
        if call.path != f"/services/{WEBHOOK}":
            return _word(403, "invalid_token")
        if call.method != "POST" or call.headers.get("content-type") != "application/json":
            return _word(400, "invalid_payload")
        text = call.json.get("text", "")
        if not text:
            return _word(400, "no_text")
        if "\x07" in text:
            return _word(400, "invalid_payload")
        self.messages += [text[first : first + SPLIT_AT] for first in range(0, len(text), SPLIT_AT)]
        return _word(200, "ok")


def _word(status: int, word: str) -> Reply:
    return Reply(status, headers={"Content-Type": "text/html"}, body=word.encode())
