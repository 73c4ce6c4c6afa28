#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Stands in for the driver where there is none: see standin.c.

usage: standin.py [--deny] [--usable A,B] [--after A,B] PRELOAD COMMAND...

Runs COMMAND with the stand-in in place of /dev/migrate-notify, and ends with its exit code.
Phases, events and page are made by the driver's own code (standin_core.c, beside PRELOAD as
mn-core.so); who subscribes and what is refused is played here.
--deny    open() for writing and inject are refused, as to an ordinary user
--usable  the features that are usable; none by default
--after   those that are usable after the first migration that is no drill
"""
import array
import ctypes
import errno
import mmap
import os
import re
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

UAPI = os.path.join(os.path.dirname(__file__), '../../../include/uapi/linux/')
FEATURES = {m[2]: int(m[1]) for m in re.finditer(
    r'^MN_FEATURE\((\d+),\s*\w+,\s*"([^"]+)"',
    open(UAPI + 'migrate_notify_features.def').read(), re.M)}
EVENT_SIZE, EVENT_LOST = 136, 4
SUBSCRIBE = struct.Struct('<IIQQQII32s')
INSTANCE = 0x5eed
INJECT = struct.Struct('<IIQIIQ4Q4Q')
ENTRY = struct.Struct('<QIIIIQQQQQ32s')
LIST = struct.Struct('<QQII')
PREPARING = 1
IN, OUT = selectors.EVENT_READ, selectors.EVENT_WRITE


def iowr(nr, size):
    return 3 << 30 | size << 16 | 0xd9 << 8 | nr


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def words(names):
    v = sum(1 << FEATURES[n] for n in names)
    return (ctypes.c_uint64 * 4)(*(v >> 64 * i & (1 << 64) - 1 for i in range(4)))


class Core(ctypes.CDLL):
    """standin_core.c"""

    def __init__(self, path):
        super().__init__(path)
        for name in ('next', 'op', 'began', 'newest'):
            getattr(self, 'core_' + name).restype = ctypes.c_uint64
        self.core_phase.restype = ctypes.c_uint32
        self.core_read.restype = ctypes.c_bool


def u64(v):
    return ctypes.c_uint64(v)


class Subscriber:
    def __init__(self, ident, sock, control, pid, uid, write):
        self.id, self.sock, self.control, self.pid, self.uid = ident, sock, control, pid, uid
        self.write, self.delay, self.events, self.name = write, False, 0x62, b''
        self.acks = self.missed = self.last = self.max = 0
        self.waiting = self.refused = False
        self.acked_op = 0
        self.cursor, self.unsent, self.lost = u64(0), b'', False


class Driver:
    def __init__(self, core, deny, usable, after):
        self.core, self.deny, self.subs, self.ids = core, deny, [], 0
        self.sel = selectors.DefaultSelector()
        self.dir = tempfile.TemporaryDirectory()
        self.path = self.dir.name + '/device'
        self.listen = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listen.bind(self.path)
        os.chmod(self.dir.name, 0o755)
        os.chmod(self.path, 0o777)
        self.listen.listen(1024)
        self.sel.register(self.listen, IN, None)
        self.memfd = os.memfd_create('page')
        os.ftruncate(self.memfd, 4096)
        self.page = mmap.mmap(self.memfd, 4096)
        core.core_start(ctypes.byref(ctypes.c_char.from_buffer(self.page)), words(usable),
                        words(usable if after is None else after))

    def flush(self, s):
        """All that it has not read yet, as far as its socket takes it."""
        record = ctypes.create_string_buffer(EVENT_SIZE)
        try:
            while s.unsent or self.core.core_read(ctypes.byref(s.cursor), s.events, record):
                if s.lost and not s.unsent:
                    record[6] = record[6][0] | EVENT_LOST
                    s.lost = False
                s.unsent = s.unsent or record.raw
                s.sock.send(s.unsent, socket.MSG_DONTWAIT)
                s.unsent = b''
        except BlockingIOError:
            pass
        except OSError:
            s.unsent = b''
        self.sel.modify(s.sock, IN | (OUT if s.unsent else 0), s)

    def spread(self):
        """After each step: those who waited in vain, and everybody's events."""
        if self.core.core_phase() != PREPARING:
            for s in self.subs:
                s.missed += s.waiting
                s.waiting = False
        for s in self.subs:
            self.flush(s)

    def acked(self, s, refuse=False):
        s.waiting, s.refused = False, refuse
        s.acked_op = self.core.core_op()
        s.acks, s.last = s.acks + 1, now() - self.core.core_began()
        s.max = max(s.max, s.last)
        self.core.core_ack(u64(now()), refuse)
        self.spread()

    def ack(self, s, data):
        if len(data) == 8:
            op, flags = struct.unpack('<Q', data)[0], 0
        elif len(data) == 16:
            op, flags, reserved = struct.unpack('<QII', data)
            if flags & ~1 or reserved:
                return -errno.EINVAL
        else:
            return -errno.EINVAL
        if not s.write:
            return -errno.EBADF
        if not s.delay:
            return -errno.EPERM
        if op == s.acked_op:
            return 0
        if op != self.core.core_op() or self.core.core_phase() != PREPARING:
            return -errno.ESTALE
        if s.waiting:
            self.acked(s, bool(flags & 1))
        return 0

    # requests

    def inject(self, data):
        if self.deny:
            return -errno.EPERM, b''
        record = ctypes.create_string_buffer(data, INJECT.size)
        # As in core.c: whoever delays now is waited for, if this begins an operation.
        result = self.core.core_inject(u64(now()), record, sum(s.delay for s in self.subs))
        if not result and self.core.core_phase() == PREPARING:
            for s in self.subs:
                s.waiting, s.refused = s.delay, False
        self.spread()
        return result, record.raw

    def subscribe(self, s, data):
        flags, events, cursor, _, instance, size, reserved, name = SUBSCRIBE.unpack(data)
        events = events or 0x62
        if flags & ~1 or events & ~0x7e or reserved or flags & ~events >> 1 or (
                size and size < EVENT_SIZE):
            return -errno.EINVAL, b''
        if flags & 1 and not s.write:
            return -errno.EPERM, b''
        s.lost = bool(instance) and instance != INSTANCE
        if s.lost:
            cursor = 0
        s.delay, s.events, s.name = bool(flags & 1), events, name
        if not s.delay and s.waiting:
            self.acked(s)
        cursor = min(cursor, self.core.core_newest())
        s.unsent, s.cursor = b'', u64(cursor)
        self.flush(s)
        return 0, SUBSCRIBE.pack(flags, events, cursor, s.id, INSTANCE, EVENT_SIZE, 0, name)

    def list(self, data):
        after, entries, size, count = LIST.unpack(data)
        if not 1 <= count <= 1024 or size < ENTRY.size:
            return -errno.EINVAL, b''
        found = [s for s in self.subs if s.id > after][:count]
        return 0, LIST.pack(after, entries, size, len(found)) + b''.join(
            ENTRY.pack(s.id, s.pid, s.uid, s.delay | s.waiting << 1 | s.refused << 2, s.events,
                       s.cursor.value, s.acks, s.missed, s.last, s.max, s.name) for s in found)

    def request(self, s):
        data = s.control.recv(1024)
        if not data:
            return
        what, data = struct.unpack_from('<I', data)[0], data[4:]
        if what == 0:
            result, out = self.ack(s, data), b''
        elif what == iowr(1, SUBSCRIBE.size):
            result, out = self.subscribe(s, data)
        elif what == iowr(2, INJECT.size):
            result, out = self.inject(data)
        elif what == iowr(3, LIST.size):
            result, out = self.list(data)
        else:
            result, out = -errno.ENOTTY, b''
        try:
            s.control.send(struct.pack('<i', result) + out)
        except BrokenPipeError:         # died meanwhile
            pass

    def accept(self):
        sock = self.listen.accept()[0]
        hello = sock.recv(8)
        if len(hello) < 8:      # another test looked whether we listen
            sock.close()
            return
        flags, pid = struct.unpack('<ii', hello)
        uid = struct.unpack('iii', sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
        write = flags & 3 == os.O_RDWR
        if write and self.deny:
            sock.send(struct.pack('<i', errno.EACCES))
            sock.close()
            return
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for s in (ours, theirs):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
        sock.sendmsg([struct.pack('<i', 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array(
            'i', [self.memfd, theirs.fileno()]))])
        theirs.close()
        self.ids += 1
        s = Subscriber(self.ids, sock, ours, pid, uid, write)
        s.cursor = u64(self.core.core_newest())
        self.subs.append(s)
        self.sel.register(sock, IN, s)
        self.sel.register(ours, IN, s)
        self.core.core_subscribers(len(self.subs))

    def close(self, s):
        self.sel.unregister(s.sock)
        self.sel.unregister(s.control)
        s.sock.close()
        s.control.close()
        self.subs.remove(s)
        self.core.core_subscribers(len(self.subs))
        if s.waiting:
            self.acked(s)

    def run(self, child):
        while child.poll() is None:
            due = self.core.core_next()
            left = max(0, due - now()) / 1e9 if due else 1
            for key, what in self.sel.select(min(left, 0.05)):
                s = key.data
                if s is None:
                    self.accept()
                elif s not in self.subs:
                    continue
                elif key.fileobj is s.control:
                    self.request(s)
                else:
                    if what & OUT:
                        self.flush(s)
                    try:
                        if what & IN and not s.sock.recv(64):
                            self.close(s)
                    except ConnectionResetError:    # closed with events unread
                        self.close(s)
            if due and now() >= due:
                self.core.core_tick(u64(now()))
                self.spread()
        return child.returncode


def main(args):
    deny, usable, after = False, [], None
    while args and args[0].startswith('--'):
        option = args.pop(0)
        if option == '--deny':
            deny = True
        elif option == '--usable':
            usable = [f for f in args.pop(0).split(',') if f]
        elif option == '--after':
            after = [f for f in args.pop(0).split(',') if f]
    preload = os.path.abspath(args[0])
    driver = Driver(Core(os.path.dirname(preload) + '/mn-core.so'), deny, usable, after)
    env = dict(os.environ, MN_STANDIN=driver.path, LD_PRELOAD=preload,
               ASAN_OPTIONS='verify_asan_link_order=0')
    child = subprocess.Popen(args[1:], env=env)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda n, _: child.send_signal(n))
    sys.exit(driver.run(child) & 0xff)


if __name__ == '__main__':
    main(sys.argv[1:])
