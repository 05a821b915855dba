# Copyright (c) 2026, hpc.slurm_jwt contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import os
import random
import time
import uuid

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.hs256 import (
    MAX_SIZE,
    MIN_SIZE,
    fingerprint,
    generate,
    not_a_key,
    remark,
    weakness,
)
from ansible_collections.hpc.slurm_jwt.plugins.module_utils._keys.record import (
    KeyRecord,
    format_record,
    format_time,
    parse_record,
    parse_time,
    record_path,
)

GOOD = bytes.fromhex("8e0bd5ff1d2b7c6a90e43f5a6677c8b9aa0b1c2d3e4f5061728394a5b6c7d8e9")
PEM = b"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----\n"
TOKEN = b"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE3MDAwMDAwMDAsInN1biI6Im9vZCJ9.c2lnbmF0dXJl"


def random_bytes(seed: int, size: int = 32) -> bytes:
    return random.Random(seed).getrandbits(8 * size).to_bytes(size, "big")


def test_a_generated_key_is_random_and_good() -> None:
    keys = {generate() for _number in range(500)}
    assert len(keys) == 500
    assert {len(key) for key in keys} == {MIN_SIZE}
    assert len(generate(64)) == 64


def test_the_fingerprint_is_what_sha256sum_prints() -> None:
    assert fingerprint(GOOD) == "SHA256:" + hashlib.sha256(GOOD).hexdigest()


class TestGoodKeys:
    """Whatever a random generator wrote, in any of the ways in which people write it, is never refused."""

    @pytest.mark.parametrize("size", [32, 33, 48, 64, 128, 4096])
    @pytest.mark.parametrize(
        "form",
        [
            bytes,
            lambda data: data.hex().encode(),
            lambda data: data.hex().upper().encode() + b"\n",
            base64.b64encode,
            lambda data: base64.b64encode(data) + b"\n",
            lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
            base64.b32encode,
            base64.encodebytes,  # as openssl rand -base64 wraps it
        ],
    )
    def test_in_any_form(self, size: int, form: object) -> None:
        for seed in range(60 if size < 100 else 5):
            key = form(random_bytes(seed, size))  # type: ignore[operator]
            if len(key) <= MAX_SIZE:
                assert weakness(key) is None, key

    @given(st.integers(min_value=0))
    def test_raw_keys_give_no_cause_for_a_remark(self, seed: int) -> None:
        assert remark(random_bytes(seed)) is None

    def test_hexadecimal_of_16_bytes_passes_with_a_remark(self) -> None:
        for seed in range(300):
            key = random_bytes(seed, 16).hex().encode()
            assert weakness(key) is None
            assert "is text (hexadecimal digits) worth about 128 bits" in str(remark(key))

    def test_hexadecimal_and_base64_of_32_bytes_pass_without(self) -> None:
        assert remark(GOOD.hex().encode()) is None
        assert remark(base64.b64encode(GOOD)) is None

    def test_a_newline_at_the_end_is_worth_a_remark(self) -> None:
        assert "the newline is part of the key" in str(remark(GOOD.hex().encode() + b"\n"))

    def test_a_long_random_password(self) -> None:
        letters = "".join(chr(code) for code in range(33, 127))
        for seed in range(300):
            key = "".join(random.Random(seed).choices(letters, k=43)).encode()
            assert weakness(key) is None, key

    def test_many_diceware_words(self) -> None:
        words = b"unfold clasp rising bogus sixtieth jovial plaza remix oat kiln vocal dreamt upstart"
        assert weakness(words) is None
        assert "is text (words) worth about" in str(remark(words))


