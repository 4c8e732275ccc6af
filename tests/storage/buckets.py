"""A bucket of each service, empty, for the tests that hold for both: its settings, and ways to look past our client."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from standins import gcs, s3, seaweedfs
from standins.gcs.tokens import Keys

from loader.config import Access, Secret
from loader.core.objects import Store
from loader.storage import connect

KINDS = ("s3", "gs")
NAME = "events"
SECRETS = ("AKIDKEY", "verysecret", "thetoken", "PRIVATE KEY", "Bearer")


@dataclass(frozen=True, slots=True)
class Service:
    """A running stand-in of one kind."""

    kind: str
    access: Access
    put: Callable[[str, bytes], None]  # under a key that our own client might refuse

    @property
    def endpoint(self) -> str:
        assert self.access.endpoint is not None
        return self.access.endpoint

    def toml(self, *, endpoint: str | None = None) -> str:
        """Return the settings as they are written, perhaps of another address."""
        found = {name: getattr(self.access, name) for name in Access.__struct_fields__}
        found |= {"endpoint": endpoint or self.access.endpoint}
        spelled = {name: each.reveal() if isinstance(each, Secret) else each for name, each in found.items() if each}
        return "{ " + ", ".join(f'{name} = "{each}"' for name, each in spelled.items()) + " }"

    def store(self, prefix: str, *, endpoint: str | None = None) -> Store:
        """Return a store of ours at a prefix of the bucket, perhaps behind another address."""
        fields = {name: getattr(self.access, name) for name in Access.__struct_fields__}
        access = Access(**{**fields, "endpoint": endpoint or self.access.endpoint})
        return connect(f"{self.kind}://{NAME}/{prefix}", access=access, base=Path())


def on(server: seaweedfs.Server) -> Service:
    """Return a service on a SeaweedFS that is running."""
    key, secret = Secret(seaweedfs.KEY), Secret(seaweedfs.SECRET)
    access = Access(endpoint=server.endpoint, region=seaweedfs.REGION, access_key_id=key, secret_access_key=secret)
    return Service("s3", access, server.put)


def open_to_all(cloud: gcs.Cloud) -> Service:
    """Return a service on a Cloud Storage that is running and asks nobody who he is."""
    return Service("gs", Access(endpoint=cloud.endpoint), lambda key, data: cloud.put(NAME, key, data))


@contextmanager
def running(kind: str, folder: Path, *more: str) -> Iterator[Service]:
    """Yield a service with the bucket, and `more` of them; `folder` keeps its key file, where it has one."""
    if kind == "gs":
        keys = Keys()
        file = keys.write(folder / "account.json")
        with gcs.serve(NAME, *more, keys=keys) as cloud:
            access = Access(endpoint=cloud.endpoint, service_account_file=str(file))
            yield Service(kind, access, lambda key, data: cloud.put(NAME, key, data))
        return
    with s3.serve(NAME, *more) as endpoint:
        access = Access(
            endpoint=endpoint,
            region=s3.REGION,
            access_key_id=Secret("AKIDKEY"),
            secret_access_key=Secret("verysecret"),
            session_token=Secret("thetoken"),
        )
        yield Service(kind, access, lambda key, data: s3.put(endpoint, key, data, bucket=NAME))
