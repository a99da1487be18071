#!/usr/bin/env python3
"""The search for canaries finds what is there: else finding nothing would prove nothing."""
import base64
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import harness
from canary_search import Canaries, MemorySearch
from harness import IS_ROOT, new_certificate
from new_files import TEMPORARY, NewFiles


@unittest.skipUnless(IS_ROOT, "reading other processes' memory needs root")
class TheSearchItself(unittest.TestCase):
    """A search that finds nothing proves something only if it can find."""

    HOLDER = ("import sys, base64; kept = bytearray(sys.stdin.buffer.readline()[:-1]);"
              "forms = [{form} for _ in range(2)]; print('ready', flush=True); sys.stdin.read()")

    def find_in_another_process(self, canaries, held, form):
        process = subprocess.Popen([sys.executable, "-c", self.HOLDER.format(form=form)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            process.stdin.write(held + b"\n")
            process.stdin.flush()
            process.stdout.readline()
            return MemorySearch(canaries, process.pid, "holder")
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()

    def test_every_form_in_another_process(self):
        value = base64.urlsafe_b64encode(os.urandom(60))
        canaries = Canaries()
        canaries.add("planted", value)
        forms = ["bytes(kept)", "b'x' + kept[20:60]", "base64.b64encode(b'.' + kept)",
                 "base64.urlsafe_b64encode(b'..' + kept)", "kept.hex()", "kept.hex().upper()"]
        # Held under a mask, so that only the form itself is there to be found.
        masked = bytes(byte ^ 0x80 for byte in value)
        for form in forms:
            with self.subTest(form):
                unmasked = form.replace("kept", "bytes(b ^ 128 for b in kept)")
                look = self.find_in_another_process(canaries, masked, unmasked)
                self.assertTrue(look.finds)
                self.assertIn("planted", look.finds[0])
                self.assertNotIn(value[30:50].decode(), "".join(look.finds))
        look = self.find_in_another_process(canaries, masked, "0")
        self.assertEqual(look.finds, [])

    def test_a_private_key_by_its_numbers(self):
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = new_certificate(folder)
            canaries = Canaries()
            canaries.add_rsa_key(key)
            self.assertEqual(canaries.search("public", certificate.read_bytes()), [])
            self.assertTrue(canaries.search("PEM", key.read_bytes()))
            der = subprocess.run(["openssl", "pkey", "-in", key, "-outform", "DER"], check=True,
                                 capture_output=True).stdout
            self.assertTrue(canaries.search("DER", der))
            self.assertTrue(canaries.search("reversed", der[::-1]))

    def test_an_arena_is_told_from_other_memory(self):
        code = ("import ctypes, mmap, sys; at = mmap.mmap(-1, 1 << 16, mmap.MAP_PRIVATE | "
                "mmap.MAP_ANONYMOUS); c = ctypes.CDLL(None); p = ctypes.c_void_p("
                "ctypes.addressof(ctypes.c_char.from_buffer(at))); c.mlock(p, 1 << 16);"
                "c.madvise(p, 1 << 16, 16); c.madvise(p, 1 << 16, 18);"
                "at[:64] = bytes(range(64)); print('ready', flush=True); sys.stdin.read()")
        canaries = Canaries()
        canaries.add("planted", bytes(range(64)))
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        try:
            process.stdout.readline()
            look = MemorySearch(canaries, process.pid, "holder")
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()
        self.assertEqual((look.arenas, set(look.in_arena)), (1, {"planted"}))

    def test_new_files_wherever_they_were_put(self):
        with tempfile.TemporaryDirectory() as foreign, tempfile.NamedTemporaryFile() as old:
            os.utime(old.name, (0, 0))
            new_files = NewFiles()
            planted = set()
            for root in TEMPORARY:
                if os.path.isdir(root):
                    folder = self.enterContext(tempfile.TemporaryDirectory(dir=root))
                    planted.add(os.path.join(folder, "planted"))
            planted.add(os.path.join(foreign, "planted"))
            for path in planted:
                pathlib.Path(path).write_text("x")
            ours = new_files.paths({os.geteuid()})
            self.assertLessEqual(planted, set(ours))
            self.assertNotIn(old.name, ours)
            theirs = new_files.paths({harness.OTHER_UID})  # so `foreign` is somebody else's
            self.assertEqual(planted & set(theirs), planted - {os.path.join(foreign, "planted")})


if __name__ == "__main__":
    harness.main()
