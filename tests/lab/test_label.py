"""What a frame is called: of HTTP the first line, and what it is about."""

import json

import pytest

from lab.label import said

PUT = b"PUT /reservations/o-1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\nContent-Length: 34\r\n\r\n"
CREATED = b"HTTP/1.1 201 CREATED\r\nContent-Length: 23\r\n\r\n"
PROBLEM = {"type": "urn:seven-eras:out_of_stock", "status": 409, "outcome": "out_of_stock"}


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (PUT, "PUT /reservations/o-1"),
        (PUT + b'{"sku": "sku-0001", "quantity": 2}', "PUT /reservations/o-1 sku-0001 2"),
        (PUT + b'{"sku":"sku-0001","quantity":2}', "PUT /reservations/o-1 sku-0001 2"),
        (PUT[:20], "PUT /reservations/o-"),
        (CREATED, "201 created"),
        (CREATED + b'{"outcome": "reserved"}', "201 reserved"),
        (CREATED + b'{"outcome":"reserved"}', "201 reserved"),
        (b"HTTP/1.1 409 CONFLICT\r\n\r\n" + json.dumps(PROBLEM).encode(), "409 out_of_stock"),
        (b"HTTP/1.0 204", "204"),
        (b'{"outcome":"reserved"}', "reserved"),
        (b'\0\0\0\x17{"outcome": "reserved"}', "reserved"),
        (b"GET that is no HTTP", "GET that"),
        (b"\xff\xfe", "2 bytes"),
    ],
)
def test_a_message_is_told_by_what_it_says(frame, told):
    assert said(frame, len(frame)) == told


def test_a_long_message_tells_its_size():
    assert said(b'{"outcome": "catalogue", "pro', 400_000) == "catalogue… 400,000 bytes"


def test_of_what_is_encrypted_only_its_kind_can_be_told():
    assert said(bytes.fromhex("1603010200010001"), 517) == "TLS handshake, 517 bytes"
    assert said(bytes.fromhex("17030300451234"), 331) == "TLS record, 331 bytes"
