"""Checksums that are put together from parts, against those of the whole."""

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lithoscope_store.checksums import crc32c, joined_crc32c


def test_the_checksum_is_the_published_one() -> None:
    # RFC 3720, appendix B.4: 32 bytes of zeros, of ones, and counting up.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_two_parts_have_the_checksum_of_the_whole(first: bytes, second: bytes) -> None:
    joined = joined_crc32c(crc32c(first), crc32c(second), len(second))

    assert joined == google_crc32c.value(first + second)


@pytest.mark.parametrize("n_bytes", [2**20 - 1, 2**20, 10_027_008])
def test_long_parts_are_joined_too(n_bytes: int) -> None:
    second = bytes(n_bytes - 1) + b"x"

    assert joined_crc32c(crc32c(b"abc"), crc32c(second), n_bytes) == crc32c(b"abc" + second)
