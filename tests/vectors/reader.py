#!/usr/bin/python3
"""An independent reader of Skyferry's sealed objects.

Shares no code with the C sources and stands on other libraries (python3-cbor2,
python3-cryptography), with its own HPKE, COSE structures, LZ4
decoder and planes. A mistake made
there twice, once in sealing and once in opening, shows here. It follows the formats as the
headers and docs describe them, so a mistake in that description would not.

    reader.py open KEYS CARD GRANT SPOOL OUT [SEED [BASE]]
                                               open a transfer, write its files below OUT; SEED: the
                                               file of the seed that both nodes share, or -; BASE:
                                               what an earlier delivery made, for files coded
                                               against it
    reader.py vectors FOLDER                   come to the verdicts of the golden vectors

Exit status: 0 done, 1 refused (with the reason on standard error), 2 usage.
"""
import hashlib
import hmac
import io
import os
import struct
import sys

import cbor2
import zstandard
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey, Ed25519PublicKey)
from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey, X25519PublicKey)
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SUITE = 1
KIND_DATA, KIND_GRANT, KIND_LETTER = 1, 2, 3
COSE_VERSION, COSE_SUITE, COSE_SIV, COSE_ENTRIES = -70001, -70002, -70003, -70004
TAG_ENCRYPT0, TAG_SIGN1 = 16, 18
DATA_CLASSES = [16384 << 2 * i for i in range(5)]
CONTROL_CLASSES = [1024 << 2 * i for i in range(4)]
FRAME_BYTES_MAX = 1 << 20
CODEC_ZERO, CODEC_RAW, CODEC_LZ4, CODEC_ZSTD, CODEC_PLANES = range(5)
CODEC_SAME, CODEC_PATCH, CODEC_DIFFERENCE = range(5, 8)
REFERENCE_BYTES = 24
BASES_MAX = 16
ZSTD_RATIO_MAX = 32768
TRANSFER_BYTES_MAX = 1 << 56
FILES_MAX = 65536
BUNDLES_MAX = 0xFFFFFFFF
RUNGS_MAX = 1 << 20  # climbed from the bottom; a node keeps where it stands


class Refused(Exception):
    """The object breaks a rule; the text says which."""


def need(condition, text):
    if not condition:
        raise Refused(text)


# --- CBOR, COSE and keys ----------------------------------------------------------------


def is_plain(item, depth=0):
    """Only what Skyferry writes: no floats, no undefined, no deep nesting."""
    if depth >= 12 and isinstance(item, (cbor2.CBORTag, list, tuple, dict)):
        return False
    if isinstance(item, cbor2.CBORTag):
        return is_plain(item.value, depth + 1)
    if isinstance(item, (list, tuple)):
        return all(is_plain(i, depth + 1) for i in item)
    if isinstance(item, dict):
        return all(
            isinstance(k, (int, bytes, str)) and not isinstance(k, bool)
            and is_plain(v, depth + 1) for k, v in item.items())
    return item is None or isinstance(item, (bool, int, bytes, str))


def load(data):
    """One deterministic item and nothing behind it."""
    stream = io.BytesIO(data)
    try:
        item = cbor2.CBORDecoder(stream).decode()
        again = cbor2.dumps(item, canonical=True)
    except Exception as error:
        raise Refused("not CBOR: %s" % error)
    need(stream.tell() == len(data), "bytes behind the item")
    need(is_plain(item), "items that have no place here")
    need(again == data, "not deterministic CBOR")
    return item


def is_uint(value, limit):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= limit


def is_bytes(value, count):
    return isinstance(value, bytes) and len(value) == count


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf_expand(prk, info, count):
    out, block, n = b"", b"", 1
    while len(out) < count:
        block = mac(prk, block, info, bytes([n]))
        out, n = out + block, n + 1
    return out[:count]


def hkdf(ikm, salt, info, count):
    return hkdf_expand(mac(salt, ikm), info, count)


SIGN_PROTECTED = cbor2.dumps({1: -8})
SEAL_PROTECTED = cbor2.dumps({1: 24, COSE_VERSION: 1, COSE_SUITE: SUITE}, canonical=True)
SEAL_AD = cbor2.dumps(["Encrypt0", SEAL_PROTECTED, b""])


def verify(sign_pk, label, payload, signature):
    """RFC 9052, 4.4, with the label as external data."""
    message = cbor2.dumps(["Signature1", SIGN_PROTECTED, label, payload])
    try:
        Ed25519PublicKey.from_public_bytes(sign_pk).verify(signature, message)
    except InvalidSignature:
        raise Refused("the signature is wrong")


def aead_open(key, iv, cipher):
    try:
        return ChaCha20Poly1305(key).decrypt(iv, cipher, SEAL_AD)
    except InvalidTag:
        raise Refused("the tag is wrong")


def unpad(padded):
    content = padded.rstrip(b"\0")
    need(content.endswith(b"\x80"), "the padding is wrong")
    need(len(content) > 1, "there is no content")
    return content[:-1]


def fingerprint_of(sign_pk):
    return sha256(b"skyferry-node-1", sign_pk)


