#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The Python binding, with the driver's stand-in. Speaks TAP. usage: python_test.py PRELOAD"""
import errno
import os
import re
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE + '/../../python')
sys.dont_write_bytecode = True
import migrate_notify as mn     # noqa: E402

DEF = HERE + '/../../../include/uapi/linux/migrate_notify_features.def'


def inject(action, op=0, status=0, timeout=0, fd=None):
    """What only privileged tools do is not in the binding."""
    import fcntl
    record = struct.pack('<IIQIIQ8Q', action, status, op, timeout, 0, 0, *[0] * 8)
    own = os.open(mn.DEVICE, os.O_RDONLY) if fd is None else fd
    fcntl.ioctl(own, 3 << 30 | len(record) << 16 | 0xd9 << 8 | 2, record)
    if fd is None:
        os.close(own)


def raises(kind, call, *args, code=None):
    try:
        call(*args)
    except kind as error:
        return code is None or error.errno == code
    return False


def test_names():
    found = re.findall(r'^MN_FEATURE\(\d+,\s*\w+,\s*"([^"]+)"', open(DEF).read(), re.M)
    assert tuple(found) == mn.FEATURES


def test_cycle():
    with mn.Context('snake \n', delay=True) as ctx, mn.Context() as watcher:
        before = ctx.generation
        assert ctx.next() is None and ctx.wait(0.01) is None
        inject(1, 500, timeout=5000)
        assert ctx.generation > before
        event = ctx.wait(5)
        assert (event.type, event.op, event.waiting, event.status) == ('prepare', 500, 1, None)
        assert ctx.page().phase == 'preparing'
        assert raises(PermissionError, watcher.ack, event)
        assert ctx.ack(event) and ctx.ack(500)     # once was enough
        assert ctx.page().phase == 'ready'
        inject(3, 500, status=1)
        event = next(iter(ctx))
        assert (event.type, event.status, event.seq) == ('complete', 'success', before + 3)
        assert event.added == {'avx', 'avx2'} and event.removed == {'sse4.2'}
        assert ctx.ack(500) is True and ctx.ack(499) is False
        page = ctx.page()
        assert page.usable == {'aes', 'avx', 'avx2'} and page.vendor == 'StandInStand'
        assert page.level == 1 and page.subscribers == 2 and page.cpus == 2 and page.xcr0 == 7
        assert page.signature == 0x800f12 and page.removed == {'sse4.2'}
        assert raises(OSError, ctx.subscribe, ('ready',), code=errno.EINVAL)
        ctx.subscribe(('prepare', 'ready', 'complete'), mn.OLDEST)
        assert [ctx.wait(1).type for _ in range(3)] == ['prepare', 'ready', 'complete']


def test_features():
    with mn.Context() as ctx:
        assert ctx.feature('aes') == 'usable' and ctx.feature('sha') == 'absent'
        assert raises(KeyError, ctx.feature, 'frob')


def test_threads():
    with mn.Context() as ctx:
        got = []

        def take():
            while len(got) < 200:
                event = ctx.wait(0.05)
                if event:
                    got.append(event.seq)
        threads = [threading.Thread(target=take) for _ in range(3)]
        for t in threads:
            t.start()
        for op in range(1000, 1100):
            inject(1, op)
            inject(3, op, status=2)
        for t in threads:
            t.join(20)
        assert len(got) == 200 == len(set(got))


def test_instance():
    with mn.Context() as ctx:
        inject(1, 500)
        inject(3, 500, status=2)
        seq = ctx.next().seq
        ctx.subscribe(cursor=seq, instance=ctx.instance)
        event = ctx.next()
        assert event.type == 'complete' and event.op == 500 and not event.lost
        ctx.subscribe(cursor=seq, instance=ctx.instance + 1)
        assert ctx.next().lost and not ctx.next().lost


def test_fork():
    with mn.Context() as ctx:
        pid = os.fork()
        if not pid:
            ok = raises(ChildProcessError, ctx.next, code=errno.ECHILD) and ctx.generation >= 0
            os._exit(not ok)
        assert os.waitpid(pid, 0)[1] == 0


def test_closed():
    ctx = mn.Context()
    ctx.close()
    ctx.close()
    assert raises(ValueError, ctx.next) and raises(ValueError, ctx.page)
    assert raises(ValueError, lambda: ctx.generation)


def test_dropped():
    """Nobody acks by a context that nobody has any more."""
    fds = len(os.listdir('/proc/self/fd'))
    mn.Context(delay=True)
    assert len(os.listdir('/proc/self/fd')) == fds
    ctx = mn.Context('stays', delay=True)
    with mn.Context() as watcher:
        inject(1, 600, timeout=60000)
        assert watcher.page().phase == 'preparing'
        del ctx
        assert watcher.wait(5).type == 'prepare'
        for _ in range(500):
            if watcher.page().phase == 'ready':
                break
            time.sleep(0.01)
        assert watcher.page().phase == 'ready'
        inject(3, 600, status=2)
    assert raises(TypeError, mn.Context, 5)     # and no noise from __del__


def test_no_module():
    """The node stays when the module goes."""
    real = os.open
    for code in (errno.ENODEV, errno.ENXIO, errno.ENOENT):
        def fails(*_, code=code):
            raise OSError(code, os.strerror(code))
        os.open = fails
        try:
            assert raises(mn.NotSupported, mn.Context, code=errno.ENODEV)
        finally:
            os.open = real


def test_no_driver():
    env = {k: v for k, v in os.environ.items() if k not in ('MN_STANDIN', 'LD_PRELOAD')}
    code = ('import sys; sys.path.insert(0, sys.argv[1]); import migrate_notify as mn\n'
            'mn.DEVICE = "/dev/none-such"\n'
            'try:\n mn.Context()\nexcept mn.NotSupported as e:\n sys.exit(e.errno)')
    done = subprocess.run([sys.executable, '-B', '-c', code, HERE + '/../../python'], env=env,
                          check=False)
    assert done.returncode == errno.ENODEV


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_')]
    print(f'1..{len(tests)}')
    failed = False
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print(f'ok {number} - python: {name[5:]}', flush=True)
        except Exception as error:      # pylint: disable=broad-except
            failed = True
            print(f'not ok {number} - python: {name[5:]}\n# {error!r}', flush=True)
    sys.exit(failed)


if __name__ == '__main__':
    if 'MN_STANDIN' in os.environ:
        main()
    sys.exit(subprocess.call(
        [HERE + '/standin.py', '--usable', 'aes,sse4.2', '--after', 'aes,avx,avx2', sys.argv[1],
         sys.executable, '-B', os.path.abspath(__file__)]))