class TestWeakKeys:
    @pytest.mark.parametrize(
        ("key", "said"),
        [
            (b"", "is empty, and Slurm's daemons do not start"),
            (b"x", "has 1 bytes only"),
            (GOOD[:31], "has 31 bytes only; an HS256 key has 32 at least"),
            (GOOD[:16] * 2, "is the same 16 bytes over and over"),
            (b"\0" * 32, "is one byte over and over"),
            (b"a" * 4096, "is one byte over and over"),
            (b"\n" * 40, "is one byte over and over"),
            (bytes(range(32)), "is a plain sequence"),
            (bytes(range(200, 256)) + bytes(range(40)), "is a plain sequence"),
            (bytes(range(0, 256, 4)), "is a plain sequence"),
            (GOOD[:8] + b"\0" * 56, "consists of 9 different bytes only"),
            (b"ab" * 15 + b"ba" * 15, "consists of 2 different bytes only"),
            (b"ThisIsMySuperSecretSlurmJwtKeyForCluster", "is text (words) worth about 80 bits; 128 is the least"),
            (b"correct horse battery staple correct horse", "is text (words)"),
            (b"change-me-please-change-me-please-now\n", "is text (words)"),
            ("Schlüssel für den größten Cluster überhaupt".encode(), "is text (words)"),
            (b"REPLACETHISBEFOREPRODUCTIONORELSE", "is text (words)"),
            (b"31415926535897932384626433832795", "is text (decimal digits) worth about 105 bits"),
            (str(uuid.UUID(bytes=GOOD[:16])).encode(), "is text (a UUID) worth about 122 bits"),
        ],
    )
    def test_are_named(self, key: bytes, said: str) -> None:
        assert said in str(weakness(key))

    def test_a_long_key_made_of_a_good_one_twice_is_as_good_as_that_one(self) -> None:
        assert weakness(GOOD * 2) is None


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (PEM, "is a PEM file (PUBLIC KEY), not an HS256 key"),
            (PEM.replace(b"PUBLIC", b"RSA PRIVATE"), "is a PEM file (RSA PRIVATE KEY)"),
            (b"subject=CN = x\n\n" + PEM, "is a PEM file"),
            (PEM.replace(b"\n", b"\r\n"), "is a PEM file"),
            (b"-----BEGIN CERTIFICATE-----", "is a PEM file (CERTIFICATE)"),
            (b"\x30\x82\x01\x00" + os.urandom(256), "is an RSA key or a certificate (DER)"),
            (b"\x30\x81\x80" + os.urandom(128), "is an RSA key or a certificate (DER)"),
            (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGq5rJ9 me@here\n", "is an SSH public key"),
            (b'{"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0"}', "is JSON, perhaps a JWK"),
            (b'  [\n "keys"\n]\n', "is JSON"),
            (b"<!DOCTYPE html>\n<html>Sign in</html>", "is an HTML or XML page"),
            (b"$ANSIBLE_VAULT;1.1;AES256\n6162", "is a file that is still encrypted by Ansible Vault"),
            (TOKEN, "is a token"),
            (b"SLURM_JWT=" + TOKEN + b"\n", "is a token"),
            (b"ClusterName=a\nSlurmctldHost=ctl1\n", "is text of several lines, perhaps a configuration file"),
            (GOOD * 129, "has 4128 bytes, which is no HS256 key (4096 at most)"),
        ],
    )
    def test_are_named(self, data: bytes, said: str) -> None:
        assert said in str(not_a_key(data))
        assert weakness(data) == not_a_key(data)

    @given(st.binary(min_size=32, max_size=64))
    def test_no_bytes_whatsoever_make_it_stumble(self, data: bytes) -> None:
        for judge in (not_a_key, weakness, remark):
            said = judge(data)
            assert said is None or said.split()[0] in ("is", "has", "consists")

    @given(st.text(max_size=200))
    @example("\ufeff")
    @example("[" * 3000)
    def test_no_text_either(self, text: str) -> None:
        weakness(text.encode("utf-8", "surrogatepass"))
        remark(text.encode("utf-8", "surrogatepass"))

    def test_no_judgement_quotes_the_key(self) -> None:
        for data in (b"hunter2-hunter2", b"correct horse battery staple now", b"{" + b'"a": 1' + b"}", TOKEN):
            said = f"{not_a_key(data)} {weakness(data)} {remark(data)}"
            assert not any(part in said for part in ("hunter2", "horse", '"a"', "eyJ"))

    def test_judging_takes_no_time(self) -> None:
        began = time.process_time()
        weakness(b"ab" * 2047 + b"c")
        weakness(os.urandom(MAX_SIZE))
        assert time.process_time() - began < 0.2


class TestRecord:
    RECORD = KeyRecord("2026-11", 1795405500, fingerprint(GOOD))

    def test_is_a_file_that_people_can_read(self) -> None:
        assert format_record(self.RECORD).decode() == (
            '{\n  "serial": "2026-11",\n  "created": "2026-11-23T03:45:00Z",\n'
            f'  "fingerprint": "{fingerprint(GOOD)}"\n}}\n'
        )

    @given(st.none() | st.text(), st.integers(min_value=0, max_value=2**37))
    def test_comes_back_as_it_was(self, serial: str | None, created: int) -> None:
        record = KeyRecord(serial, created, fingerprint(GOOD))
        assert parse_record(format_record(record)) == record

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\xff\xfe",
            b"null",
            b"[]",
            b"{}",
            b'"text"',
            format_record(RECORD)[:-40],
            format_record(RECORD).replace(b'"2026-11"', b"5"),
            format_record(RECORD).replace(b"T03", b"T99"),
            format_record(RECORD).replace(b'"2026-11-23T03:45:00Z"', b"1795405500"),
            b'{"serial": null, "created": "2026-11-23T03:45:00Z", "fingerprint": null}',
            b"[" * 500,
        ],
    )
    def test_what_is_none(self, data: bytes) -> None:
        assert parse_record(data) is None

    def test_lies_beside_the_key(self) -> None:
        assert record_path("/etc/slurm/jwt.key") == "/etc/slurm/jwt.key.record"


class TestTime:
    @pytest.mark.parametrize(
        "text",
        ["2026-11-23T03:45:00Z", "2026-11-23 03:45:00Z", "2026-11-23T03:45:00+00:00", "2026-11-23 03:45:00+00:00"],
    )
    def test_as_written_and_as_yaml_gives_it_back(self, text: str) -> None:
        assert parse_time(text) == 1795405500
        assert format_time(1795405500) == "2026-11-23T03:45:00Z"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "now",
            "1795405500",
            "2026-11-23",
            "2026-13-23T03:45:00Z",
            "2026-11-23T03:45:00",
            "2026-11-23T03:45:00+01:00",
        ],
    )
    def test_anything_else(self, text: str) -> None:
        with pytest.raises(ValueError):
            parse_time(text)
