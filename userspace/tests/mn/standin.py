#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Stands in for the driver where there is none: see standin.c.

usage: standin.py [--deny] [--usable A,B] [--after A,B] PRELOAD COMMAND...

Runs COMMAND with the stand-in in place of /dev/migrate-notify, and ends with its exit code.
--deny    open() for writing and inject are refused, as to an ordinary user
--usable  the features that are usable (default: those of this machine, by CPUID, are not
          known here: none)
--after   those that are usable after the first migration that succeeds
"""
import array
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
EVENT = struct.Struct('<IHHQQQQHHIIIQQ4Q4Q')
SUBSCRIBE = struct.Struct('<IIQQ32s')
INJECT = struct.Struct('<IIQIIQ4Q4Q')
ENTRY = struct.Struct('<QIIIIQQQQQ32s')
LIST = struct.Struct('<QQII')
PREPARE, READY, TIMED_OUT, MOVING, COMPLETE, CHANGED = range(1, 7)
RING = 1024
IN, OUT = selectors.EVENT_READ, selectors.EVENT_WRITE


def iowr(nr, size):
    return 3 << 30 | size << 16 | 0xb7 << 8 | nr


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def words(names):
    v = sum(1 << FEATURES[n] for n in names)
    return [v >> 64 * i & (1 << 64) - 1 for i in range(4)]


class Subscriber:
    def __init__(self, ident, sock, control, pid, uid, write):
        self.id, self.sock, self.control, self.pid, self.uid = ident, sock, control, pid, uid
        self.write, self.delay, self.events, self.name = write, False, 0x62, b''
        self.acks = self.missed = self.last = self.max = self.cursor = 0
        self.waiting = self.refused = False
        self.queue = []


class Driver:
    def __init__(self, deny, usable, after):
        self.deny, self.usable, self.after = deny, usable, after
        self.added = self.removed = []
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
        self.page[:12] = struct.pack('<III', 0x59544f4e, 1, 512)
        self.subs, self.ring, self.ids = [], [], 0
        self.seq = self.op = self.phase = self.status = self.deadline = self.last_new = 0
        self.began = self.done = self.migrations = self.page_seq = 0
        self.feature_generation, self.expect, self.flags, self.source = 1, [0] * 8, 0, 1
        self.publish()

    # what programs see

    def publish(self):
        waiting = sum(s.waiting for s in self.subs)
        usable = words(self.usable)
        xcr0 = 7
        body = struct.pack(
            '<QQIIQQIIQQIIII8I12sIIIIIIIQIIII', self.seq, self.feature_generation, self.phase,
            self.status, self.op, self.deadline if self.phase == 1 else 0, waiting,
            sum(s.refused for s in self.subs), self.migrations, self.done, 10000, 1800000, RING,
            len(FEATURES), 0, 0x80000007, 0, 0, 0, 0, 0, 0, b'StandInStand', 0x800f12,
            2500000, 2, 1, 2, 1, 1, xcr0, len(self.subs), 0, 0, 0)
        body += struct.pack('<36Q', *usable, *usable, *usable, *[0] * 8, *words(self.added),
                            *words(self.removed), *self.expect)
        # By slices: pack_into() would put zeros first, and others look on.
        self.page[12:16] = struct.pack('<I', self.page_seq + 1)
        self.page[16:16 + len(body)] = body
        self.page_seq += 2
        self.page[12:16] = struct.pack('<I', self.page_seq)

    def event(self, kind, status=0, waiting=0, downtime=0, diff=None, flags=0):
        self.seq += 1
        expect = diff or [0] * 8
        record = EVENT.pack(
            EVENT.size, kind, self.flags | flags, self.seq, 0 if kind == CHANGED else self.op,
            now(), self.deadline if kind == PREPARE else 0, self.source, status, waiting,
            sum(s.refused for s in self.subs) if kind in (READY, TIMED_OUT, COMPLETE) else 0, 0,
            downtime, 0 if kind in (PREPARE, CHANGED) else now() - self.began, *expect)
        self.ring = (self.ring + [(self.seq, kind, record)])[-RING:]
        self.publish()
        for s in self.subs:
            if s.events >> kind & 1:
                s.queue.append(record)
                self.flush(s)

    def flush(self, s):
        try:
            while s.queue:
                s.sock.send(s.queue[0], socket.MSG_DONTWAIT)
                s.cursor = EVENT.unpack(s.queue.pop(0))[3]
        except BlockingIOError:
            pass
        except OSError:
            s.queue.clear()
        self.sel.modify(s.sock, IN | (OUT if s.queue else 0), s)

    # the operation

    def prepare(self, op, timeout, flags, expect):
        if self.phase == 1:
            return -errno.EBUSY if op != self.op else -errno.EALREADY
        if op and op == self.op:
            return -errno.EALREADY
        if self.phase:
            self.complete(4, 0)
        self.last_new += 1
        self.op = op or 1 << 63 | self.last_new
        self.phase, self.began, self.flags, self.expect = 1, now(), 2 if flags & 1 else 0, expect
        self.deadline = self.began + min(timeout or 10000, 1800000) * 1000000
        for s in self.subs:
            s.waiting, s.refused = s.delay, False
        self.event(PREPARE, waiting=sum(s.waiting for s in self.subs), diff=expect)
        self.ready()
        return 0

    def ready(self):
        if self.phase == 1 and not any(s.waiting for s in self.subs):
            self.phase = 2
            self.event(READY)

    def tick(self):
        if self.phase == 1 and now() >= self.deadline:
            self.phase = 3
            self.event(TIMED_OUT, waiting=sum(s.waiting for s in self.subs))
            self.end_waiting()

    def end_waiting(self):
        for s in self.subs:
            s.missed += s.waiting
            s.waiting = False

    def complete(self, status, downtime):
        late = sum(s.waiting for s in self.subs)
        self.end_waiting()
        diff = [0] * 8
        if status in (1, 4):
            self.migrations += 1
            if self.after is not None and not self.flags & 2:
                self.added = [f for f in self.after if f not in self.usable]
                self.removed = [f for f in self.usable if f not in self.after]
                self.usable, self.after = self.after, None
                self.feature_generation += 1
                diff = words(self.added) + words(self.removed)
        self.phase, self.status, self.done, self.expect = 0, status, now(), [0] * 8
        self.event(COMPLETE, status, late, downtime, diff)
        self.flags = 0

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
        if op != self.op or self.phase not in (1, 2):
            return -errno.ESTALE
        if s.waiting:
            s.waiting, s.refused = False, bool(flags & 1)
            s.acks, s.last = s.acks + 1, now() - self.began
            s.max = max(s.max, s.last)
            self.publish()
            self.ready()
        return 0

    # requests

    def inject(self, data):
        action, status, op, timeout, flags, downtime, *expect = INJECT.unpack(data)
        if self.deny:
            return -errno.EPERM, b''
        if action == 1:
            result = self.prepare(op, timeout, flags, expect)
        elif action == 2:
            result = -errno.ENOENT if not self.phase or op not in (0, self.op) else \
                -errno.EALREADY if self.phase == 4 else 0
            if not result:
                self.phase = 4
                self.event(MOVING)
        elif action == 3 and 1 <= status <= 4:
            if not self.phase:
                if op and op == self.op:
                    return -errno.EALREADY, b''
                self.last_new += 1
                self.op = op or 1 << 63 | self.last_new
                self.began = now()
                self.event(PREPARE, flags=1)
            elif op not in (0, self.op):
                return -errno.EBUSY, b''
            self.complete(status, downtime)
            result = 0
        else:
            result = -errno.EINVAL
        return result, INJECT.pack(action, status, self.op, timeout, flags, downtime, *expect)

    def subscribe(self, s, data):
        flags, events, cursor, _, name = SUBSCRIBE.unpack(data)
        if flags & ~1 or events & ~0x7e:
            return -errno.EINVAL, b''
        if flags & 1 and not s.write:
            return -errno.EPERM, b''
        s.delay, s.events, s.name = bool(flags & 1), events or 0x62, name
        s.queue = [r for seq, kind, r in self.ring if seq > cursor and s.events >> kind & 1]
        self.flush(s)
        return 0, SUBSCRIBE.pack(flags, events, self.seq, s.id, name)

    def list(self, data):
        after, entries, size, count = LIST.unpack(data)
        if not 1 <= count <= 1024 or size < ENTRY.size:
            return -errno.EINVAL, b''
        found = [s for s in self.subs if s.id > after][:count]
        return 0, LIST.pack(after, entries, size, len(found)) + b''.join(
            ENTRY.pack(s.id, s.pid, s.uid, s.delay | s.waiting << 1 | s.refused << 2, s.events,
                       s.cursor, s.acks, s.missed, s.last, s.max, s.name) for s in found)

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
        s.control.send(struct.pack('<i', result) + out)

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
        s.cursor = self.seq
        self.subs.append(s)
        self.sel.register(sock, IN, s)
        self.sel.register(ours, IN, s)
        self.publish()

    def close(self, s):
        self.sel.unregister(s.sock)
        self.sel.unregister(s.control)
        s.sock.close()
        s.control.close()
        self.subs.remove(s)
        self.publish()
        self.ready()

    def run(self, child):
        while child.poll() is None:
            left = max(0, self.deadline - now()) / 1e9 if self.phase == 1 else 0.05
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
            self.tick()
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
    driver = Driver(deny, usable, after)
    preload = ' '.join([args[0]] + os.environ.get('LD_PRELOAD', '').split())
    env = dict(os.environ, MN_STANDIN=driver.path, LD_PRELOAD=os.path.abspath(preload),
               ASAN_OPTIONS='verify_asan_link_order=0')
    child = subprocess.Popen(args[1:], env=env)
    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, lambda n, _: child.send_signal(n))
    sys.exit(driver.run(child) & 0xff)


if __name__ == '__main__':
    main(sys.argv[1:])
