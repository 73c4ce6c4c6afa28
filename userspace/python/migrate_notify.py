# SPDX-License-Identifier: LGPL-2.1-or-later
"""Learn of live migrations of this machine, and of the CPU features after them.

    with migrate_notify.Context('my program', delay=True) as ctx:
        for event in ctx:
            if event.type == 'prepare':
                ...
                ctx.ack(event)

This talks to /dev/migrate-notify itself (linux/migrate_notify.h) and needs nothing but Python.
Without the driver Context() raises NotSupported. Errors are OSError with the driver's errno.
A Context may be used by several threads; after a fork, the child makes one of its own.
"""
import collections
import errno
import fcntl
import mmap
import os
import select
import struct
import time

__all__ = ['Context', 'Event', 'NotSupported', 'Page', 'FEATURES', 'DEVICE']

DEVICE = '/dev/migrate-notify'
OLDEST, NOW = 0, (1 << 64) - 1
TYPES = {1: 'prepare', 2: 'ready', 3: 'timed-out', 4: 'moving', 5: 'complete', 6: 'changed'}
PHASES = {0: 'idle', 1: 'preparing', 2: 'ready', 3: 'timed-out', 4: 'moving'}
STATUSES = {0: 'none', 1: 'success', 2: 'cancelled', 3: 'failed', 4: 'unknown'}
SOURCES = {0: 'driver', 1: 'inject', 2: 'xen', 3: 'vmclock', 4: 'pvclock', 5: 'host'}

# By number, as in linux/migrate_notify_features.def; the tests compare.
FEATURES = (
    'fpu', 'tsc', 'cx8', 'cmov', 'mmx', 'fxsr', 'sse', 'sse2', 'syscall', 'sse3', 'pclmul',
    'ssse3', 'fma', 'cx16', 'sse4.1', 'sse4.2', 'movbe', 'popcnt', 'aes', 'xsave', 'osxsave',
    'avx', 'f16c', 'rdrnd', 'sahf', 'lzcnt', 'sse4a', 'prfchw', 'xop', 'fma4', 'tbm',
    'mwaitx', 'rdtscp', 'fsgsbase', 'bmi', 'hle', 'avx2', 'bmi2', 'erms', 'rtm', 'avx512f',
    'avx512dq', 'rdseed', 'adx', 'avx512ifma', 'clflushopt', 'clwb', 'avx512cd', 'sha',
    'avx512bw', 'avx512vl', 'avx512vbmi', 'pku', 'waitpkg', 'avx512vbmi2', 'gfni', 'vaes',
    'vpclmulqdq', 'avx512vnni', 'avx512bitalg', 'avx512vpopcntdq', 'rdpid', 'cldemote',
    'movdiri', 'movdir64b', 'fsrm', 'avx512vp2intersect', 'serialize', 'tsxldtrk', 'amx-bf16',
    'avx512fp16', 'amx-tile', 'amx-int8', 'sha512', 'sm3', 'sm4', 'raoint', 'avxvnni',
    'avx512bf16', 'cmpccxadd', 'fzrm', 'fsrs', 'fsrc', 'amx-fp16', 'avxifma', 'avxvnniint8',
    'avxneconvert', 'amx-complex', 'avxvnniint16', 'prefetchi', 'avx10', 'apxf', 'xsaveopt',
    'xsavec', 'invtsc', 'clzero', 'rdpru',
)

_MAGIC, _VERSION = 0x59544f4e, 1
_EVENT = struct.Struct('<IHHQQQQHHIIIQQ4Q4Q')
_SUBSCRIBE = struct.Struct('<IIQQQII32s')
_ACK = struct.Struct('<QII')
_SEQ = struct.Struct('<I')
_GENERATION = _INSTANCE = struct.Struct('<Q')
# from magic to tsc_khz ... subscribers, and from usable to removed
_HEAD = struct.Struct('<IIIIQQIIQQIIQQIIII8I12sIIIIIIIQI')
_WORDS = struct.Struct('<28Q')
_WORDS_AT = 192
_PAGE_SIZE = 512
_IOC_SUBSCRIBE = 3 << 30 | _SUBSCRIBE.size << 16 | 0xd9 << 8 | 1


class NotSupported(OSError):
    """There is no driver, or it speaks another version."""


Event = collections.namedtuple('Event', (
    'type seq op time_ns deadline_ns source status waiting refused downtime_ns duration_ns '
    'synthetic simulated lost added removed'))
Event.__doc__ = """One event. Times are time.clock_gettime_ns(time.CLOCK_MONOTONIC)'s; added and
removed are frozensets of names; status is None but for 'complete'."""

Page = collections.namedtuple('Page', (
    'generation feature_generation phase status op deadline_ns waiting refused migrations '
    'complete_ns vendor signature tsc_khz cpus level xcr0 subscribers '
    'usable everywhere somewhere no_xcr0 no_kernel added removed'))
Page.__doc__ = 'All that is known at one moment; the sets are frozensets of names.'


def _names(words):
    """Numbers that this version does not know have no name here."""
    value = sum(w << 64 * i for i, w in enumerate(words))
    return frozenset(name for nr, name in enumerate(FEATURES) if value >> nr & 1)


