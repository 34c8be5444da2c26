"""A file system on which some reads never come back, as those of a dying disk or of a dead server do.

usage: dead_disk.py FOLDER [NAME]      Mounts it there (FUSE, spoken by hand: needs root, and nothing that is not Linux's own),
says "mounted" once it is, and serves until it is told to end.

NAME is a further name in it that nobody who looks at it gets an answer for.
Of each file, what is at or behind its second number is never answered; content: its name, over and over.
"""

import ctypes
import os
import signal
import struct
import sys

MIB = 1 << 20
FILES = {  # name: (size, bytes that can be read)
    b"a-small": (3_000, 3_000),
    b"b-large": (3 * MIB, 3 * MIB),
    b"c-small-hangs": (5_000, 0),
    b"d-large-hangs": (6 * MIB, 4 * MIB),
    b"e-small": (4_000, 4_000),
    b"f-large-hangs-at-once": (2 * MIB, 0),
    b"g-small": (2_000, 2_000),
}
UNANSWERED = os.fsencode(sys.argv[2]) if len(sys.argv) > 2 else None
if UNANSWERED:
    FILES[UNANSWERED] = (1, 1)
NAMES = sorted(FILES)
folder = os.fsencode(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)


def content(name, offset, size):
    end = min(offset + size, FILES[name][0])
    first = offset // len(name)
    return (name * ((end - first * len(name)) // len(name) + 1))[offset - first * len(name):end - first * len(name)]


def attributes(node):
    is_folder = node == 1
    size = 0 if is_folder else FILES[NAMES[node - 2]][0]
    mode = 0o040755 if is_folder else 0o100644
    return struct.pack("<6Q10I", node, size, (size + 511) // 512, 1, 1, 1, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def listing(offset):
    out = b""
    for at, name in enumerate(NAMES[offset:], offset):
        out += struct.pack("<QQII", at + 2, at + 1, len(name), 8) + name + b"\0" * (-len(name) % 8)
    return out


def answer(opcode, node, body):
    """What is said, or the number of an error; None: nothing at all."""
    if opcode == 26:  # INIT
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, 128 << 10, 0, 12, 9, MIB, 1, 0, 0, 0, *[0] * 7)
    if opcode == 1:  # LOOKUP
        name = body.rstrip(b"\0")
        if name not in FILES:
            return 2
        if name == UNANSWERED:
            return None
        node = NAMES.index(name) + 2
        return struct.pack("<4Q2I", node, 0, 60, 60, 0, 0) + attributes(node)
    if opcode == 3:  # GETATTR
        return struct.pack("<QII", 60, 0, 0) + attributes(node)
    if opcode in (14, 27):  # OPEN, OPENDIR; what is cached stays
        return struct.pack("<QII", 0, 2, 0)
    if opcode in (15, 28):  # READ, READDIR
        offset, size = struct.unpack_from("<QI", body, 8)
        if opcode == 28:
            return listing(offset)
        name = NAMES[node - 2]
        if offset + size > FILES[name][1] and FILES[name][1] < FILES[name][0]:
            return None
        return content(name, offset, size)
    if opcode == 17:  # STATFS
        return struct.pack("<5Q4I6I", 1000, 0, 0, 100, 0, 4096, 255, 4096, 0, *[0] * 6)
    if opcode in (18, 25, 29):  # RELEASE, FLUSH, RELEASEDIR
        return b""
    if opcode in (2, 36, 42):  # FORGET, INTERRUPT, BATCH_FORGET
        return None
    return 38


def end(*_):
    libc.umount2(folder, 3)
    sys.exit(0)


signal.signal(signal.SIGTERM, end)
device = os.open("/dev/fuse", os.O_RDWR)
options = b"fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other" % device
if libc.mount(b"dead-disk", folder, b"fuse", 6, options):
    sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
print("mounted", flush=True)
while True:
    try:
        request = os.read(device, MIB + 4096)
    except OSError:
        break
    _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    said = answer(opcode, node, request[40:])
    if said is None:
        continue
    error, said = (-said, b"") if isinstance(said, int) else (0, said)
    try:
        os.write(device, struct.pack("<IiQ", 16 + len(said), error, unique) + said)
    except OSError:
        pass  # Whoever asked has gone.
