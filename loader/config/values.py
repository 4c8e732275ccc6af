"""How settings are spelled: durations and sizes as values of their own."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


class Duration(timedelta):
    """A length of time; in the file a whole number and a unit: `90s`, `15m`, `12h` or `7d`."""

    @classmethod
    def read(cls, written: object) -> Self:
        """Return the duration written. Raises ValueError."""
        parts = re.fullmatch(r"([0-9]{1,9})([smhd])", written) if isinstance(written, str) else None
        if parts is None or int(parts[1]) * _SECONDS[parts[2]] > 3650 * _SECONDS["d"]:
            raise ValueError(f'{written!r} is no duration of at most ten years; write one like "90s", "15m" or "7d"')
        return cls(seconds=int(parts[1]) * _SECONDS[parts[2]])


@dataclass(frozen=True, slots=True)
class Frequency:
    """At most so many in so many seconds; in the file a number and a duration: `190/10s`, `300/1m`."""

    number: int
    seconds: int

    @classmethod
    def read(cls, written: object) -> Self:
        """Return the frequency written. Raises ValueError."""
        parts = re.fullmatch(r"([1-9][0-9]{0,8}) ?/ ?([0-9]+[smhd])", written) if isinstance(written, str) else None
        seconds = int(Duration.read(parts[2]).total_seconds()) if parts else 0
        if parts is None or not seconds:
            raise ValueError(f'{written!r} is no frequency; write a number and a time like "190/10s" or "300/1m"')
        return cls(int(parts[1]), seconds)


class Size(int):
    """A number of bytes, at least one; in the file a whole number and a unit: `64KB`, `8MB` or `1GB`, of 1024."""

    @classmethod
    def read(cls, written: object) -> Self:
        """Return the size written; an integer is bytes. Raises ValueError."""
        text = f"{written}B" if type(written) is int else written
        parts = re.fullmatch(r"([0-9]{1,15}) ?([KMGT]?B)", text) if isinstance(text, str) else None
        if parts is None or not int(parts[1]):
            raise ValueError(f'{written!r} is no size; write a number of bytes above zero like "64KB", "8MB" or "1GB"')
        return cls(int(parts[1]) * _BYTES[parts[2]])


class Share(float):
    """A part of a whole, between 0 and 1; in the file a percentage: `5%` or `0.5%`."""

    @classmethod
    def read(cls, written: object) -> Self:
        """Return the share written. Raises ValueError."""
        parts = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,6})?) ?%", written) if isinstance(written, str) else None
        if parts is None or float(parts[1]) > 100:
            raise ValueError(f'{written!r} is no share; write a percentage like "5%"')
        return cls(float(parts[1]) / 100)
