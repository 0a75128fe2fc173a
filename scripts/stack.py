"""What a stack for a team on one machine needs beside its files.

    python -m scripts.stack prepare FOLDER HOST
    python -m scripts.stack check

`prepare` makes passwords, a certificate and the rules once, in a folder that nobody else can look
into; a second call keeps what is there. `check` says what is wrong with deploy/compose.
"""

import base64
import datetime
import ipaddress
import json
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = ROOT / "deploy" / "compose"
FILES = ("compose.yaml", "service.yaml")
USER = "sluice"  # of the registry and of the git server
_PINNED = re.compile(r"[a-z0-9.-]+(/[a-z0-9._-]+)+:[\w.-]+@sha256:[0-9a-f]{64}")
_OWN = "localhost/sluice-servers"  # built here, from a base that is pinned and packages by hash
_GIVEN = re.compile(r"\$\{SERVICE_IMAGE:\?[^}]+\}")
_SECRET = re.compile(r"(?<!HT)PASSW|SECRET|TOKEN|ACCESS_KEY|CONNECTION_URL|STORE_URI")
_FOLDER = re.compile(r"\$\{STACK_FOLDER(:\?[^}]*)?\}/(.+)")
_ASKS_FOR_A_LOGIN = {"registry", "git"}  # by TLS: these alone may listen for other machines
_YEARS = 5  # of the certificate


def prepare(folder: Path, host: str) -> None:
    """Make what is not there: logins, certificate for `host`, rules, and the settings of Sluice.

    Files that processes in containers read under users of their own are readable in a folder that
    is this user's alone.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    (folder / "written").mkdir(exist_ok=True)
    if not (folder / "sluice.env").exists():
        _certificate(folder / "tls", host)
        _logins(folder, host)
    _rules(folder / "rules.yaml")
    shutil.copytree(COMPOSE / "servers", folder / "servers", dirs_exist_ok=True)


def _logins(folder: Path, host: str) -> None:
    import bcrypt

    made = {name: secrets.token_urlsafe(24) for name in ("prefect", "mlflow", "git", "login")}
    hashed = bcrypt.hashpw(made["login"].encode(), bcrypt.gensalt(10)).decode()
    _write(folder / "htpasswd", f"{USER}:{hashed}\n", 0o444)
    key, secret = secrets.token_hex(10), secrets.token_urlsafe(30)
    identity = {
        "name": "mlflow",
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    _write(folder / "s3.json", json.dumps({"identities": [identity]}, indent=1) + "\n", 0o444)
    at = "@postgres:5432"
    _settings(
        folder / "postgres.env",
        POSTGRES_PASSWORD=secrets.token_urlsafe(24),
        **{f"{name.upper()}_PASSWORD": made[name] for name in ("prefect", "mlflow", "git")},
    )
    database = f"postgresql+asyncpg://prefect:{made['prefect']}{at}/prefect"
    _settings(folder / "prefect.env", PREFECT_API_DATABASE_CONNECTION_URL=database)
    _settings(
        folder / "mlflow.env",
        MLFLOW_BACKEND_STORE_URI=f"postgresql+psycopg2://mlflow:{made['mlflow']}{at}/mlflow",
        AWS_ACCESS_KEY_ID=key,
        AWS_SECRET_ACCESS_KEY=secret,
    )
    _settings(folder / "registry.env", REGISTRY_HTTP_SECRET=secrets.token_urlsafe(24))
    _settings(
        folder / "git.env",
        GITEA__database__PASSWD=made["git"],
        GITEA__security__SECRET_KEY=secrets.token_urlsafe(32),
    )
    _settings(folder / "grafana.env", GF_SECURITY_ADMIN_PASSWORD=secrets.token_urlsafe(18))
    login = base64.b64encode(f"{USER}:{made['login']}".encode()).decode()
    kept = {"auths": {f"{host}:5443": {"auth": login}}}
    _write(folder / "auth.json", json.dumps(kept, indent=1) + "\n", 0o600)
    _settings(folder / "stack.env", STACK_FOLDER=str(folder), STACK_HOST=host)
    # The last one: a folder without it was not finished, and is made anew.
    _settings(
        folder / "sluice.env",
        REGISTRY_AUTH_FILE=str(folder / "auth.json"),
        SLUICE_CA=str(folder / "tls" / "ca.crt"),
        SLUICE_GIT_USER=USER,
        SLUICE_MANIFESTS=f"https://{host}:3443/{USER}/manifests.git",
        SLUICE_REGISTRY=f"{host}:5443/team",
        SLUICE_TRACKING_URI="http://127.0.0.1:5000",
        PREFECT_API_URL="http://127.0.0.1:4200/api",
    )


def _settings(file: Path, **values: str) -> None:
    _write(file, "".join(f"{name}={value}\n" for name, value in values.items()), 0o600)


def _write(file: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, never readable to more people than it is meant for."""
    part = file.with_name(f".{file.name}")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.chmod(mode)
    part.replace(file)


