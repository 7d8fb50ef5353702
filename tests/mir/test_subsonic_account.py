"""The account of players: who can read it, who gets in, and what the command line does with it."""

from __future__ import annotations

import json
import os
import stat

import pytest
import typer
from command import invoke

from mir.cli import subsonic
from mir.errors import BadRequest
from mir.subsonic.account import Account, AccountRefused, Accounts, admit
from mir.subsonic.answers import Code, Refused
from mir.subsonic.params import Params


@pytest.fixture
def accounts(tmp_path):
    return Accounts(tmp_path / "mir" / "subsonic.json")


@pytest.fixture
def app(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = typer.Typer()
    subsonic.register(made)
    made.command("other")(lambda: None)
    return made


def refused(account, **params):
    with pytest.raises(Refused) as error:
        admit(Params(params), account)
    return error.value.code


def token(password, salt):
    from hashlib import md5

    return md5((password + salt).encode(), usedforsecurity=False).hexdigest()


def test_the_secret_is_made_once_and_is_its_owners_alone(accounts, tmp_path):
    assert not accounts.exists()
    old = os.umask(0)
    try:
        account = accounts.account()
    finally:
        os.umask(old)
    assert accounts.account() == account
    assert stat.S_IMODE(accounts.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(accounts.path.parent.stat().st_mode) == 0o700
    assert len(account.password) == 23
    assert Accounts(tmp_path / "other.json").account().password != account.password
    assert account.password not in repr(account)
    assert [path.name for path in accounts.path.parent.iterdir()] == ["subsonic.json"]


def test_what_another_process_changes_counts_at_once(accounts):
    first = accounts.account()
    second = Accounts(accounts.path).renew_password()
    assert second.password != first.password
    assert accounts.account() == second


def test_keys_are_kept_as_checksums_and_can_be_taken_back(accounts):
    made = accounts.add_key("Feishin")
    assert made not in accounts.path.read_text()
    assert [key.name for key in accounts.account().keys] == ["Feishin"]
    admit(Params({"apiKey": made}), accounts.account())
    with pytest.raises(BadRequest, match="already"):
        accounts.add_key("Feishin")
    with pytest.raises(BadRequest, match="named with"):
        accounts.add_key("\n")
    with pytest.raises(BadRequest, match="Feishin"):
        accounts.revoke("Symfonium")
    accounts.renew_password()
    admit(Params({"apiKey": made}), accounts.account())
    accounts.revoke("Feishin")
    assert refused(accounts.account(), apiKey=made) is Code.WRONG_KEY


def test_a_file_that_others_can_read_or_that_is_damaged_is_refused(accounts):
    accounts.account()
    accounts.path.chmod(0o640)
    with pytest.raises(AccountRefused, match="chmod 600"):
        accounts.account()
    accounts.path.chmod(0o600)
    for text in ("", "[]", '{"format": 2}', '{"format": 1, "user": "mir", "password": "", "keys": []}', "\0"):
        accounts.path.write_text(text)
        with pytest.raises(AccountRefused, match="move it away"):
            accounts.account()


def test_who_is_let_in():
    account = Account("right-horse")
    for salt in ("sixsix", "a much longer salt ☃"):
        admit(Params({"u": "mir", "t": token("right-horse", salt), "s": salt}), account)
    admit(Params({"u": "mir", "t": token("right-horse", "sixsix").upper(), "s": "sixsix"}), account)
    fine = {"u": "mir", "t": token("right-horse", "sixsix"), "s": "sixsix"}
    for missing in fine:
        assert refused(account, **{name: value for name, value in fine.items() if name != missing}) is Code.MISSING
        assert refused(account, **{**fine, missing: ""}) is Code.MISSING
    assert refused(account, **{**fine, "u": "admin"}) is Code.WRONG_LOGIN
    assert refused(account, **{**fine, "t": "0" * 32}) is Code.WRONG_LOGIN
    assert refused(account, **{**fine, "t": "é\0"}) is Code.WRONG_LOGIN
    assert refused(account, **{**fine, "s": "sixsiy"}) is Code.WRONG_LOGIN
    assert refused(account, u="mir", t=token("right-horse", "short"), s="short") is Code.WRONG_LOGIN


def test_a_password_as_it_is_opens_nothing():
    account = Account("right-horse")
    assert refused(account, u="mir", p="right-horse") is Code.MECHANISM
    assert refused(account, u="mir", p="enc:" + b"right-horse".hex()) is Code.MECHANISM
    assert refused(account, u="mir", p="right-horse", t=token("right-horse", "sixsix"), s="sixsix") is Code.CONFLICT


def test_a_key_comes_alone(accounts):
    made = accounts.add_key("one")
    accounts.add_key("two")
    account = accounts.account()
    for more in ({"u": "mir"}, {"t": "0"}, {"s": "0"}, {"p": "0"}):
        assert refused(account, apiKey=made, **more) is Code.CONFLICT
    for wrong in ("", made[:-1], account.keys[0].sha256):
        assert refused(account, apiKey=wrong) is Code.WRONG_KEY


def test_the_commands(app, tmp_path):
    code, out, _ = invoke(app, "subsonic", "password", "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["user"] == "mir"
    assert shown["file"] == str(tmp_path / "mir" / "subsonic.json")
    assert invoke(app, "subsonic", "password")[1].split() == ["user", "password", "mir", shown["password"]]
    assert json.loads(invoke(app, "subsonic", "password", "--new", "--json")[1])["password"] != shown["password"]
    made = json.loads(invoke(app, "subsonic", "key", "telephone", "--json")[1])
    admit(Params({"apiKey": made["api_key"]}), Accounts().account())
    code, out, said = invoke(app, "subsonic", "key", "car")
    assert (code, out.split()[2]) == (0, "car")
    assert "cannot be shown again" in said
    listed = [json.loads(line)["name"] for line in invoke(app, "subsonic", "keys", "--json")[1].splitlines()]
    assert listed == ["telephone", "car"]
    code, out, said = invoke(app, "subsonic", "revoke", "telephone")
    assert (code, out) == (0, "")
    assert "telephone" in said
    assert "telephone" not in invoke(app, "subsonic", "keys")[1]
    code, _, said = invoke(app, "subsonic", "revoke", "telephone")
    assert code == 2
    assert "car" in said
