"""Make the secrets of the team set-up: `make secrets`. Those that are there stay as they are.

It needs Python alone: who starts containers has no other package of ours.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Their bytes. Hexadecimal, because some stand in a URL, and none may begin like an option.
_BYTES = {
    "admin_password": 16,
    "airflow_db_password": 32,
    "grafana_password": 16,
    "jwt_secret": 64,
    "ledger_owner_password": 32,
    "ledger_password": 32,
    "ledger_reader_password": 32,
    "metrics_token": 32,
    "mlflow_db_password": 32,
    "mlflow_password": 32,
    "mlflow_reader_password": 16,
    "postgres_password": 32,
    "redis_password": 32,
    "secret_key": 32,
}
# Who may write the store of the service `s3`, and who may read it alone.
_STORE = ("store_writer", "store_reader")
# What the set-up of 0.1 had in `.env`: these keep their value.
_BEFORE = {
    "GATELATCH_ADMIN_PASSWORD": "admin_password",
    "GATELATCH_FERNET_KEY": "fernet_key",
    "GATELATCH_JWT_SECRET": "jwt_secret",
    "GATELATCH_SECRET_KEY": "secret_key",
    "MLFLOW_DB_PASSWORD": "mlflow_db_password",
    "MLFLOW_PASSWORD": "mlflow_password",
    "MLFLOW_READER_PASSWORD": "mlflow_reader_password",
    "POSTGRES_PASSWORD": "postgres_password",
    "REDIS_PASSWORD": "redis_password",
}


def make(folder: Path, before: Path | None = None) -> list[str]:
    """Make what is missing; return the names of what was made.

    Parameters
    ----------
    folder
        where they are: nobody but its owner may enter it
    before
        a file `.env` of an earlier release, whose secrets are taken over
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    # Alertmanager reads its receivers' secrets in it, if there are any.
    (folder / "alertmanager").mkdir(exist_ok=True)
    values = {name: secrets.token_hex(size) for name, size in _BYTES.items()}
    values["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    values |= {name: _aws(name) for name in _STORE}
    values |= _kept(before)
    made = []
    for name, value in values.items():
        file = folder / name
        if file.exists():
            continue
        partial = folder / f".{name}"
        # Left by a run that was killed, it is read-only for its owner, too.
        partial.unlink(missing_ok=True)
        partial.write_text(value)
        # A container's user has another number than the owner here, and the file is all it sees of
        # the folder: so everybody may read it, whom the folder lets through.
        partial.chmod(0o444)
        partial.rename(file)
        made.append(name)
    return made


def _aws(name: str) -> str:
    """Return a file of AWS credentials, which says where, too: other ones may lead elsewhere."""
    return "\n".join(
        [
            "[gatelatch]",
            f"aws_access_key_id = {name}",
            f"aws_secret_access_key = {secrets.token_hex(32)}",
            "endpoint_url = http://s3:8333",
            "region = us-east-1",
        ]
    )


def _kept(before: Path | None) -> dict[str, str]:
    given = settings_in(before) if before is not None else {}
    return {new: given[old] for old, new in _BEFORE.items() if given.get(old)}


def settings_in(file: Path) -> dict[str, str]:
    """Return what a file `.env` sets; nothing if there is none."""
    lines = file.read_text().splitlines() if file.exists() else []
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs}


def folder_in(file: Path) -> Path:
    """Return the folder that compose takes secrets from, with this file `.env`.

    As compose reads it: the environment before the file, an empty value as none, and a relative
    path below the folder of `docker-compose.yaml`.
    """
    given = {**settings_in(file), **os.environ}.get("GATELATCH_SECRETS_DIR") or "secrets"
    return ROOT / Path(given).expanduser()


def main() -> None:
    """Make the secrets that are missing, each in a file of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    said = "where they are [GATELATCH_SECRETS_DIR of the environment or of `.env`, else secrets/]"
    parser.add_argument("--folder", type=Path, help=said)
    said = "the `.env`; secrets that it holds from release 0.1 are taken over"
    parser.add_argument("--before", type=Path, default=ROOT / ".env", help=said)
    asked = parser.parse_args()
    folder = asked.folder or folder_in(asked.before)
    made = make(folder, asked.before)
    print(f"made in {folder}: {', '.join(made)}" if made else f"all are in {folder}")


if __name__ == "__main__":
    main()