def _certificate(folder: Path, host: str) -> None:
    """An authority of its own, and a certificate by it for `host` and this machine."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    folder.mkdir(exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    until = now + datetime.timedelta(days=365 * _YEARS)

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def begun(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(named(subject))
            .issuer_name(named("Sluice stack"))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(until)
        )

    authority, server = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    root = (
        begun("Sluice stack", authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(authority.public_key()), critical=False
        )
        .sign(authority, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    leaf = (
        begun(host, server)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(list(dict.fromkeys(names))), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(by, critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = server.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The key of the authority is kept nowhere: it signs this one certificate.
    _write(folder / "ca.crt", root.public_bytes(pem).decode(), 0o444)
    _write(folder / "server.crt", leaf.public_bytes(pem).decode(), 0o444)
    _write(folder / "server.key", private.decode(), 0o444)


def _rules(file: Path) -> None:
    """The alerts on what `sluice monitor` writes, without what the operator needs around them."""
    import yaml

    text = (ROOT / "deploy" / "prometheus" / "monitor.yaml").read_text(encoding="utf-8")
    groups = yaml.safe_load(text)["spec"]["groups"]
    _write(file, yaml.safe_dump({"groups": groups}, sort_keys=False), 0o444)


def wrong(folder: Path = COMPOSE) -> Iterator[str]:
    """A sentence for each thing that is wrong with the files of the stack."""
    import yaml

    for name in FILES:
        document = yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        for service, what in document["services"].items():
            for sentence in _wrong_in(service, what, folder):
                yield f"{name}: {service}: {sentence}"
    base = (folder / "servers" / "Containerfile").read_text(encoding="utf-8")
    for image in re.findall(r"(?m)^FROM (\S+)", base):
        if not _PINNED.fullmatch(image):
            yield f"servers/Containerfile: {image} has no digest"


def _wrong_in(service: str, what: dict[str, Any], folder: Path) -> Iterator[str]:
    image = what["image"]
    if not (_PINNED.fullmatch(image) or _GIVEN.fullmatch(image) or image == _OWN):
        yield f"the image is {image}; a tag and a digest are required"
    for name, value in (what.get("environment") or {}).items():
        if _SECRET.search(name) and value:
            yield f"{name} has a value here; it belongs into a file that make stack makes"
    for place in what.get("ports", []):
        if service not in _ASKS_FOR_A_LOGIN and not place.startswith("127.0.0.1:"):
            yield f"port {place} is open to other machines, and it asks nobody who they are"
    for volume in what.get("volumes", []):
        source = volume.partition(":/")[0]
        if source.startswith(".") and not (folder / source).exists():
            yield f"{source} is no file"
    for file in what.get("env_file", []):
        if not _FOLDER.fullmatch(file):
            yield f"{file} is not in the folder that make stack makes"


def main(words: list[str]) -> int:
    """`prepare FOLDER HOST` or `check`; 0 done, 1 something is wrong, 2 usage."""
    if words == ["check"]:
        found = list(wrong())
        for sentence in found:
            print(f"Error: {sentence}", file=sys.stderr)
        return 1 if found else 0
    if len(words) == 3 and words[0] == "prepare":
        folder = Path(words[1]).absolute()
        prepare(folder, words[2])
        start = f"--env-file {folder}/stack.env --file {COMPOSE}/compose.yaml"
        print(f"The stack is in {folder}; its passwords are in the files *.env there. Now type:")
        print(f"  podman compose {start} up --build --detach")
        print(f"  set -a; . {folder}/sluice.env; set +a; .venv/bin/sluice doctor")
        return 0
    print("Error: write `prepare FOLDER HOST`, or `check`", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
