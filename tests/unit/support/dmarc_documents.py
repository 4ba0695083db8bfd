"""Aggregate reports of others for the tests, as XML and in what carries it."""

import base64
import io
import struct
import zipfile
import zlib

RFC_7489 = b"""<?xml version="1.0" encoding="UTF-8" ?>
<feedback>
  <report_metadata>
    <org_name>Big Mail</org_name>
    <email>noreply@big.example</email>
    <extra_contact_info>https://big.example/dmarc</extra_contact_info>
    <report_id>1234567890</report_id>
    <date_range><begin>1727913600</begin><end>1727999999</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>Example.com</domain>
    <adkim>r</adkim><aspf>r</aspf><p>none</p><sp>reject</sp><pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>192.0.2.7</source_ip>
      <count>12</count>
      <policy_evaluated>
        <disposition>none</disposition><dkim>fail</dkim><spf>pass</spf>
        <reason><type>local_policy</type><comment>arc=pass</comment></reason>
        <reason><type>sampled_out</type></reason>
      </policy_evaluated>
    </row>
    <identifiers><header_from>Example.com</header_from></identifiers>
    <auth_results>
      <dkim><domain>example.net</domain><result>pass</result><selector>s</selector></dkim>
      <dkim><domain>example.com</domain><result>fail</result></dkim>
      <spf><domain>mail.example.com</domain><scope>helo</scope><result>none</result></spf>
      <spf><domain>example.com</domain><result>pass</result></spf>
    </auth_results>
  </record>
</feedback>
"""

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE feedback [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<feedback>&b;</feedback>"""
"""Entities of entities."""


def packed_gzip(data: bytes) -> bytes:
    packing = zlib.compressobj(wbits=31)
    return packing.compress(data) + packing.flush()


def packed_zip(
    *files: bytes, name: str = "report.xml", method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """Return a zip archive, as the standard library writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for number, data in enumerate(files):
            archive.writestr(f"{number or ''}{name}", data)
    return buffer.getvalue()


def overlapping_zip(data: bytes, count: int) -> bytes:
    """Return an archive whose files are all the same bytes: ``data``, stored."""
    file = struct.pack("<4s22xHH", b"PK\3\4", 0, 0) + data
    entry = struct.pack(
        "<4s4xHH4xIIIHHH8xI", b"PK\1\2", 0, 0, zlib.crc32(data), len(data), len(data), 0, 0, 0, 0
    )
    size = len(entry) * count
    end = struct.pack("<4s4xHHIIH", b"PK\5\6", count, count, size, len(file), 0)
    return file + entry * count + end


def mail(*attachments: bytes, kind: str = "application/gzip") -> bytes:
    """Return a mail that carries reports."""
    parts = "".join(
        f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{base64.encodebytes(each).decode()}\r\n"
        for each in attachments
    )
    return (
        "Received: from a\r\n\tby b\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n"
        f"\r\nno part\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n{parts}--b--\r\n"
    ).encode()
