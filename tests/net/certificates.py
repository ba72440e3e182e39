# SPDX-License-Identifier: GPL-2.0-or-later
"""A CA and one certificate of every kind that must be refused, made with Python's cryptography library, which signs
what openssl's command line will not."""

import datetime
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
GATE_NAME = "gate.example.net"


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def make_ca(text):
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (x509.CertificateBuilder().subject_name(name(text)).issuer_name(name(text)).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY).not_valid_after(NOW + 3650 * DAY)
               .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
               .add_extension(x509.KeyUsage(*(value in (5, 6) for value in range(9))), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))
    return key, builder.sign(key, hashes.SHA256())


class Authority:
    """Writes NAME.crt and NAME.key for every kind into `directory`, with ca.crt and crl.pem."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.key, self.certificate = make_ca("Test CA")
        self.write_certificate("ca", self.certificate)
        self.issue("portal", "branch", CLIENT)
        self.issue("gate", GATE_NAME, SERVER)
        for kind, common_name, eku in (("expired", "branch", None), ("future", "branch", None), ("revoked", "branch", None)):
            # Both ends show these, so they carry both usages and both names.
            begin, end = {"expired": (NOW - 30 * DAY, NOW - DAY), "future": (NOW + DAY, NOW + 30 * DAY),
                          "revoked": (NOW - DAY, NOW + 30 * DAY)}[kind]
            self.issue(kind, GATE_NAME, SERVER, CLIENT, begin=begin, end=end)
        self.issue("no-eku", GATE_NAME)
        self.issue("server-eku", GATE_NAME, SERVER)
        self.issue("client-eku", GATE_NAME, CLIENT)
        self.issue("other-name", "elsewhere.example.net", SERVER)
        self.issue_foreign()
        self.issue_clone()
        self.write_crl()

    def write_key(self, stem, key):
        path = self.directory / f"{stem}.key"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
        path.chmod(0o600)

    def write_certificate(self, stem, certificate):
        (self.directory / f"{stem}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def builder(self, common_name, key, usages, issuer, begin, end):
        builder = (x509.CertificateBuilder().subject_name(name(common_name)).issuer_name(issuer.subject)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number()).not_valid_before(begin)
                   .not_valid_after(end).add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                   .add_extension(x509.KeyUsage(*(value == 0 for value in range(9))), critical=True)
                   .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False))
        return builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False) if usages else builder

    def issue(self, stem, common_name, *usages, begin=NOW - DAY, end=NOW + 30 * DAY, issuer=None):
        issuer_key, issuer = issuer or (self.key, self.certificate)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self.builder(common_name, key, usages, issuer, begin, end).sign(issuer_key, hashes.SHA256())
        self.write_key(stem, key)
        self.write_certificate(stem, certificate)
        return certificate

    def issue_foreign(self):
        """By another CA of the same name."""
        self.issue("foreign", GATE_NAME, SERVER, CLIENT, issuer=make_ca("Test CA"))

    def issue_clone(self):
        """Subject, key identifier and signature bytes of the CA's certificate, names and usages of both ends, and a key of
        our own: what a library that compares certificates by those takes for the CA itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        identifier = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        clone = (x509.CertificateBuilder().subject_name(self.certificate.subject).issuer_name(self.certificate.subject)
                 .public_key(key.public_key()).serial_number(self.certificate.serial_number).not_valid_before(NOW - DAY)
                 .not_valid_after(NOW + 30 * DAY).add_extension(identifier, critical=False)
                 .add_extension(x509.SubjectAlternativeName([x509.DNSName(GATE_NAME)]), critical=False)
                 .add_extension(x509.ExtendedKeyUsage([SERVER, CLIENT]), critical=False).sign(key, hashes.SHA256()))
        body = clone.public_bytes(serialization.Encoding.DER)
        forged = replace_signature(body, clone.signature, self.certificate.signature)
        import base64
        import textwrap

        text = "\n".join(textwrap.wrap(base64.b64encode(forged).decode(), 64))
        (self.directory / "clone.crt").write_text(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        self.write_key("clone", key)

    def write_crl(self):
        revoked = x509.load_pem_x509_certificate((self.directory / "revoked.crt").read_bytes())
        entry = (x509.RevokedCertificateBuilder().serial_number(revoked.serial_number).revocation_date(NOW).build())
        crl = (x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject).last_update(NOW - DAY)
               .next_update(NOW + 30 * DAY).add_revoked_certificate(entry)
               .add_extension(x509.CRLNumber(1), critical=False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.certificate.public_key()),
                              critical=False).sign(self.key, hashes.SHA256()))
        (self.directory / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))


def der_length(length):
    if length < 128:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def replace_signature(certificate, old, new):
    """A DER certificate is SEQUENCE { body, algorithm, BIT STRING }: the last is exchanged, the outer length made new."""
    old_tail = b"\x03" + der_length(len(old) + 1) + b"\0" + old
    assert certificate.endswith(old_tail)
    header = 2 + (certificate[1] & 0x7F if certificate[1] & 0x80 else 0)
    inner = certificate[header:-len(old_tail)] + b"\x03" + der_length(len(new) + 1) + b"\0" + new
    return b"\x30" + der_length(len(inner)) + inner
