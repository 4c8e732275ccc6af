"""How to reach a bucket: the same for sources, staging and a lake."""

from loader.core.settings import Record, Secret


class Access(Record, frozen=True):
    """How to reach a bucket. What is not set comes from the environment, a profile or the machine's role."""

    endpoint: str | None = None  # of a compatible service; http:// is allowed
    region: str | None = None
    access_key_id: Secret | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    path_style: bool | None = None  # false puts the bucket into the host name
    profile: str | None = None  # of ~/.aws/config; needs boto3
    kms_key_id: str | None = None  # encrypts what we write
    service_account_file: str | None = None  # gs:// only, as all above but `endpoint` is for s3://; made absolute
