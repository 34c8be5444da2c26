#!/usr/bin/env python3
"""Reads an evac store without evac: lists what is in it, and unpacks it.

usage: unpack.py STORE… list [WORKLOAD [--pass N]]
       unpack.py STORE… unpack WORKLOAD --to DIR [--pass N]

STORE is the folder that this file lies in, followed by the folders of the store's other disks, if it has any. They
are only read. Without --pass: the newest pass that is complete.
`list` shows workloads and passes, with WORKLOAD every path. `unpack` writes into DIR, which must be empty or
absent, at the paths of the source. As root everything comes back; else owners and devices are left out.
What could not be restored is listed on stderr. Exit code: 0 all is well, 1 something is listed, 2 wrong usage.

Needs Linux, Python 3.8 and one of: Python's compression.zstd (3.14), the module zstandard, the command zstd.
With the module blake3 every checksum is verified, and with the keys (STORE/../keys) every piece of content
against its name. Without it only lengths and zstd tell damage. Lookups need temporary space (TMPDIR): 44 bytes
for each piece in the store. The formats are explained in UNPACK.md.
"""

import collections
import fcntl
import mmap
import os
import resource
import stat
import struct
import subprocess
import sys
import tempfile

try:
    import blake3
except ImportError:
    blake3 = None


class Damage(Exception):
    """What was read is not what was written."""


problems = 0


def printable(raw):
    text = raw if isinstance(raw, str) else raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def problem(where, why):
    global problems
    problems += 1
    if problems <= 1000:
        print(f"problem: {printable(where)}: {printable(str(why))}", file=sys.stderr)


def note(where, why):
    """What is as it was at the source, or harmless."""
    print(f"note: {printable(where)}: {printable(str(why))}", file=sys.stderr)


# ---- zstd ---------------------------------------------------------------------------------------------------------

def zstd_by_python(data, limit):
    from compression import zstd
    out = b""
    while data and len(out) < limit:
        one = zstd.ZstdDecompressor()
        out += one.decompress(data, limit - len(out))
        data = one.unused_data
    return out


def zstd_by_module(data, limit):
    import zstandard
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(limit)


def zstd_by_command(data, limit):
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        command = ["zstd", "-dcq"]
        with subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            out = process.stdout.read(limit)
            process.kill()
            return out


def find_zstd():
    sample = bytes.fromhex("28b52ffd2001090000" "78")  # one byte, x
    for expand in (zstd_by_python, zstd_by_module, zstd_by_command):
        try:
            if expand(sample, 2) == b"x":
                return expand
        except (ImportError, OSError):
            continue
    sys.exit("unpack.py: no zstd: install the Python module zstandard, or the command zstd")


zstd = None


def expanded(data, length):
    """`data` decompressed, exactly `length` bytes; never more is held."""
    try:
        out = zstd(data, length + 1)
    except Exception as error:
        raise Damage(f"zstd refuses it: {error}") from error
    if len(out) != length:
        raise Damage("it does not decompress to the stated length")
    return out


def check(stated, *parts):
    """A checksum: the first 16 bytes of BLAKE3."""
    if blake3 and blake3.blake3(b"".join(parts)).digest()[:16] != stated:
        raise Damage("its checksum differs")


# ---- postcard: how records and heads are written ------------------------------------------------------------------