def raw_public(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


class Keys:
    """A node's key file."""

    def __init__(self, data):
        file = load(data)
        need(isinstance(file, list) and len(file) == 2, "not a key file")
        body, check = file
        need(check == sha256(b"skyferry-keys-1", body), "the key file is damaged")
        (version, self.name, seed, _, self.hint_key, _, _, prekeys, _) = load(body)
        need(version == 1, "another version of key file")
        self.sign_pk = raw_public(Ed25519PrivateKey.from_private_bytes(seed))
        self.fingerprint = fingerprint_of(self.sign_pk)
        self.prekeys = {number: secret for number, secret, _ in prekeys}


def open_sign1(data, label, sign_pk=None):
    """The payload of a COSE_Sign1; with sign_pk None the caller verifies."""
    item = load(data)
    need(isinstance(item, cbor2.CBORTag) and item.tag == TAG_SIGN1, "not a COSE_Sign1")
    need(isinstance(item.value, list) and len(item.value) == 4, "not a COSE_Sign1")
    protected, unprotected, payload, signature = item.value
    need(protected == SIGN_PROTECTED and unprotected == {}, "other headers")
    need(isinstance(payload, bytes) and is_bytes(signature, 64), "payload or signature")
    if sign_pk is not None:
        verify(sign_pk, label, payload, signature)
    return payload, signature


class Card:
    """A node's public keys, signed by itself."""

    def __init__(self, data):
        label = b"skyferry-sign-card-1"
        payload, signature = open_sign1(data, label)
        fields = load(payload)
        need(isinstance(fields, list) and len(fields) == 10, "not a card")
        need(fields[0] == 1, "another version of card")
        self.name, self.sign_pk = fields[1], fields[2]
        need(is_bytes(self.sign_pk, 32), "signing key")
        verify(self.sign_pk, label, payload, signature)
        self.fingerprint = fingerprint_of(self.sign_pk)


# --- HPKE (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305 -------------


def labeled_extract(suite, salt, label, ikm):
    return mac(salt, b"HPKE-v1", suite, label, ikm)


def labeled_expand(prk, suite, label, info, count):
    return hkdf_expand(prk, struct.pack(">H", count) + b"HPKE-v1" + suite + label + info, count)


def hpke_open(secret_key, enc, info, cipher, psk=b"", psk_id=b""):
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x03"
    private = X25519PrivateKey.from_private_bytes(secret_key)
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError:
        raise Refused("a key of low order")
    prk = labeled_extract(kem, b"", b"eae_prk", shared)
    secret = labeled_expand(prk, kem, b"shared_secret", enc + raw_public(private), 32)
    context = (bytes([1 if psk else 0]) + labeled_extract(suite, b"", b"psk_id_hash", psk_id)
               + labeled_extract(suite, b"", b"info_hash", info))
    prk = labeled_extract(suite, secret, b"secret", psk)
    key = labeled_expand(prk, suite, b"key", context, 32)
    nonce = labeled_expand(prk, suite, b"base_nonce", context, 12)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, cipher, b"")
    except InvalidTag:
        raise Refused("the entry does not open")


# --- Grants and letters ---------------------------------------------------------------------


class Parcel:
    """An object sealed to prekeys."""

    def __init__(self, data, kind):
        self.data, self.kind = data, kind
        self.label = b"grant" if kind == KIND_GRANT else b"letter"
        need(len(data) in CONTROL_CLASSES, "no control class")
        item = load(data)
        need(isinstance(item, cbor2.CBORTag) and item.tag == TAG_ENCRYPT0
             and len(item.value) == 3, "not a COSE_Encrypt0")
        protected, outer, self.cipher = item.value
        need(protected == SEAL_PROTECTED, "another suite")
        need(set(outer) == {4, 5, COSE_ENTRIES}, "other headers")
        self.id, self.iv, entries = outer[4], outer[5], outer[COSE_ENTRIES]
        need(is_bytes(self.id, 16) and is_bytes(self.iv, 12), "id or IV")
        count = len(entries) // 108
        need(len(entries) % 108 == 0 and count in (1, 2, 4, 8, 16, 32, 64, 128), "entries")
        self.entries = [entries[i * 108:(i + 1) * 108] for i in range(count)]
        at = data.index(entries)
        self.head, self.outside = data[:at], data[:len(data) - len(self.cipher)]

    def open_entry(self, keys, ladder):
        for entry in self.entries:
            enc = entry[:32]
            mask = mac(keys.hint_key, enc)
            if mask[:8] != entry[32:40]:
                continue
            number = struct.unpack(">I", entry[40:44])[0] ^ struct.unpack(">I", mask[8:12])[0]
            rung = struct.unpack(">Q", entry[44:52])[0] ^ struct.unpack(">Q", mask[12:20])[0]
            need(number in keys.prekeys, "the prekey is gone")
            psk, psk_id = b"", b""
            if rung:
                need(ladder is not None, "it wants a pre-shared key")
                psk = ladder.key(rung)
                psk_id = b"skyferry-grant-psk-1" + struct.pack(">Q", rung)
            else:
                need(ladder is None, "a pre-shared key was agreed, and it was left out")
            info = (b"skyferry-" + self.label + b"-1" + bytes([SUITE]) + keys.fingerprint
                    + struct.pack(">I", number) + sha256(self.head))
            plain = hpke_open(keys.prekeys[number], enc, info, entry[52:], psk, psk_id)
            self.rung = rung
            return plain[:32], struct.unpack(">Q", plain[32:])[0]
        raise Refused("it is for somebody else")

    def open(self, keys, cards, ladder=None):
        body_key, number = self.open_entry(keys, ladder)
        plain = aead_open(body_key, self.iv, self.cipher)
        signature, behind = plain[:64], plain[64:]
        sender = behind[:32]
        need(sender in cards, "the sender is unknown")
        digest = mac(body_key, b"skyferry-" + self.label + b"-body-1", self.outside, behind)
        verify(cards[sender].sign_pk, b"skyferry-sign-" + self.label + b"-1",
               cbor2.dumps([SUITE, self.kind, sender, digest]), signature)
        return sender, number, unpad(behind[32:])


