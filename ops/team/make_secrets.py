"""Make the secrets of the team set-up: `make secrets`. Those that are there stay as they are.

It needs Python alone: who starts containers has no other package of ours.
"""

from __future__ import annotations

import argparse
import base64
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
    if before is None or not before.exists():
        return {}
    lines = [line.split("=", 1) for line in before.read_text().splitlines() if "=" in line]
    given = {name.strip(): value.strip().strip("'\"") for name, value in lines}
    return {new: given[old] for old, new in _BEFORE.items() if given.get(old)}


def main() -> None:
    """Make the secrets that are missing, each in a file of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "secrets", help="where they are")
    parser.add_argument("--before", type=Path, default=ROOT / ".env", help="an earlier `.env`")
    asked = parser.parse_args()
    made = make(asked.folder, asked.before)
    print(f"made in {asked.folder}: {', '.join(made)}" if made else f"all are in {asked.folder}")


if __name__ == "__main__":
    main()