class Context:
    """One subscriber of the driver.

    name   who we are, for people: cut to 31 bytes
    delay  migrations wait for our ack(), up to their deadline; needs write permission
    """

    def __init__(self, name='python', delay=False):
        self._fd, self._page = -1, None     # for close(), however far this gets
        self._delay, self._pid = delay, os.getpid()
        self._name = ''.join(c if ' ' <= c <= '~' else '?' for c in name)[:31].encode()
        try:
            self._fd = os.open(DEVICE, (os.O_RDWR if delay else os.O_RDONLY) | os.O_NONBLOCK |
                               os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
                raise
            raise NotSupported(errno.ENODEV, 'no driver', DEVICE) from None
        try:
            self._page = mmap.mmap(self._fd, mmap.PAGESIZE, mmap.MAP_SHARED, mmap.PROT_READ)
            magic, version, size = struct.unpack_from('<III', self._page)
            if (magic, version) != (_MAGIC, _VERSION) or size < _PAGE_SIZE:
                raise NotSupported(errno.EPROTO, 'another version of the driver', DEVICE)
            self.subscribe()
        except BaseException:
            self.close()
            raise

    def close(self):
        """Counts as an ack of what is waited for."""
        if self._page is not None:
            self._page.close()
            self._page = None
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self):
        # Else migrations would wait for one that nobody can use any more.
        self.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _check(self):
        if self._fd < 0:
            raise ValueError('the context is closed')
        if os.getpid() != self._pid:
            raise ChildProcessError(errno.ECHILD, 'the context is the parent\'s')
        return self._fd

    def fileno(self):
        """For select(), poll() and event loops: readable while there is an event."""
        return self._fd

    def _mapped(self):
        if self._page is None:
            raise ValueError('the context is closed')
        return self._page

    @property
    def generation(self):
        """The number of the newest event: has it changed?"""
        return _GENERATION.unpack_from(self._mapped(), 16)[0]

    @property
    def instance(self):
        """Which load of the driver it is: each counts events from 1."""
        return _INSTANCE.unpack_from(self._mapped(), 480)[0]

    def subscribe(self, events=(), cursor=NOW, instance=0):
        """Which events, names as in TYPES (none: prepare, complete, changed), and from where:
        cursor is the seq of the last event dealt with, OLDEST or NOW. instance is the one that
        cursor is of: if the driver was loaded anew since, all that is kept is read, and the first
        event says lost. Who delays has to read 'prepare'."""
        numbers = {name: nr for nr, name in TYPES.items()}
        mask = sum(1 << numbers[name] for name in set(events))
        fcntl.ioctl(self._check(), _IOC_SUBSCRIBE,
                    _SUBSCRIBE.pack(self._delay, mask, cursor, 0, instance, 0, 0, self._name))

    def next(self):
        """The next Event without waiting, or None."""
        try:
            # Room for one, never for two: see mn_next() of the C library.
            record = os.read(self._check(), 2 * _EVENT.size - 1)
        except BlockingIOError:
            return None
        (_, kind, flags, seq, op, time_ns, deadline, source, status, waiting, refused, _,
         downtime, duration, *words) = _EVENT.unpack_from(record)
        return Event(TYPES.get(kind, '?'), seq, op, time_ns, deadline, SOURCES.get(source, '?'),
                     STATUSES.get(status, '?') if kind == 5 else None, waiting, refused, downtime,
                     duration, bool(flags & 1), bool(flags & 2), bool(flags & 4),
                     _names(words[:4]), _names(words[4:]))

    def wait(self, timeout=None):
        """The next Event; None after so many seconds without one."""
        end = None if timeout is None else time.monotonic() + timeout
        poll = select.poll()
        poll.register(self._check(), select.POLLIN)
        while True:
            event = self.next()
            if event is not None:
                return event
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                return None
            poll.poll(None if left is None else left * 1000 + 1)

    def __iter__(self):
        while True:
            yield self.wait()

    def ack(self, event, refuse=False):
        """Ready for the migration; event is an Event or its op. False: too late.
        refuse asks for it not to happen, which the host may honour."""
        op = event.op if isinstance(event, Event) else event
        try:
            os.write(self._check(), _ACK.pack(op, bool(refuse), 0))
        except OSError as error:
            if error.errno == errno.ESTALE:
                return False
            if error.errno == errno.EBADF:
                raise PermissionError(errno.EPERM, 'opened without delay=True') from None
            raise
        return True

    def page(self):
        """All that is known now, consistent in itself."""
        shared = self._mapped()
        for _ in range(1000):
            before = _SEQ.unpack_from(shared, 12)[0]
            copy = shared[:_PAGE_SIZE]
            if not before & 1 and _SEQ.unpack_from(shared, 12)[0] == before:
                break
        else:
            raise TimeoutError(errno.ETIMEDOUT, 'the driver writes all the time')
        (_, _, _, _, generation, feature_generation, phase, status, op, deadline, waiting,
         refused, migrations, complete, _, _, _, _, *rest) = _HEAD.unpack_from(copy)
        vendor, signature, tsc, cpus, _, _, _, level, xcr0, subscribers = rest[8:]
        words = _WORDS.unpack_from(copy, _WORDS_AT)
        return Page(generation, feature_generation, PHASES.get(phase, '?'),
                    STATUSES.get(status, '?'), op, deadline, waiting, refused, migrations,
                    complete, vendor.decode('ascii', 'replace'), signature, tsc, cpus, level,
                    xcr0, subscribers, *(_names(words[i:i + 4]) for i in range(0, 28, 4)))

    def feature(self, name):
        """'usable', 'xcr0', 'kernel', 'not-all-cpus' (reported, but unusable for that reason)
        or 'absent'. KeyError: no feature has that name."""
        if name not in FEATURES:
            raise KeyError(name)
        page = self.page()
        if name in page.usable:
            return 'usable'
        if name not in page.somewhere:
            return 'absent'
        if name not in page.everywhere:
            return 'not-all-cpus'
        return 'xcr0' if name in page.no_xcr0 else 'kernel'