class Ladder:
    """Keys of grants from one node to another, from the seed that they share."""

    def __init__(self, seed, sender, recipient):
        self.state = hkdf(seed, b"", b"skyferry-ladder-1" + sender + recipient, 32)

    def key(self, rung):
        need(0 < rung <= RUNGS_MAX, "a rung out of reach")
        state = self.state
        for _ in range(rung):
            state = hkdf_expand(state, b"skyferry-ladder-next-1", 32)
        return hkdf_expand(state, b"skyferry-ladder-psk-1", 32)


class Grant:
    def __init__(self, data, keys, cards, ladder=None):
        need(len(data) <= 16384, "too large for a grant")
        parcel = Parcel(data, KIND_GRANT)
        sender, self.number, content = parcel.open(keys, cards, ladder)
        self.rung = parcel.rung
        fields = load(content)
        need(isinstance(fields, list) and len(fields) == 5, "not a grant's content")
        version, self.transfer, self.cek, self.class_bytes, self.slots = fields
        need(version == 1 and is_bytes(self.transfer, 16) and is_bytes(self.cek, 32), "fields")
        need(self.class_bytes in DATA_CLASSES, "class")
        need(is_uint(self.slots, BUNDLES_MAX) and self.slots > 0, "slots")
        self.sender = cards[sender]


# --- Bundles ---------------------------------------------------------------------------------


def open_bundle(data, transfer, cek, signer, index):
    """The content of the data bundle at `index`."""
    need(len(data) in DATA_CLASSES, "no data class")
    item = load(data)
    need(isinstance(item, cbor2.CBORTag) and item.tag == TAG_ENCRYPT0
         and len(item.value) == 3, "not a COSE_Encrypt0")
    protected, outer, cipher = item.value
    need(protected == SEAL_PROTECTED, "another suite")
    need(set(outer) == {4, 5, COSE_SIV}, "other headers")
    siv = outer[COSE_SIV]
    need(is_bytes(siv, 32), "siv")
    place = transfer + bytes([KIND_DATA]) + struct.pack(">Q", index)
    id_key = hkdf(cek, b"", b"skyferry-key-id-1" + transfer, 32)
    siv_key = hkdf(cek, b"", b"skyferry-key-siv-1" + transfer, 32)
    need(outer[4] == mac(id_key, place)[:16], "the id is another bundle's")
    derived = hkdf(cek, siv, b"skyferry-bundle-1" + place, 44)
    need(outer[5] == derived[32:], "the IV is not the derived one")
    plain = aead_open(derived[:32], derived[32:], cipher)
    signature, padded = plain[:64], plain[64:]
    need(mac(siv_key, b"skyferry-siv-1", place, padded) == siv, "the siv is not the content's")
    verify(signer.sign_pk, b"skyferry-sign-bundle-1",
           cbor2.dumps([SUITE, KIND_DATA, signer.fingerprint, transfer, index, siv]), signature)
    return unpad(padded)


class Piece:
    def __init__(self, fields):
        need(isinstance(fields, list) and fields, "a piece is an array")
        self.type = fields[0]
        self.file = self.place_in_file = self.codec = self.plain = 0
        if self.type == 2:
            need(len(fields) == 8, "a frame has eight fields")
            (_, self.file, self.place_in_file, self.codec, self.plain, self.total, self.offset,
             self.data) = fields
            need(is_uint(self.file, FILES_MAX - 1) and is_uint(self.place_in_file, TRANSFER_BYTES_MAX)
                 and is_uint(self.codec, CODEC_DIFFERENCE) and is_uint(self.plain, FRAME_BYTES_MAX)
                 and is_uint(self.total, FRAME_BYTES_MAX) and self.plain > 0, "frame")
            need((self.codec == 0 and self.total == 0)
                 or (self.codec == 1 and self.total == self.plain)
                 or (CODEC_LZ4 <= self.codec <= CODEC_PLANES and 0 < self.total < self.plain)
                 or (self.codec == CODEC_SAME and REFERENCE_BYTES == self.total < self.plain)
                 or (self.codec > CODEC_SAME and REFERENCE_BYTES < self.total < self.plain),
                 "coded length")
        else:
            need(self.type in (1, 3) and len(fields) == 4, "type of piece")
            _, self.offset, self.total, self.data = fields
            need(is_uint(self.total, (16 << 20) if self.type == 1 else (4 << 20))
                 and self.total > 0, "length of the manifest")
        need(isinstance(self.data, bytes) and is_uint(self.offset, self.total), "part")
        need(self.offset + len(self.data) <= self.total, "a part longer than its whole")
        need(self.data or self.total == 0, "an empty part")

    def is_ended(self):
        return self.offset + len(self.data) == self.total

    def place(self):
        return (self.type, self.file, self.place_in_file)