class Fields:
    """Unsigned numbers are LEB128, signed ones zigzag, lengths and variants of an enum unsigned numbers."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, length):
        end = self.at + length
        if end > len(self.data):
            raise Damage("it ends too early")
        self.at = end
        return self.data[end - length : end]

    def number(self):
        value = shift = 0
        while True:
            byte = self.raw(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise Damage("a number makes no sense")

    def signed(self):
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def bytes(self):
        return self.raw(self.number())

    def text(self):
        return self.bytes().decode("utf-8", "replace")

    def list(self, item):
        return [item() for _ in range(self.number())]

    def time(self):
        return self.signed() * 10**9 + self.number()


KINDS = "file directory symlink fifo socket character-device block-device".split()
Entry = collections.namedtuple("Entry", "path kind about mode uid gid mtime ino dev nlink flags xattrs")


def entry_of(fields):
    path, kind, about = path_of(fields), fields.number(), None
    if kind >= len(KINDS):
        raise Damage("an unknown kind of entry")
    kind = KINDS[kind]
    if kind == "file":
        about = fields.number()
    elif kind == "symlink":
        about = fields.bytes()
    elif kind.endswith("device"):
        about = (fields.number(), fields.number())
    mode, uid, gid, mtime, _ctime = fields.number(), fields.number(), fields.number(), fields.time(), fields.time()
    ino, dev, nlink, flags = fields.number(), fields.number(), fields.number(), fields.number()
    xattrs = fields.list(lambda: (fields.bytes(), fields.bytes()))
    return Entry(path, kind, about, mode & 0o7777, uid, gid, mtime, ino, dev, nlink, flags, xattrs)


def path_of(fields):
    """An absolute, clean path: nothing else may name a place beneath DIR."""
    path = fields.bytes()
    names = path[1:].split(b"/")
    if path != b"/" and (path[:1] != b"/" or any(n in (b"", b".", b"..") or b"\0" in n for n in names)):
        raise Damage(f"a path that is none: {path[:80]!r}")
    return path


def record_of(fields):
    """One record as (what, …). The content of a file follows its node: data, lost, end."""
    what = fields.number()
    if what == 0:
        return ("node", entry_of(fields))
    if what == 1:
        return ("link", entry_of(fields), path_of(fields))
    if what == 2:
        return ("data", fields.number(), fields.number(), fields.raw(32))
    if what == 3:
        return ("lost", fields.number(), fields.number())
    if what == 4:
        return ("end", fields.number(), ("steady", "changed", "cut")[min(fields.number(), 2)])
    if what == 5:
        return ("gone", path_of(fields))
    if what == 6:
        return ("left-out", path_of(fields), fields.text())
    raise Damage("an unknown record")


def path_in(record):
    if record[0] in ("node", "link"):
        return record[1].path
    return record[1] if record[0] in ("gone", "left-out") else None


# ---- manifests/WORKLOAD/PASS/ --------------------------------------------------------------------------------------

def read_file(path, magic):
    """The small files of a pass: magic 8, version 1, zero 3, length 4, checksum 16, body."""
    with open(path, "rb") as file:
        data = file.read(17 << 20)
    if data[:8] != magic or data[8:12] not in (b"\1\0\0\0", b"\2\0\0\0"):
        raise Damage("another kind of file, or of an unknown version")
    if struct.unpack_from("<I", data, 12)[0] != len(data) - 32:
        raise Damage("its length is wrong")
    check(data[16:32], data[:16], data[32:])
    return data[8], Fields(data[32:])


class Pass:
    def __init__(self, store, workload, number):
        self.folder = os.path.join(store, "manifests", workload, f"{number:08}")
        self.store, self.workload, self.number = store, workload, number
        version, head = read_file(os.path.join(self.folder, "head"), b"EVACPASS")
        head.text()
        self.host = head.text()
        head.number()
        if head.number() == 0:
            head.number(), head.number()
        head.number()
        head.raw(8)
        self.started = head.text()
        self.paths, self.excludes = head.list(head.bytes), head.list(head.text)
        self.layers = []
        if version == 2:  # builds on runs of former passes
            head.number()
            self.layers = head.list(lambda: self.layer(head))
        self.sealed, self.entries, self.bytes, self.runs = None, None, None, self.runs_there()
        if os.path.exists(os.path.join(self.folder, "sealed")):
            seal = read_file(os.path.join(self.folder, "sealed"), b"EVACDONE")[1]
            self.runs = seal.list(lambda: (number, seal.number(), seal.number()))
            tally = [seal.number() for _ in range(11)]
            self.entries, self.bytes, self.sealed = tally[0], tally[2], seal.text()
        self.is_aside = os.path.exists(os.path.join(self.folder, "aside"))

    @staticmethod
    def layer(head):
        run = (head.number(), head.number(), head.number())
        if head.raw(1) == b"\1":
            head.signed()
        return run

    def runs_there(self):
        """Runs of a pass that was not completed: whatever is whole of them counts."""
        names = sorted(name for name in os.listdir(self.folder) if name.startswith("run-"))
        return [(self.number, int(name[4:]), None) for name in names]

    def run_files(self):
        """Oldest first: (file, where it ends or None)."""
        for number, run, end in self.layers + sorted(self.runs):
            name = os.path.join("manifests", self.workload, f"{number:08}", f"run-{run:05}")
            yield os.path.join(self.store, name), end


def read_run(path, end):
    """The records of one run: segments of magic `EVsg`, each compressed and checked by itself."""
    try:
        file = open(path, "rb")
    except OSError as error:
        problem(path, f"a part of the list of files: {error.strerror}")
        return
    with file:
        size = os.fstat(file.fileno()).st_size
        limit, at, is_behind_damage, number = (size if end is None else end), 0, False, 0
        if size < limit:
            problem(path, f"cut short: {size} bytes of {limit}")
        while at < min(limit, size):
            try:
                after, raw, count, found = read_segment(file, at)
                if end is not None and found != number:
                    problem(path, f"segments before the one at {at} are missing")
                fields = Fields(raw)
                for _ in range(count):
                    record = record_of(fields)
                    if path_in(record) is not None:
                        is_behind_damage = False
                    if not is_behind_damage:  # else it belongs to a file whose node is lost
                        yield record
                at, number = after, found + 1
            except Damage as why:
                following = search(file, at + 1, min(limit, size), b"EVsg")
                if following is None and end is None:
                    return  # the torn end of a pass that was interrupted
                problem(path, f"damaged at {at}, entries are missing: {why}")
                at, is_behind_damage = limit if following is None else following, True
                number = segment_number(file, at) if at < limit else number


def read_segment(file, at):
    file.seek(at)
    prefix = file.read(56)
    if len(prefix) < 56 or prefix[:8] != b"EVsg\1\0\0\0":
        raise Damage("no segment begins here")
    head_bytes, payload_bytes, raw_bytes, count = struct.unpack_from("<4I", prefix, 8)
    if head_bytes > 1 << 20 or raw_bytes > 32 << 20 or payload_bytes > 33 << 20 or count > 1 << 20:
        raise Damage("impossible lengths")
    head, payload = file.read(head_bytes), file.read(payload_bytes)
    if len(payload) < payload_bytes:
        raise Damage("it is cut short")
    check(prefix[40:56], prefix[:40], head)
    check(prefix[24:40], payload)
    return at + 56 + head_bytes + payload_bytes, expanded(payload, raw_bytes), count, Fields(head).number()


def segment_number(file, at):
    try:
        return read_segment(file, at)[3]
    except Damage:
        return 0


def search(file, at, limit, magic):
    """Where `magic` stands next."""
    while at < limit:
        file.seek(at)
        block = file.read(min(1 << 20, limit - at))
        found = block.find(magic)
        if found >= 0:
            return at + found
        if len(block) < len(magic):
            return None
        at += len(block) - len(magic) + 1
    return None


class Stream:
    """A run with a look at its next record. `cover`: a path whose older descendants it takes away."""

    def __init__(self, path, end):
        self.records, self.cover = read_run(path, end), None
        self.peek = next(self.records, None)

    def take(self):
        record, self.peek = self.peek, next(self.records, None)
        return record

    def key(self):
        """Orders paths: a folder before what is in it, that before the next sibling."""
        path = self.peek and path_in(self.peek)
        return None if path is None else path.replace(b"/", b"\0")

    def covers(self, key):
        cover = self.cover
        return cover is not None and (cover == b"\0" or key == cover or key.startswith(cover + b"\0"))

    def note(self, record):
        if record[0] == "gone" or record[0] in ("node", "link") and record[1].kind != "directory":
            self.cover = path_in(record).replace(b"/", b"\0")


def merged(run_files):
    """The tree of a pass. Per path the newest run wins, from a file's node to its end. `gone`, and anything that is
    no directory, takes what older runs have beneath; `left-out` takes nothing. A node that comes twice in a row was
    begun again: the later one counts."""
    streams = [Stream(path, end) for path, end in run_files]
    while True:
        for stream in streams:  # pieces without a node, behind damage
            while stream.peek and stream.key() is None:
                stream.take()
        keys = [stream.key() for stream in streams]
        if all(key is None for key in keys):
            return
        key = min(key for key in keys if key is not None)
        newest = max(at for at, other in enumerate(keys) if other == key)
        stream = streams[newest]
        record = stream.take()
        stream.note(record)
        is_hidden = any(newer.covers(key) for newer in streams[newest + 1 :])
        if record[0] == "left-out":
            if not is_hidden:
                yield record
            continue
        for older in streams[:newest]:
            while older.peek and older.key() in (key, None):
                older.note(older.take())
        if not is_hidden and record[0] != "gone":
            yield record
        while stream.peek and stream.key() is None:
            piece = stream.take()
            if not is_hidden and record[0] != "gone":
                yield piece


# ---- packs/WORKLOAD/ID ---------------------------------------------------------------------------------------------

ROW = struct.Struct("<32sIII")  # chunk id, number of the pack, offset and length of the frame


def pack_frames(path):
    """(offset, length, chunk ids) of every frame: from the footer, else frame by frame."""
    with open(path, "rb") as file:
        head = file.read(35)
        if head[:10] != b"EVACPACK\1\0":
            problem(path, "damaged: no pack, of an unknown version, or encrypted")
        start, size = 35 + (head[34] if len(head) == 35 else 0) + 16, os.fstat(file.fileno()).st_size
        try:
            frames = footer_frames(file, head[18:34], start, size)
        except Damage as why:
            problem(path, f"damaged footer, read frame by frame: {why}")
            frames = None
        yield from scanned_frames(file, path, start, size) if frames is None else frames


def footer_frames(file, pack_id, start, size):
    """`None`: the pack was never sealed."""
    file.seek(max(0, size - 12))
    length, magic = struct.unpack("<I8s", file.read(12).rjust(12, b"\0"))
    if magic != b"EVACSEAL":
        return None
    if length < 44 or length > size - start - 12:
        raise Damage("an impossible length")
    file.seek(size - 12 - length)
    footer = file.read(length)
    if footer[:8] != b"EVft\1\0\0\0" or footer[8:24] != pack_id:
        raise Damage("it belongs elsewhere")
    check(footer[-16:], footer[:-16])
    frames, at = [], 28
    for _ in range(struct.unpack_from("<I", footer, 24)[0]):
        if at + 12 > length - 16:
            raise Damage("it ends too early")
        offset, frame_bytes, count = struct.unpack_from("<III", footer, at)
        ids = footer[at + 12 : at + 12 + 32 * count]
        frames.append((offset, frame_bytes, [ids[n : n + 32] for n in range(0, len(ids) - 31, 32)]))
        at += 12 + 32 * count
    return frames


def scanned_frames(file, path, start, size):
    at = start
    while at is not None and at + 28 <= size:
        try:
            file.seek(at)
            prefix = file.read(28)
            count = frame_fields(prefix)[3]
            length = 28 + 36 * count + 16 + frame_fields(prefix)[2]
            if at + length > size:
                raise Damage("it is cut short")
            table = file.read(36 * count)
            yield at, length, [table[n : n + 32] for n in range(0, len(table), 36)]
            at += length
        except Damage as why:
            following = search(file, at + 1, size, b"EVfr")
            if following is not None:
                problem(path, f"damaged at {at}: {why}")
            else:  # as a crash leaves it; what is missing is listed with its files
                note(path, f"it was never closed, what stands at {at} is not whole")
            at = following


def frame_fields(prefix):
    """(is compressed, raw length, payload length, number of chunks)"""
    codec, domain, raw_bytes, payload_bytes, count = struct.unpack("<6xBx8sIII", prefix)
    if prefix[:6] != b"EVfr\1\0" or codec > 1:
        raise Damage("no frame begins here")
    if not 0 < raw_bytes <= 4 << 20 or not 0 < payload_bytes <= 5 << 20 or not 0 < count <= 16384:
        raise Damage("impossible lengths")
    return codec == 1, raw_bytes, payload_bytes, count


class Rows:
    """A sorted file as a sequence of chunk ids."""

    def __init__(self, file, rows):
        self.rows, self.file = rows, file
        self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if rows else b""

    def at(self, row):
        return ROW.unpack_from(self.map, row * ROW.size)

    def places(self, chunk):
        low, high = 0, self.rows
        while low < high:
            middle = (low + high) // 2
            if self.at(middle)[0] < chunk:
                low = middle + 1
            else:
                high = middle
        while low < self.rows and self.at(low)[0] == chunk:
            yield self.at(low)[1:]
            low += 1


class Packs:
    """Finds chunks. Which are where is sorted into a temporary file, so memory does not grow with the store."""

    FRAMES_KEPT = 16

    def __init__(self, stores):
        walks = [walk for store in stores for walk in os.walk(os.path.join(store, "packs"))]
        self.paths = sorted(os.path.join(folder, name) for folder, _, names in walks for name in names if name[0] != ".")
        self.keys, self.frames, self.bad = self.read_keys(stores[0]), collections.OrderedDict(), set()
        self.rows = self.sort()

    @staticmethod
    def read_keys(store):
        """The keys that name chunks, by domain; without them only checksums can be verified."""
        keys = {}
        # Beside the store; of a mirror inside it.
        for folder in (os.path.join(store, os.pardir, "keys"), os.path.join(store, "keys")):
            for name in os.listdir(folder) if os.path.isdir(folder) else []:
                with open(os.path.join(folder, name), "rb") as file:
                    data = file.read(200)
                if data[:8] == b"EVACKEY\1":
                    keys[data[8:16]] = data[16:48]
        return keys

    def sort(self):
        parts = [tempfile.TemporaryFile() for _ in range(256)]
        for number, path in enumerate(self.paths):
            try:
                for offset, length, ids in pack_frames(path):
                    for chunk in ids:
                        parts[chunk[0]].write(ROW.pack(chunk, number, offset, length))
            except OSError as error:
                problem(path, f"cannot be read: {error.strerror}")
        whole, count = tempfile.TemporaryFile(), 0
        for part in parts:
            part.seek(0)
            data = part.read()
            part.close()
            rows = sorted(data[at : at + ROW.size] for at in range(0, len(data), ROW.size))
            whole.write(b"".join(rows))
            count += len(rows)
        whole.flush()
        return Rows(whole, count)

    def chunk(self, chunk, length):
        why = Damage("it is in no pack")
        for place in self.rows.places(chunk):
            try:
                content = self.frame(*place)[chunk]
                if len(content) != length:
                    raise Damage("it has another length than stated")
                return content
            except (Damage, OSError, KeyError) as error:
                path = self.paths[place[0]]
                why = Damage(f"damaged pack {path} at {place[1]}: {error}")
                if place not in self.bad:
                    self.bad.add(place)
                    problem(path, f"damaged at {place[1]}: {error}")
        raise why

    def frame(self, pack, offset, length):
        """The chunks of one frame by id: prefix 28, table of (id 32, length 4), checksum 16, payload."""
        if (pack, offset) in self.frames:
            self.frames.move_to_end((pack, offset))
            return self.frames[pack, offset]
        with open(self.paths[pack], "rb") as file:
            file.seek(offset)
            data = file.read(min(length, 6 << 20))
        if len(data) < 28:
            raise Damage("it is cut short")
        is_compressed, raw_bytes, payload_bytes, count = frame_fields(data[:28])
        table, payload = data[28 : 28 + 36 * count], data[44 + 36 * count :]
        if len(payload) != payload_bytes:
            raise Damage("it is cut short")
        check(data[28 + 36 * count : 44 + 36 * count], data[: 28 + 36 * count], payload)
        raw = expanded(payload, raw_bytes) if is_compressed else payload
        chunks, at, key = {}, 0, self.keys.get(data[8:16])
        for row in range(0, len(table), 36):
            name, size = struct.unpack_from("<32sI", table, row)
            chunks[name] = raw[at : at + size]
            at += size
            if blake3 and key and blake3.blake3(chunks[name], key=key).digest() != name:
                raise Damage("a piece is not what its name says")
        if at != raw_bytes:
            raise Damage("its pieces do not add up")
        self.frames[pack, offset] = chunks
        if len(self.frames) > self.FRAMES_KEPT:
            self.frames.popitem(last=False)
        return chunks


# ---- writing a tree ------------------------------------------------------------------------------------------------

INSIDE = os.O_NOFOLLOW | os.O_CLOEXEC
GET_FLAGS, SET_FLAGS = 0x80086601, 0x40086602  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS with a 64-bit long
FLAGS_KEPT = 0x1 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x80 | 0x10000 | 0x800000


class Tree:
    """Writes beneath one folder and nowhere else: every name is used relative to an open directory that was reached
    without following a link, and everything is made new."""

    def __init__(self, root, packs):
        os.makedirs(root, mode=0o700, exist_ok=True)
        if os.listdir(root):
            sys.exit(f"unpack.py: {root} is not empty")
        self.packs, self.is_root = packs, os.geteuid() == 0
        # Open directories from the root to where the records are: name, descriptor, entry to be put on at leaving.
        self.open = [[b"", os.open(root, os.O_RDONLY | os.O_DIRECTORY), None]]
        self.file = self.entry = None
        self.entries, self.classes, self.flagged = 0, collections.Counter(), []

    def put(self, record):
        what = record[0]
        try:
            if what in ("node", "link"):
                self.end_file("its content ends too early")
                if self.entry and record[1].path == self.entry.path and record[1].kind != "directory":
                    os.unlink(self.place(record[1].path)[1], dir_fd=self.place(record[1].path)[0])
                self.entry = record[1]
                self.entries += 1
                self.put_link(*record[1:]) if what == "link" else self.put_node(record[1])
            elif what == "data" and self.file is not None:
                self.write(*record[1:])
            elif what == "lost" and self.file is not None:
                problem(self.entry.path, f"{record[2]} bytes at {record[1]} were lost at the source: zeros stand there")
            elif what == "end" and self.file is not None:
                os.ftruncate(self.file, record[1])
                self.end_file(None)
                if record[2] == "cut":
                    note(self.entry.path, "could not be read to its end at the source")
            elif what == "left-out":
                note(record[1], f"left out at the source: {record[2]}")
        except OSError as error:
            problem(self.entry.path if self.entry else "?", error.strerror)
            self.drop_file()

    def write(self, offset, length, chunk):
        try:
            content = self.packs.chunk(chunk, length)
        except Damage as why:
            problem(self.entry.path, f"{length} bytes at {offset} are missing, zeros stand there: {why}")
            return
        while content:
            done = os.pwrite(self.file, content, offset)
            content, offset = content[done:], offset + done

    def place(self, path):
        """The open directory that is to hold `path`, and the name in it."""
        names = path[1:].split(b"/")
        above, keep = names[:-1], 0
        while keep < min(len(above), len(self.open) - 1) and self.open[keep + 1][0] == above[keep]:
            keep += 1
        while len(self.open) - 1 > keep:
            self.leave()
        for name in above[keep:]:
            self.enter(name, None)
        return self.open[-1][1], names[-1]

    def enter(self, name, entry):
        here = self.open[-1][1]
        try:
            os.mkdir(name, 0o700, dir_fd=here)
        except FileExistsError:
            pass
        there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | INSIDE, dir_fd=here)
        self.open.append([name, there, entry])

    def leave(self):
        name, directory, entry = self.open.pop()
        if entry:
            self.dress(entry, directory)
        os.close(directory)

    def put_node(self, entry):
        if entry.path == b"/":
            self.open[0][2] = entry
            return
        here, name = self.place(entry.path)
        if entry.kind == "directory":
            return self.enter(name, entry)
        if entry.kind == "file":
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | INSIDE
            self.file = os.open(name, flags, 0o600, dir_fd=here)
            return None
        if entry.kind == "symlink":
            os.symlink(entry.about, name, dir_fd=here)
        else:
            kind = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "character-device": stat.S_IFCHR}
            device = os.makedev(*entry.about) if entry.about else 0
            os.mknod(name, 0o600 | kind.get(entry.kind, stat.S_IFBLK), device, dir_fd=here)
        self.dress(entry, None, here, name)
        return None

    def put_link(self, entry, first):
        here, name = self.place(entry.path)
        names, there = first[1:].split(b"/"), os.dup(self.open[0][1])
        for above in names[:-1]:
            inner = os.open(above, os.O_PATH | os.O_DIRECTORY | INSIDE, dir_fd=there)
            os.close(there)
            there = inner
        try:
            os.link(names[-1], name, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
        finally:
            os.close(there)

    def end_file(self, why):
        if self.file is not None:
            if why:
                problem(self.entry.path, why)
            self.dress(self.entry, self.file)
            self.drop_file()

    def drop_file(self):
        if self.file is not None:
            os.close(self.file)
        self.file = None

    def dress(self, entry, descriptor, here=None, name=None):
        """Owner first, for its change drops capabilities; then mode, attributes and ACLs; times last."""
        by_path = descriptor if descriptor is not None else f"/proc/self/fd/{here}/".encode() + name
        at = {} if descriptor is not None else {"follow_symlinks": False}
        mode = entry.mode
        try:
            os.chown(by_path, entry.uid, entry.gid, **at)
        except (OSError, OverflowError, ValueError):
            mode &= 0o1777
            self.once("owner", entry.path, f"owner {entry.uid}:{entry.gid} cannot be set")
        if entry.kind != "symlink":
            self.attempt(entry, "mode", os.chmod, by_path, mode)
        for key, value in entry.xattrs:
            if key.startswith(b"trusted.SGI_ACL_"):
                continue  # an ACL once more, as XFS encodes it
            try:
                os.setxattr(by_path, key, value, **at)
            except OSError as error:
                self.once("attribute", entry.path, f"attribute {printable(key)}: {error.strerror}")
        self.attempt(entry, "times", os.utime, by_path, ns=(entry.mtime, entry.mtime), **at)
        if entry.flags & FLAGS_KEPT and entry.kind in ("file", "directory"):
            self.flagged.append((entry.path, entry.flags & FLAGS_KEPT))

    @staticmethod
    def attempt(entry, what, call, *arguments, **named):
        try:
            call(*arguments, **named)
        except (OSError, OverflowError) as error:
            problem(entry.path, f"{what}: {error}")

    def once(self, kind, path, why):
        """What fails alike for many entries is listed once and counted."""
        self.classes[kind] += 1
        if self.classes[kind] == 1:
            problem(path, why)

    def finish(self):
        self.end_file("its content ends too early")
        while len(self.open) > 1:
            self.leave()
        for path, flags in self.flagged:  # immutable and append-only: nothing may follow
            try:
                self.set_flags(path, flags)
            except OSError as error:
                self.once("flags", path, f"inode flags: {error.strerror}")
        if self.open[0][2]:
            self.dress(self.open[0][2], self.open[0][1])
        os.sync()
        for kind, count in self.classes.items():
            if count > 1:
                print(f"problem: {kind}: the same for {count - 1} more", file=sys.stderr)

    def set_flags(self, path, flags):
        there = os.dup(self.open[0][1])
        for name in path[1:].split(b"/"):
            inner = os.open(name, os.O_RDONLY | os.O_NONBLOCK | INSIDE, dir_fd=there)
            os.close(there)
            there = inner
        now = struct.unpack("i", fcntl.ioctl(there, GET_FLAGS, b"\0\0\0\0"))[0]
        if now & FLAGS_KEPT != flags:
            fcntl.ioctl(there, SET_FLAGS, struct.pack("i", now & ~FLAGS_KEPT | flags))
        os.close(there)


# ---- the command ---------------------------------------------------------------------------------------------------

def passes_of(store, workload):
    """Every readable pass, oldest first."""
    folder, found = os.path.join(store, "manifests", workload), []
    for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
        if name.isdigit():
            try:
                found.append(Pass(store, workload, int(name)))
            except (OSError, Damage) as why:
                problem(os.path.join(folder, name), why)
    return found


def list_store(store):
    for workload in sorted(os.listdir(os.path.join(store, "manifests"))):
        for one in passes_of(store, workload):
            state = f"complete since {one.sealed}, {one.entries} changed entries, {one.bytes} bytes" if one.sealed \
                else "incomplete"
            base = f", builds on pass {max(n for n, _, _ in one.layers)}" if one.layers else ""
            aside = ", set aside as doubtful" if one.is_aside else ""
            paths = " ".join(printable(path) for path in one.paths)
            print(printable(f"{workload} pass {one.number} of {one.host}: {state}{base}{aside}; {paths}"))


def choose(store, workload, number):
    passes = passes_of(store, workload)
    usable = [one for one in passes if one.sealed and not one.is_aside] or [p for p in passes if not p.is_aside]
    chosen = [one for one in passes if one.number == number] if number else usable[-1:]
    if not chosen:
        print(f"unpack.py: no such pass of {printable(workload)}; `list` shows what there is", file=sys.stderr)
        sys.exit(2)
    if not chosen[0].sealed:
        problem(workload, f"pass {chosen[0].number} is incomplete: only what had arrived is there")
    return chosen[0]


def unpack(stores, one, to):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one descriptor for each level of folders
    os.umask(0o077)
    packs = Packs(stores)
    checks = "checksums and names of content" if packs.keys else "checksums"
    print(f"unpacking {one.workload}, pass {one.number}; verified: "
          + (checks if blake3 else "no checksums, for want of the Python module blake3"), file=sys.stderr)
    tree = Tree(to, packs)
    for record in merged(one.run_files()):
        tree.put(record)
    tree.finish()
    unverified = "" if blake3 else "; content was NOT verified: pip install blake3"
    print(f"{tree.entries} entries written to {to}, {problems} problems{unverified}", file=sys.stderr)


def main(words):
    options = {"--pass": None, "--to": None}
    plain = []
    while words:
        word = words.pop(0)
        if word in options and words:
            options[word] = words.pop(0)
        elif word.startswith("-"):
            plain = []
            break
        else:
            plain.append(word)
    # The folder that has the index is the one whose lists of files count; others may have a copy of them.
    words = next((at for at, word in enumerate(plain) if at and word in ("list", "unpack")), len(plain))
    stores = sorted(plain[:words], key=lambda it: not os.path.isdir(os.path.join(it, "index")))
    stores.sort(key=lambda it: not os.path.isdir(os.path.join(it, "manifests")))
    plain = stores[:1] + plain[words:]
    number = int(options["--pass"] or 0) if (options["--pass"] or "0").isdigit() else None
    is_list = plain[1:2] == ["list"] and len(plain) < 4 and not options["--to"]
    is_unpack = plain[1:2] == ["unpack"] and len(plain) == 3 and options["--to"]
    if number is None or not (is_list or is_unpack) or not os.path.isdir(os.path.join(plain[0], "manifests")):
        print(__doc__, file=sys.stderr)
        return 2
    global zstd
    zstd = find_zstd()
    if plain[2:] and (os.sep in plain[2] or plain[2][:1] == "."):
        print("unpack.py: that is no name of a workload", file=sys.stderr)
        return 2
    if is_unpack:
        unpack(stores, choose(plain[0], plain[2], number), options["--to"])
    elif plain[2:]:
        for record in merged(choose(plain[0], plain[2], number).run_files()):
            if record[0] in ("node", "link"):
                about = record[1].about if record[1].kind == "file" else "-"
                print(record[1].kind, about, printable(record[1].path))
    else:
        list_store(plain[0])
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except BrokenPipeError:
        sys.exit(1)
