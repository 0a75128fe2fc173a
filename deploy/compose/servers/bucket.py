"""Make the bucket of MLflow unless it is there, and wait for its store for two minutes."""

import os
import time

import boto3
from botocore.exceptions import ClientError, EndpointConnectionError

BUCKET = "mlflow"


def main(patience: float = 120.0) -> None:
    """Make it; raises where the store does not answer in so many seconds, or lets us not in."""
    store = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
    end = time.monotonic() + patience
    while True:
        try:
            store.create_bucket(Bucket=BUCKET)
        except EndpointConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(1)
        except ClientError as error:
            if error.response["Error"]["Code"] not in (
                "BucketAlreadyOwnedByYou",
                "BucketAlreadyExists",
            ):
                raise
            return
        else:
            return


if __name__ == "__main__":
    main()
