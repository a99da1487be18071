"""Looks for secrets where they must not be: in memory, files and texts, in every usual encoding.

A copy is found by its parts. Every 16-byte part of every encoded secret is known, so one look-up
for each aligned 16-byte block of memory finds any whole copy, and any remnant of 31 bytes or more.
"""
import base64
import os
import pathlib
import re
import subprocess
import urllib.parse

BLOCK = 16
# Most of a process's memory was never written to, and a page of zeros is compared in one step.
UNTOUCHED = bytes(4096)
CONTEXT = 64
# Blocks that say nothing (runs of one character, padding) would be found everywhere.
MIN_DISTINCT = 6
SMAPS_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)\s*(.*)$")


def encodings(value):
    """The forms in which `value` might have been written down."""
    yield value
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):  # within a longer text it may begin at any of three places
            text = encode(bytes(shift) + value)
            yield text[4 if shift else 0:-4]
    yield value.hex().encode()
    yield value.hex().upper().encode()
    percent = urllib.parse.quote_from_bytes(value, safe="")
    yield percent.encode()
    yield re.sub("%..", lambda at: at[0].lower(), percent).encode()


def der_integers(der):
    """The INTEGERs of an RSAPrivateKey (RFC 8017, A.1.2) as bytes without leading zeros."""
    def element(at):
        length, at = der[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7f
            length, at = int.from_bytes(der[at:at + count]), at + count
        return at, at + length

    at, end = element(0)
    found = []
    while at < end:
        start, at = element(at)
        found.append(der[start:at].lstrip(b"\0"))
    return found


class Canaries:
    """What is searched for. Each secret has a kind, under which it is reported."""

    def __init__(self):
        self.blocks = {}
        self.known = set()

    def add(self, kind, value):
        if isinstance(value, str):
            value = value.encode()
        if value in self.known:
            return
        self.known.add(value)
        for text in encodings(value):
            for at in range(len(text) - BLOCK + 1):
                block = text[at:at + BLOCK]
                if len(set(block)) >= MIN_DISTINCT:
                    self.blocks.setdefault(block, kind)

    def add_jwt(self, kind, token):
        """Without the header, which says only what all tokens of an issuer say."""
        self.add(kind, token[token.index(".") + 1:])

    def add_rsa_key(self, pem_path):
        """The key's file, and its secret numbers as DER and as OpenSSL's bignums hold them."""
        der = subprocess.run(["openssl", "rsa", "-in", pem_path, "-traditional", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        for number in der_integers(der)[3:]:  # behind the version and the two public ones
            self.add("private key, number", number)
            self.add("private key, bignum", number[::-1])
        body = b"".join(pathlib.Path(pem_path).read_bytes().split(b"\n")[1:-2])
        whole = base64.b64decode(body)
        secret_from = whole.index(der_integers(der)[3])
        start = secret_from * 4 // 3 + 4
        text = pathlib.Path(pem_path).read_bytes()[28:]  # behind the line BEGIN PRIVATE KEY
        self.add("private key, PEM", text[start + start // 64:-30])
        self.add("private key, DER", whole[secret_from:])

    def find(self, data):
        """Offsets of the blocks of `data` that belong to a secret."""
        blocks, found = self.blocks, []
        for start in range(0, len(data), len(UNTOUCHED)):
            page = data[start:start + len(UNTOUCHED)]
            if page != UNTOUCHED:
                found += [start + at for at in range(0, len(page) - BLOCK + 1, BLOCK)
                          if page[at:at + BLOCK] in blocks]
        return found

    def show(self, data, at):
        """The surroundings of a find, without the secret."""
        start = max(0, at - CONTEXT)
        piece = data[start:at + CONTEXT + BLOCK]
        masked = bytearray(piece)
        for i in range(len(piece) - BLOCK + 1):
            if piece[i:i + BLOCK] in self.blocks:
                masked[i:i + BLOCK] = b"*" * BLOCK
        return bytes(masked)

    def search(self, where, data):
        """Sentences about the first find of each kind and run."""
        told, last = [], -CONTEXT
        for at in self.find(data):
            if at - last > BLOCK:
                kind = self.blocks[data[at:at + BLOCK]]
                told.append(f"{kind} in {where} at +{at:#x}: {self.show(data, at)!r}")
            last = at
        return told


class Region:
    def __init__(self, head):
        start, end, self.mode, inode, self.name = SMAPS_HEAD.match(head).groups()
        self.start, self.end = int(start, 16), int(end, 16)
        self.of_file = inode != "0"
        self.flags = set()

    def __repr__(self):
        return f"{self.start:x}-{self.end:x} {self.mode} {self.name or 'anonymous'}"

    @property
    def is_arena(self):
        """The one mapping that is locked, not dumped and wiped in a forked child."""
        return {"lo", "dd", "wf"} <= self.flags

    @property
    def may_hold_data(self):
        """All that is readable, except what stands in a file word for word."""
        return self.mode[0] == "r" and self.name not in ("[vvar]", "[vsyscall]", "[vvar_vclock]") \
            and not (self.of_file and self.mode[1] == "-")


def regions(pid):
    found = []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if SMAPS_HEAD.match(line):
            found.append(Region(line))
        elif line.startswith("VmFlags:"):
            found[-1].flags = set(line.split()[1:])
    return [region for region in found if region.may_hold_data]


def read_region(memory, region):
    """The bytes of a region that may have shrunk or gone meanwhile."""
    pieces, at = [], region.start
    while at < region.end:
        try:
            piece = os.pread(memory.fileno(), min(region.end - at, 1 << 20), at)
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


class MemorySearch:
    """One look at a process's memory: `finds` outside the arena, `in_arena` within, and how much
    was looked at."""

    def __init__(self, canaries, pid, name):
        self.finds, self.in_arena, self.bytes, self.regions, self.arenas = [], [], 0, 0, 0
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for region in regions(pid):
                data = read_region(memory, region)
                self.bytes += len(data)
                self.regions += 1
                if region.is_arena:
                    self.arenas += 1
                    self.in_arena += [canaries.blocks[data[at:at + BLOCK]]
                                      for at in canaries.find(data)]
                else:
                    self.finds += canaries.search(f"{name} ({region!r})", data)