def read_content(content):
    """The pieces of a bundle, in order, checked against the rules of their order."""
    items = load(content)
    need(isinstance(items, list) and 0 < len(items) <= 65535, "content")
    pieces = [Piece(fields) for fields in items]
    for before, piece in zip(pieces, pieces[1:]):
        need(before.is_ended() and piece.offset == 0, "a part in the middle")
        need(before.place() < piece.place(), "pieces out of order")
        if before.type == piece.type == 2:
            begin = before.place_in_file + before.plain if before.file == piece.file else 0
            need(piece.place_in_file == begin, "a gap in a file")
    for piece in pieces:
        need(piece.type != 2 or piece.offset == 0 or piece.is_ended(), "a third part")
    return pieces


# --- Manifest ----------------------------------------------------------------------------------


def is_component(name):
    return (isinstance(name, bytes) and 0 < len(name) <= 255 and name not in (b".", b"..")
            and b"/" not in name and b"\0" not in name)


class Outline:
    def __init__(self, data):
        need(len(data) <= 16 << 20, "too long")
        item = load(data)
        need(isinstance(item, dict) and list(item)[:7] == [1, 2, 3, 4, 5, 6, 7]
             and set(item) <= set(range(1, 10)), "keys")
        version, self.class_bytes, self.frame_bytes, self.label, single, total, files = (
            item[key] for key in range(1, 8))
        need(version == 1 and not isinstance(version, bool), "version")
        need(is_uint(self.class_bytes, DATA_CLASSES[-1]) and self.class_bytes in DATA_CLASSES, "class")
        size = self.frame_bytes
        need(is_uint(size, min(FRAME_BYTES_MAX, self.class_bytes)) and size >= 4096
             and size & (size - 1) == 0, "frame bytes")
        need(is_component(self.label) and isinstance(single, bool), "label")
        need(isinstance(files, list) and 0 < len(files) <= FILES_MAX, "count of files")
        self.files = []
        for fields in files:
            need(isinstance(fields, list) and len(fields) == 4, "file")
            path, count, mtime, executable = fields
            need(isinstance(path, list) and 0 < len(path) <= 64
                 and all(is_component(c) for c in path), "path")
            need(len(b"/".join(path)) <= 3072, "length of a path")
            need(is_uint(count, TRANSFER_BYTES_MAX), "length of a file")
            need(isinstance(mtime, int) and not isinstance(mtime, bool)
                 and -2**63 <= mtime < 2**63, "mtime")
            need(isinstance(executable, bool), "executable")
            self.files.append((path, count))
        paths = [path for path, _ in self.files]
        for before, path in zip(paths, paths[1:]):
            need(before < path, "files out of order")
            need(path[:len(before)] != before, "a file is a directory")
        need(not single or paths == [[self.label]], "a single file that is not the label")
        need(is_uint(total, TRANSFER_BYTES_MAX) and total == sum(c for _, c in self.files), "total")
        self.bases = {}
        self.read_bases(item.get(8, [bytes(16), []]), 8 in item)
        parent = item.get(9, bytes(16))
        need(isinstance(parent, bytes) and len(parent) == 16, "parent")

    def read_bases(self, item, is_there):
        need(isinstance(item, list) and len(item) == 2, "bases")
        transfer, bases = item
        need(isinstance(transfer, bytes) and len(transfer) == 16, "transfer of the bases")
        need(isinstance(bases, list) and (0 < len(bases) <= BASES_MAX) == is_there, "count of bases")
        last = -1
        for fields in bases:
            need(isinstance(fields, list) and len(fields) == 4, "base")
            file, digest, count, path = fields
            need(is_uint(file, len(self.files) - 1) and file > last, "file of a base")
            need(isinstance(digest, bytes) and len(digest) == 32, "digest of a base")
            need(is_uint(count, TRANSFER_BYTES_MAX), "length of a base")
            need(isinstance(path, list) and len(path) <= 64
                 and all(is_component(c) for c in path), "path of a base")
            need(len(b"/".join(path)) <= 3072, "length of a path")
            self.bases[file] = (digest, count, path)
            last = file

    def check(self, piece):
        need(piece.codec < CODEC_SAME or piece.file in self.bases, "no base")
        need(piece.file < len(self.files), "no such file")
        need(piece.place_in_file + piece.plain <= self.files[piece.file][1], "past the file's end")
        need(piece.plain <= self.frame_bytes, "a frame longer than frames are")


