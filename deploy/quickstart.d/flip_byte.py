#!/usr/bin/env python3
"""Changes one byte in the middle of a copied ledger. Usage: flip_byte.py FOLDER"""
import pathlib
import sys


def main(folder):
    segment = sorted(pathlib.Path(folder).glob("*.jsonl"))[-1]
    data = bytearray(segment.read_bytes())
    at = data.index(b'"reason":"no_rule"') + len(b'"reason":"n')
    data[at] ^= 1
    segment.write_bytes(data)
    print(f"{segment.name}: byte {at} is now {chr(data[at])!r}, was {chr(data[at] ^ 1)!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