def read_digests(data, lengths):
    """(bundle count, SHA-256 of each file)."""
    need(len(data) <= 4 << 20, "too long")
    item = load(data)
    need(isinstance(item, dict) and list(item) == [1, 2, 3], "keys")
    version, bundles, files = item.values()
    need(version == 1 and not isinstance(version, bool), "version")
    need(is_uint(bundles, BUNDLES_MAX) and bundles > 0, "bundles")
    need(isinstance(files, list) and len(files) == len(lengths), "count of files")
    for fields, length in zip(files, lengths):
        need(isinstance(fields, list) and len(fields) == 2 and is_bytes(fields[0], 32)
             and is_uint(fields[1], TRANSFER_BYTES_MAX) and fields[1] == length, "file")
    return bundles, [fields[0] for fields in files]


# --- Frames ------------------------------------------------------------------------------------


def lz4_block(data, count):
    """The LZ4 block format, from its description: tokens of literals and matches."""
    out, at = bytearray(), 0

    def length(start):
        nonlocal at
        total = start
        while start == 15:
            need(at < len(data), "LZ4: cut short")
            byte = data[at]
            at, total = at + 1, total + byte
            if byte != 255:
                break
        return total

    while True:
        need(at < len(data), "LZ4: the last sequence has no literals")
        token = data[at]
        at += 1
        literals = length(token >> 4)
        need(at + literals <= len(data), "LZ4: cut short")
        out += data[at:at + literals]
        at += literals
        need(len(out) <= count, "LZ4: longer than its frame")
        if at == len(data):
            break
        need(at + 2 <= len(data), "LZ4: cut short")
        offset = struct.unpack("<H", data[at:at + 2])[0]
        at += 2
        match = length(token & 15) + 4
        need(0 < offset <= len(out), "LZ4: a match from nowhere")
        need(len(out) + match <= count, "LZ4: longer than its frame")
        start = len(out) - offset
        if offset >= match:
            out += out[start:start + match]
        else:
            unit = bytes(out[start:])
            out += (unit * (match // offset + 1))[:match]
    need(len(out) == count, "LZ4: shorter than its frame")
    return bytes(out)


def zstd_frame(data, count):
    """One frame of RFC 8878 and nothing else, with its content size."""
    need(len(data) >= 5 and data[:4] == b"\x28\xb5\x2f\xfd", "zstd: magic number")
    need(data[4] & 0x1F == 0, "zstd: dictionary, checksum or reserved bits")
    need(len(data) >= count // ZSTD_RATIO_MAX, "zstd: ratio")
    try:
        need(zstandard.frame_content_size(data) == count, "zstd: content size")
        decoder = zstandard.ZstdDecompressor().decompressobj()
        out = decoder.decompress(data)
    except zstandard.ZstdError as error:
        raise Refused("zstd: %s" % error) from error
    need(decoder.eof and not decoder.unused_data and len(out) == count, "zstd: length")
    return out


def rotated_back(number):
    """The columns of rotated numbers, lowest first, as they were: every number one bit down."""
    taken = [bytes(b << 7 & 0x80 for b in column) for column in number]
    taken = taken[1:] + taken[:1]
    return [bytes(b >> 1 | top for b, top in zip(column, bits))
            for column, bits in zip(number, taken)]


def plane(method, part, size):
    if method == 0:
        need(len(part) == size, "plane: length")
        return part
    if method == 1:
        need(len(part) == 1, "plane: one byte")
        return part * size
    need(method == 2 and len(part) < size, "plane: method")
    return zstd_frame(part, size)


def planes(data, count):
    """Columns of elements, each coded on its own."""
    need(len(data) >= 3, "planes: head")
    lead, stride, columns, rotated = data[0], data[1], data[2] & 0x7F, data[2] >> 7
    need(0 < columns <= 8 and len(data) >= 3 + 5 * columns, "planes: head")
    widths, at = data[3:3 + columns], 3 + 5 * columns
    need(stride > 0 and min(widths) > 0 and sum(widths) == stride, "planes: columns")
    need(not rotated or (columns == stride and stride in (2, 4, 8)), "planes: rotated")
    need(count >= lead + stride, "planes: no element")
    elements = (count - lead) // stride
    parts = []
    for number, width in enumerate(widths):
        head = data[3 + columns + 4 * number:7 + columns + 4 * number]
        length, size = int.from_bytes(head[1:], "big"), width * elements
        part = data[at:at + length]
        at += length
        need(len(part) == length, "planes: cut short")
        parts.append(plane(head[0], part, size))
    rest = data[at:]
    need(len(rest) == count - elements * stride, "planes: rest")
    if rotated:
        parts = rotated_back(parts)
    out = bytearray(elements * stride)
    place = 0
    for width, part in zip(widths, parts):
        for k in range(width):
            out[place + k::stride] = part[k::width]
        place += width
    return rest[:lead] + bytes(out) + rest[lead:]


def unfold(folded, base, width):
    """The number that differs from `base` by what was folded: 0, 1, 2, 3 for 0, -1, 1, -2."""
    return base + (folded >> 1 ^ -(folded & 1)) & (1 << 8 * width) - 1


def unfold_all(differences, base, width):
    out = bytearray()
    for at in range(0, len(base), width):
        number = unfold(int.from_bytes(differences[at:at + width], "little"),
                        int.from_bytes(base[at:at + width], "little"), width)
        out += number.to_bytes(width, "little")
    return bytes(out)


def numbers_of(head, count):
    """(width, lead, where the numbers end)."""
    width, lead = head
    need(width in (1, 2, 4, 8), "width of numbers")
    need(count >= lead + width, "no number")
    return width, lead, lead + (count - lead) // width * width


def difference(coded, base):
    need(len(coded) >= 3, "difference: head")
    width, lead, end = numbers_of(coded[:2], len(base))
    need(CODEC_LZ4 <= coded[2] <= CODEC_PLANES, "difference: codec")
    folded = decode_frame(coded[2], coded[3:], len(base))
    return (unfold_all(folded[:lead], base[:lead], 1)
            + unfold_all(folded[lead:end], base[lead:end], width)
            + unfold_all(folded[end:], base[end:], 1))


def read_gaps(data):
    gaps, at = [], 0
    while at < len(data):
        gap = shift = 0
        while True:
            need(at < len(data) and shift <= 21, "patch: gap")
            byte = data[at]
            at += 1
            gap |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        need(byte or shift == 7, "patch: gap not in its shortest form")
        gaps.append(gap)
    return gaps


def patch(coded, base):
    need(len(coded) >= 10, "patch: head")
    width, lead, end = numbers_of(coded[:2], len(base))
    changes, gap_bytes = struct.unpack(">II", coded[2:10])
    need(0 < changes <= (end - lead) // width, "patch: count")
    need(changes <= gap_bytes <= len(base) - changes * width, "patch: gaps")
    at = 10 + 4 * (1 + width)
    need(len(coded) >= at, "patch: columns")
    parts = []
    for column in range(1 + width):
        head = coded[10 + 4 * column:14 + 4 * column]
        length = int.from_bytes(head[1:], "big")
        need(length <= len(coded) - at, "patch: cut short")
        parts.append(plane(head[0], coded[at:at + length], changes if column else gap_bytes))
        at += length
    rest = coded[at:]
    need(len(rest) == lead + len(base) - end, "patch: rest")
    gaps = read_gaps(parts[0])
    need(len(gaps) == changes, "patch: count of gaps")
    out = bytearray(rest[:lead] + base[lead:end] + rest[lead:])
    place = lead
    for gap, *digits in zip(gaps, *parts[1:]):
        folded = int.from_bytes(bytes(digits), "little")
        place += gap * width
        need(place < end and folded, "patch: change")
        number = unfold(folded, int.from_bytes(base[place:place + width], "little"), width)
        out[place:place + width] = number.to_bytes(width, "little")
        place += width
    return bytes(out)


def decode_delta(codec, coded, key, base, count):
    """`base`: a function that gives so many bytes of it from an offset on."""
    need(codec in (CODEC_SAME, CODEC_PATCH, CODEC_DIFFERENCE), "codec of a base")
    need(REFERENCE_BYTES <= len(coded) < count <= FRAME_BYTES_MAX, "length of a frame")
    offset = int.from_bytes(coded[:8], "big")
    run = base(offset, count)
    need(len(run) == count, "past the end of the base")
    need(hmac.new(key, run, hashlib.sha256).digest()[:16] == coded[8:24], "another base")
    rest = coded[24:]
    if codec == CODEC_SAME:
        need(not rest, "a reference and more")
        return run
    return (patch if codec == CODEC_PATCH else difference)(rest, run)


def decode_frame(codec, coded, count):
    need(0 < count <= FRAME_BYTES_MAX, "length of a frame")
    if codec == CODEC_ZERO:
        need(coded == b"", "a zero frame with bytes")
        return bytes(count)
    if codec == CODEC_RAW:
        need(len(coded) == count, "a raw frame of another length")
        return coded
    decoders = {CODEC_LZ4: lz4_block, CODEC_ZSTD: zstd_frame, CODEC_PLANES: planes}
    need(codec in decoders and 0 < len(coded) < count, "codec")
    return decoders[codec](coded, count)


# --- Receipts and cancels -------------------------------------------------------------------------


def read_receipt(data, sign_pk):
    need(len(data) <= 62 << 10, "too long")
    payload, _ = open_sign1(data, b"skyferry-sign-receipt-1", sign_pk)
    fields = load(payload)
    need(isinstance(fields, list) and len(fields) == 13, "receipt")
    (version, receiver, sender, transfer, generation, counter, phase, held, manifest, files,
     refusal, head, random) = fields
    need(version == 1 and receiver == fingerprint_of(sign_pk) and is_bytes(sender, 32)
         and is_bytes(transfer, 16) and is_bytes(head, 32) and is_bytes(random, 16), "names")
    need(is_uint(generation, 2**64 - 1) and is_uint(counter, 2**64 - 1), "numbers")
    need(is_uint(phase, 4) and phase > 0, "phase")
    need(isinstance(held, list) and len(held) % 2 == 0 and len(held) <= 8192, "ranges")
    at = 0
    for i in range(0, len(held), 2):
        need(is_uint(held[i], BUNDLES_MAX) and is_uint(held[i + 1], BUNDLES_MAX), "range")
        need(held[i + 1] > 0 and (i == 0 or held[i] > 0), "ranges that touch")
        at += held[i] + held[i + 1]
    need(at <= BUNDLES_MAX, "past the last index")
    whole = phase in (2, 3)
    need(is_bytes(manifest, 32) or (manifest is None and not whole), "manifest")
    need(not whole or held == [], "ranges in a receipt of the whole")
    if whole:
        count, digest, listed = files
        need(is_uint(count, FILES_MAX) and count > 0 and is_bytes(digest, 32), "files")
        need((listed is None) == (count > 1024), "list")
        if listed is not None:
            need(len(listed) == count, "count")
            need(digest == sha256(b"skyferry-files-1", *[
                s + struct.pack(">Q", n) for s, n in listed]), "digest of files")
    else:
        need(files is None, "files")
    if phase == 4:
        reason, retryable, missing = refusal
        need(is_uint(reason, 11) and reason > 0 and isinstance(retryable, bool)
             and is_uint(missing, 2**64 - 1), "refusal")
    else:
        need(refusal is None, "refusal")


def read_cancel(data, sign_pk):
    need(len(data) <= 256, "too long")
    payload, _ = open_sign1(data, b"skyferry-sign-cancel-1", sign_pk)
    fields = load(payload)
    need(isinstance(fields, list) and len(fields) == 4, "cancel")
    version, by, transfer, reason = fields
    need(version == 1 and by == fingerprint_of(sign_pk) and is_bytes(transfer, 16), "names")
    need(is_uint(reason, 5) and reason > 0, "reason")


# --- Opening a whole transfer ------------------------------------------------------------------------


class Parts:
    """Collects the parts of something that runs across bundles."""

    def __init__(self):
        self.place, self.data = None, b""

    def add(self, piece):
        """The whole when the last part has come, else None."""
        place = piece.place() + (piece.codec, piece.plain, piece.total)
        if piece.offset == 0:
            need(self.place is None, "a part is missing")
            self.place = place
        need(self.place == place and piece.offset == len(self.data), "parts do not fit")
        self.data += piece.data
        if not piece.is_ended():
            return None
        whole, self.place, self.data = self.data, None, b""
        return whole


def read_base(path, base):
    """All of a base, which must be the one that the outline names."""
    need(path is not None, "it needs a base")
    digest, count, inner = base
    data = read_file(os.path.join(os.fsencode(path), *inner))
    need(len(data) == count and hashlib.sha256(data).digest() == digest, "another base")
    return data


def base_key(cek, transfer):
    return hkdf(cek, b"", b"skyferry-key-base-1" + transfer, 32)


def open_transfer(keys_path, card_path, grant_path, spool_path, out, seed_path="-", base_path=None):
    keys = Keys(read_file(keys_path))
    card = Card(read_file(card_path))
    ladder = None
    if seed_path != "-":
        ladder = Ladder(read_file(seed_path), card.fingerprint, keys.fingerprint)
    grant = Grant(read_file(grant_path), keys, {card.fingerprint: card}, ladder)
    spool = read_file(spool_path)
    size = grant.class_bytes
    need(len(spool) % size == 0 and len(spool) // size <= grant.slots, "length of the spool")
    parts, outline, digests, texts, sums, codecs = Parts(), None, None, {}, {}, [0] * 8
    bases, key = {}, base_key(grant.cek, grant.transfer)
    for index in range(len(spool) // size):
        bundle = spool[index * size:(index + 1) * size]
        for piece in read_content(open_bundle(bundle, grant.transfer, grant.cek, grant.sender, index)):
            need(digests is None, "something stands behind the digests")
            if piece.type == 2:
                need(outline is not None, "a frame before the outline")
                outline.check(piece)
            whole = parts.add(piece)
            if whole is None:
                continue
            if piece.type == 1:
                need(outline is None, "a second outline")
                outline = Outline(whole)
                need(outline.class_bytes == size, "the outline has another class")
            elif piece.type == 3:
                digests = whole
            else:
                sums.setdefault(piece.file, 0)
                need(piece.place_in_file == sums[piece.file], "a frame is missing")
                sums[piece.file] += piece.plain
                codecs[piece.codec] += 1
                texts.setdefault(piece.file, bytearray())
                if piece.codec < CODEC_SAME:
                    texts[piece.file] += decode_frame(piece.codec, whole, piece.plain)
                    continue
                if piece.file not in bases:
                    bases[piece.file] = read_base(base_path, outline.bases[piece.file])
                base = bases[piece.file]
                texts[piece.file] += decode_delta(
                    piece.codec, whole, key, lambda at, n, base=base: base[at:at + n], piece.plain)
    need(outline is not None and digests is not None and parts.place is None, "it is not complete")
    bundles, expected = read_digests(digests, [count for _, count in outline.files])
    need(bundles == len(spool) // size, "another count of bundles")
    for number, (path, count) in enumerate(outline.files):
        text = bytes(texts.get(number, b""))
        need(len(text) == count, "a file of another length")
        need(hashlib.sha256(text).digest() == expected[number], "a file of another content")
        target = os.path.join(os.fsencode(out), *path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            file.write(text)
    print("%d files, %d bundles; frames: %d zero, %d raw, %d LZ4, %d zstd, %d planes, "
          "%d the same, %d patches, %d differences" % (
        len(outline.files), bundles, *codecs))


# --- Golden vectors ----------------------------------------------------------------------------------


def read_vectors(path):
    """Stanzas as dictionaries; vector_file.h describes the text."""
    stanzas, named = [], {}
    with open(path, encoding="ascii") as file:
        blocks = file.read().split("\n\n")
    for block in blocks:
        own = dict(line.split(": ", 1) for line in block.splitlines() if line and line[0] != "#")
        if not own:
            continue
        stanza = dict(named[own["like"]] if "like" in own else {})
        for key in ("patch", "cut"):
            stanza.pop(key, None)
        stanza.update(own)
        named[own["name"]] = stanza
        data = bytearray(bytes.fromhex(stanza["object"].replace(" ", "")))
        if "patch" in stanza:
            offset, text = stanza["patch"].split(" ", 1)
            change = bytes.fromhex(text)
            data[int(offset):int(offset) + len(change)] = change
        if "cut" in stanza:
            del data[int(stanza["cut"]):]
        stanzas.append((stanza, bytes(data)))
    return stanzas


def field(stanza, key):
    return bytes.fromhex(stanza[key].replace(" ", ""))


def node_of(sign_pk):
    card = Card.__new__(Card)
    card.sign_pk, card.fingerprint = sign_pk, fingerprint_of(sign_pk)
    return card


def expect(found, wanted):
    """An object that opens must say what it was made to say; anything else is our failure."""
    if found != wanted:
        raise AssertionError("%r instead of %r" % (found, wanted))


def try_vector(kind, stanza, data):
    if kind == "cbor":
        load(data)
    elif kind == "content":
        read_content(data)
    elif kind == "frame":
        plain = decode_frame(int(stanza["codec"]), data, int(stanza["plain-bytes"]))
        expect(plain, field(stanza, "plain"))
    elif kind == "delta":
        base = field(stanza, "base")
        plain = decode_delta(int(stanza["codec"]), data, field(stanza, "key"),
                             lambda _, count: base[:count], len(base))
        expect(plain, field(stanza, "plain"))
    elif kind == "outline":
        Outline(data)
    elif kind == "digests":
        read_digests(data, [int(n) for n in stanza["lengths"].split()])
    elif kind == "card":
        expect(Card(data).fingerprint, field(stanza, "fingerprint"))
    elif kind == "receipt":
        read_receipt(data, field(stanza, "sign-pk"))
    elif kind == "cancel":
        read_cancel(data, field(stanza, "sign-pk"))
    elif kind == "bundle":
        content = open_bundle(data, field(stanza, "transfer"), field(stanza, "cek"),
                              node_of(field(stanza, "sign-pk")), int(stanza["index"]))
        expect(content, field(stanza, "content"))
    else:
        card = Card(field(stanza, "sender-card"))
        keys = Keys(field(stanza, "keys"))
        if kind == "grant":
            ladder = None
            if "seed" in stanza:
                ladder = Ladder(field(stanza, "seed"), card.fingerprint, keys.fingerprint)
            grant = Grant(data, keys, {card.fingerprint: card}, ladder)
            expect(grant.rung, int(stanza.get("rung", 0)))
            expect((grant.transfer, grant.cek, grant.number), (
                field(stanza, "transfer"), field(stanza, "cek"), int(stanza["number"])))
        else:
            _, _, content = Parcel(data, KIND_LETTER).open(keys, {card.fingerprint: card})
            expect(load(content), [1, int(stanza["type"]), field(stanza, "content")])


def check_vectors(folder):
    kinds = ("cbor", "content", "frame", "delta", "outline", "digests", "card", "receipt", "cancel",
             "bundle", "letter", "grant")
    good = bad = wrong = 0
    for kind in kinds:
        for stanza, data in read_vectors(os.path.join(folder, kind + ".txt")):
            try:
                try_vector(kind, stanza, data)
                verdict = "ok"
            except Refused as reason:
                verdict = "refused (%s)" % reason
            if (verdict == "ok") != (stanza["verdict"] == "ok"):
                print("reader: %s/%s: %s, but it should be: %s" % (
                    kind, stanza["name"], verdict, stanza["verdict"]), file=sys.stderr)
                wrong += 1
            good += verdict == "ok"
            bad += verdict != "ok"
    print("%d vectors opened, %d refused, %d against their verdict" % (good, bad, wrong))
    return 1 if wrong or not good or not bad else 0


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def main(argv):
    if len(argv) in (7, 8, 9) and argv[1] == "open":
        try:
            open_transfer(*argv[2:])
        except Refused as reason:
            print("reader: refused: %s" % reason, file=sys.stderr)
            return 1
        return 0
    if len(argv) == 3 and argv[1] == "vectors":
        return check_vectors(argv[2])
    print(__doc__.strip(), file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
