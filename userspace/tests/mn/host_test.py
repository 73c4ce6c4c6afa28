#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""migrate-notify-host and the guest's agent, with a pseudo terminal for the virtio-serial port,
QEMU's side of it played by a thread, and a xenstored that knows only what is needed.
Speaks TAP. usage: host_test.py HOST-BINARY CLI-BINARY PRELOAD"""
import json
import os
import pty
import select
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty

HERE = os.path.dirname(os.path.abspath(__file__))
HOST, CLI = (os.path.abspath(p) for p in sys.argv[1:3])


class Qemu:
    """A socket that leads to the port, for one client at a time."""

    def __init__(self, path, port):
        self.path, self.port, self.running = path, port, True
        self.listen = socket.socket(socket.AF_UNIX)
        self.listen.bind(path)
        self.listen.listen(1)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        client = None
        while self.running:
            with selectors.DefaultSelector() as sel:
                sel.register(client or self.listen, selectors.EVENT_READ)
                if client:
                    sel.register(self.port, selectors.EVENT_READ)
                for key, _ in sel.select(0.05):
                    if key.fileobj is self.listen:
                        client = self.listen.accept()[0]
                    elif key.fileobj is client:
                        data = client.recv(4096)
                        if data:
                            os.write(self.port, data)
                        else:
                            client.close()
                            client = None
                            break
                    elif client:
                        client.sendall(os.read(self.port, 4096))
        if client:
            client.close()

    def stop(self):
        self.running = False
        self.thread.join()
        self.listen.close()
        if os.path.exists(self.path):
            os.unlink(self.path)


class Guest:
    """An agent, its port, and QEMU."""

    def __init__(self, tmp):
        self.port, slave = pty.openpty()
        tty.setraw(slave)
        self.agent = subprocess.Popen([CLI, 'agent', '--port', os.ttyname(slave)],
                                      stderr=subprocess.PIPE)
        self.slave = slave
        self.socket = tmp + '/port'
        hello = self.line()
        assert hello['type'] == 'hello', hello

    def line(self):
        text = b''
        while not text.endswith(b'\n'):
            assert select.select([self.port], [], [], 20)[0], ('the agent is silent', text)
            text += os.read(self.port, 1)
        return json.loads(text)

    def say(self, text):
        os.write(self.port, text if isinstance(text, bytes) else json.dumps(text).encode() + b'\n')

    def ask(self, text):
        self.say(text)
        return self.line()

    def end(self):
        self.agent.send_signal(signal.SIGTERM)
        err = self.agent.communicate(timeout=10)[1]
        os.close(self.port)
        os.close(self.slave)
        assert self.agent.returncode == 0, err
        return err.decode()


def host(*args, timeout=60):
    done = subprocess.run([HOST, *args], capture_output=True, text=True, timeout=timeout,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def history(since=0):
    out = subprocess.run([CLI, 'history', '--json', '--since', str(since)], check=True,
                         capture_output=True, text=True).stdout
    events = [json.loads(line) for line in out.splitlines()]
    return [dict(e, op=int(e['op'])) for e in events]


def newest():
    return json.loads(subprocess.run([CLI, 'status', '--json'], check=True, capture_output=True,
                                     text=True).stdout)['generation']


def delays(n):
    while True:
        out = subprocess.run([CLI, 'list', '--json'], check=True, capture_output=True).stdout
        if sum(s['delays'] for s in json.loads(out)['subscribers']) == n:
            return
        time.sleep(0.01)


class Delayer:
    def __init__(self, *args):
        self.process = subprocess.Popen([CLI, *args], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        delays(1)

    def end(self):
        self.process.terminate()
        self.process.wait()
        delays(0)


def test_cycle(tmp):
    guest, acks = Guest(tmp), Delayer('watch', '--ack')
    qemu, start = Qemu(guest.socket, guest.port), newest()
    code, out, err = host('run', '--port', guest.socket, '--op', '41', '--vanish', 'aes,frob',
                          '--appear', ' ,avx2,, ', '--deadline', '5000', '--', 'echo', 'moved')
    acks.end()
    qemu.stop()
    guest.end()
    assert (code, err) == (0, '') and 'moved' in out, (code, out, err)
    assert 'op 41: ready, 0 late' in out, out
    assert 'op 41: complete, success' in out
    events = history(start)
    assert [e['event'] for e in events] == ['prepare', 'ready', 'complete'], events
    assert events[0]['removed'] == ['aes'] and events[0]['added'] == ['avx2']
    assert {e['op'] for e in events} == {41} and events[2]['status'] == 'success'


def test_far_side(tmp):
    """The guest moves: its port is at another QEMU after the command."""
    guest = Guest(tmp)
    here, result = Qemu(guest.socket, guest.port), []
    far, start = tmp + '/far', newest()
    runner = threading.Thread(target=lambda: result.append(host(
        'run', '--port', guest.socket, '--dest-port', far, '--op', '42', '--', 'sh', '-c',
        f'touch {tmp}/moving; while [ ! -e {tmp}/moved ]; do sleep .02; done')))
    runner.start()
    while not os.path.exists(tmp + '/moving'):
        time.sleep(0.01)
    here.stop()
    os.close(os.open(tmp + '/moved', os.O_CREAT))
    time.sleep(0.3)     # nobody listens yet: it tries again
    there = Qemu(far, guest.port)
    runner.join()
    there.stop()
    guest.end()
    assert result[0][0] == 0 and 'complete, success' in result[0][1], result
    assert [e['event'] for e in history(start)] == ['prepare', 'ready', 'complete']


def test_late(tmp):
    guest, late = Guest(tmp), Delayer('inhibit', 'sleep', '60')
    qemu = Qemu(guest.socket, guest.port)
    code, out, _ = host('run', '--port', guest.socket, '--deadline', '100', '--', 'echo', 'moved')
    assert code == 4 and 'timed out, 1 late' in out and 'moved' in out, (code, out)
    start = newest()
    code, out, _ = host('run', '--port', guest.socket, '--deadline', '100', '--require', '--',
                        'echo', 'moved')
    assert code == 4 and 'moved' not in out and 'complete, cancelled' in out, (code, out)
    assert history(start)[-1]['status'] == 'cancelled'
    late.end()
    qemu.stop()
    guest.end()


def test_refused(tmp):
    guest, stubborn = Guest(tmp), Delayer('inhibit', '--refuse', 'sleep', '60')
    qemu = Qemu(guest.socket, guest.port)
    code, out, _ = host('run', '--port', guest.socket, '--require', '--', 'echo', 'moved')
    stubborn.end()
    qemu.stop()
    guest.end()
    assert code == 5 and 'moved' not in out and '1 refused' in out, (code, out)


def test_failed_command(tmp):
    guest = Guest(tmp)
    qemu, start = Qemu(guest.socket, guest.port), newest()
    assert host('run', '--port', guest.socket, '--', 'false')[0] == 1
    assert host('run', '--port', guest.socket, '--', '/none/such')[0] == 1
    assert [e['status'] for e in history(start) if e['event'] == 'complete'] == ['failed'] * 2
    start = newest()
    run = subprocess.Popen([HOST, 'run', '--port', guest.socket, '--', 'sh', '-c',
                            f'touch {tmp}/runs; exec sleep 60'], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    while not os.path.exists(tmp + '/runs'):
        time.sleep(0.01)
    run.terminate()
    assert run.wait(20) == 1
    qemu.stop()
    guest.end()
    assert history(start)[-1]['status'] == 'cancelled', history(start)


def test_two_steps(tmp):
    guest = Guest(tmp)
    qemu, start = Qemu(guest.socket, guest.port), newest()
    assert host('prepare', '--port', guest.socket, '--op', '50')[0] == 0
    assert host('prepare', '--port', guest.socket, '--op', '50')[0] == 0     # asked again
    complete = ('complete', '--port', guest.socket, '--op', '50', '--status', 'success')
    assert host(*complete)[0] == 0
    assert host(*complete)[0] == 0      # and told again
    # Its number is used up: to say "ready" would be a lie.
    code, out, err = host('prepare', '--port', guest.socket, '--op', '50')
    assert (code, out) == (3, '') and 'has ended' in err, (code, out, err)
    qemu.stop()
    guest.end()
    assert [e['event'] for e in history(start)] == ['prepare', 'ready', 'complete']


def test_two_hosts(tmp):
    """Who comes second waits, and does not end what the first one prepares."""
    guest, late = Guest(tmp), Delayer('inhibit', 'sleep', '60')
    start = newest()
    assert guest.ask({'type': 'prepare', 'op': 70, 'deadline_ms': 60000})['type'] == 'preparing'
    qemu = Qemu(guest.socket, guest.port)
    run = ('run', '--port', guest.socket, '--deadline', '500', '--op')
    code, out, err = host(*run, '71', '--', 'echo', 'moved')
    assert (code, out) == (3, 'moved\n') and 'being prepared' in err, (code, out, err)
    assert host(*run, '72', '--require', '--', 'echo', 'moved')[:2] == (3, '')
    assert host(*run, '73', '--', 'false')[0] == 1
    assert [(e['event'], e['op']) for e in history(start)] == [('prepare', 70)], history(start)
    second = subprocess.Popen([HOST, 'run', '--port', guest.socket, '--op', '74', '--', 'true'],
                              stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    late.end()
    assert second.wait(20) == 0
    qemu.stop()
    guest.end()
    assert [(e['event'], e['op']) for e in history(start)] == [
        ('prepare', 70), ('ready', 70), ('complete', 70), ('prepare', 74), ('ready', 74),
        ('complete', 74)], history(start)


def test_inherited(tmp):
    """SIGCHLD ignored, and nobody who reads what is printed."""
    guest = Guest(tmp)
    qemu, start = Qemu(guest.socket, guest.port), newest()
    ignore = {'preexec_fn': lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)}
    run = [HOST, 'run', '--port', guest.socket, '--', 'true']
    assert subprocess.run(run, stdout=subprocess.DEVNULL, timeout=30, check=False,
                          **ignore).returncode == 0
    assert history(start)[-1]['status'] == 'success'
    start = newest()
    reader, writer = os.pipe()
    os.close(reader)
    assert subprocess.run(run, stdout=writer, stderr=subprocess.DEVNULL, timeout=30,
                          check=False).returncode == 0
    os.close(writer)
    assert history(start)[-1]['status'] == 'success', history(start)
    assert subprocess.run([CLI, 'inhibit', '--', 'sh', '-c', 'exit 3'], timeout=20, check=False,
                          **ignore).returncode == 3
    watch = subprocess.Popen([CLI, 'watch', '-n', '2', '--timeout', '20000', '--run',
                              f'echo $PHASE >>{tmp}/ran', '--why', 'runs'],
                             stdout=subprocess.DEVNULL, **ignore)
    while b'runs' not in subprocess.run([CLI, 'list'], check=True, capture_output=True).stdout:
        time.sleep(0.01)
    subprocess.run([CLI, 'simulate'], check=True, stdout=subprocess.DEVNULL)
    assert watch.wait(20) == 0
    assert open(tmp + '/ran').read() == 'prepare\ncomplete\n'
    qemu.stop()
    guest.end()


def test_port_is_gone(tmp):
    """After the move there is no port to tell the guest by: that is no failure, nor slow."""
    guest = Guest(tmp)
    qemu = Qemu(guest.socket, guest.port)
    started = time.monotonic()
    code, out, err = host('run', '--port', guest.socket, '--', 'rm', guest.socket)
    assert (code, err) == (0, '') and 'complete' not in out, (code, out, err)
    assert time.monotonic() - started < 2
    qemu.stop()
    # Or the source's QEMU still has it, and the guest is elsewhere.
    qemu = Qemu(guest.socket, guest.port)
    code, out, err = host('run', '--port', guest.socket, '--', 'kill', '-STOP',
                          str(guest.agent.pid))
    guest.agent.send_signal(signal.SIGCONT)
    assert code == 0 and 'nobody answers' in err, (code, out, err)
    assert time.monotonic() - started < 8
    qemu.stop()
    guest.end()
    code, _, err = host('complete', '--port', tmp + '/none', '--op', '1', '--status', 'success')
    assert code == 3 and 'No such file' in err, (code, err)


def test_signals(tmp):
    guest, late = Guest(tmp), Delayer('inhibit', 'sleep', '60')
    qemu = Qemu(guest.socket, guest.port)
    for args in (('run', '--port', guest.socket, '--op', '80', '--', 'touch', tmp + '/moved'),
                 ('prepare', '--port', guest.socket)):
        start = newest()
        asks = subprocess.Popen([HOST, *args], stdout=subprocess.PIPE, text=True)
        op = 80 if args[0] == 'run' else int(asks.stdout.readline().removeprefix('op '))
        while newest() == start:
            time.sleep(0.01)
        asks.terminate()
        assert asks.wait(20) == 1
        assert [(e['event'], e['op'], e.get('status')) for e in history(start)] == [
            ('prepare', op, None), ('complete', op, 'cancelled')], history(start)
    assert not os.path.exists(tmp + '/moved')
    late.end()
    qemu.stop()
    guest.end()


def test_rejected(tmp):
    """A guest that does not understand says so without a number."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(tmp + '/port')
    server.listen(1)

    def serve():
        client = server.accept()[0]
        while client.recv(4096):
            client.sendall(b'{"type":"error","text":"what?"}\n')
    threading.Thread(target=serve, daemon=True).start()
    code, _, err = host('prepare', '--port', tmp + '/port', '--op', '2')
    assert code == 3 and 'what?' in err, (code, err)


def test_nobody(tmp):
    started = time.monotonic()
    code, out, err = host('run', '--port', tmp + '/none', '--', 'echo', 'moved')
    assert code == 3 and out == 'moved\n' and 'prepare: No such file' in err, (code, out, err)
    assert time.monotonic() - started < 15
    code, out, _ = host('run', '--port', tmp + '/none', '--require', '--', 'echo', 'moved')
    assert code == 3 and out == ''
    # A socket at which nobody answers, or nonsense
    for answer in (b'', b'{"type":"ready","op":1}\nfrob\n\0\0\n' + b'x' * 100000):
        silent = socket.socket(socket.AF_UNIX)
        silent.bind(f'{tmp}/silent{len(answer)}')
        silent.listen(1)

        def serve(server=silent, text=answer):
            client = server.accept()[0]
            client.sendall(text)
            while client.recv(4096):
                pass
        threading.Thread(target=serve, daemon=True).start()
        code, _, err = host('prepare', '--port', f'{tmp}/silent{len(answer)}', '--op', '2')
        assert code == 3 and 'nobody answers' in err, (code, err)


def test_bad_lines(tmp):
    """What the agent makes of nonsense: an answer each time, and it goes on."""
    guest, start = Guest(tmp), newest()
    for text, why in ((b'frob\n', 'not JSON'), (b'{}\n', 'no type'), (b'\0\xff\n', 'not JSON'),
                      (b'{"type":"prepare"}\n', 'no op'),
                      (b'{"type":"ready","op":1}\n', 'for guests'),
                      (b'{"type":"complete","op":1,"status":7}\n', 'not a string'),
                      (b'x' * 20000 + b'\n', 'too long'), (b'[' * 8000 + b'\n', 'not JSON')):
        answer = guest.ask(text)
        assert answer['type'] == 'error' and why in answer['text'], (text[:50], answer)
    # Who asked is told, as far as that can be known.
    for text in (b'{"op":5,"type":"prepare","vanish":[""]}\n', b'{"op":5}\n',
                 b'{"type":"prepare","deadline_ms":0,"op":5}\n'):
        answer = guest.ask(text)
        assert (answer['type'], answer.get('op')) == ('error', 5), (text, answer)
    assert guest.ask({'type': 'hello'})['type'] == 'hello'
    assert history(start) == []
    # Many lines at once, and one in pieces
    guest.say(b'{"type":"hello"}\n' * 3 + b'{"type":"he')
    assert [guest.line()['type'] for _ in range(3)] == ['hello'] * 3
    assert guest.ask(b'llo"}\n')['type'] == 'hello'
    err = guest.end()
    assert 'AddressSanitizer' not in err, err


def test_odd_order(tmp):
    guest, late = Guest(tmp), Delayer('inhibit', 'sleep', '60')
    start = newest()
    assert guest.ask({'type': 'prepare', 'op': 60, 'deadline_ms': 60000})['type'] == 'preparing'
    answer = guest.ask({'type': 'prepare', 'op': 61})
    assert (answer['type'], answer['op']) == ('error', 61) and 'being prepared' in answer['text']
    assert answer['busy'] is True
    # Complete of another one does not end this one.
    answer = guest.ask({'type': 'complete', 'op': 62, 'status': 'success'})
    assert (answer['type'], answer['op']) == ('error', 62) and 'under way' in answer['text']
    assert guest.ask({'type': 'complete', 'op': 60, 'status': 'failed'}) == {
        'type': 'completed', 'op': 60}
    # Complete without prepare, and once more
    for _ in range(2):
        assert guest.ask({'type': 'complete', 'op': 63, 'status': 'success'}) == {
            'type': 'completed', 'op': 63}
    late.end()
    guest.end()
    assert [(e['event'], e['op']) for e in history(start)] == [
        ('prepare', 60), ('complete', 60), ('prepare', 63), ('complete', 63)]
    assert [e['status'] for e in history(start) if 'status' in e] == ['failed', 'success']
    assert [e['synthetic'] for e in history(start)][::2] == [False, True]


class Xenstored:
    """READ, WRITE, SET_PERMS and WATCH, for clients one after the other."""

    def __init__(self, path, answers):
        self.log, self.answers, self.watch = [], answers, None
        self.nodes = {b'/local/domain/7/data/migrate-notify': b'1'}
        self.listen = socket.socket(socket.AF_UNIX)
        self.listen.bind(path)
        self.listen.listen(4)
        threading.Thread(target=self.run, daemon=True).start()

    def send(self, client, kind, ident, payload):
        data = struct.pack('<IIII', kind, ident, 0, len(payload)) + payload
        for i in range(0, len(data), 7):        # in pieces
            client.sendall(data[i:i + 7])

    def run(self):
        while True:
            client = self.listen.accept()[0]
            self.watch = None
            while (head := client.recv(16, socket.MSG_WAITALL)):
                kind, ident, _, size = struct.unpack('<IIII', head)
                payload = client.recv(size, socket.MSG_WAITALL) if size else b''
                self.request(client, kind, ident, payload)

    def request(self, client, kind, ident, payload):
        path, _, value = payload.partition(b'\0')
        self.log.append((kind, path, value))
        if kind == 2:
            if path in self.nodes:
                self.send(client, 2, ident, self.nodes[path])
            else:
                self.send(client, 16, ident, b'ENOENT\0')
            return
        self.send(client, kind, ident, b'OK\0')
        if kind == 4:
            self.watch = path
            self.send(client, 15, 0, path + b'\0ack\0')
        elif kind == 11:
            self.nodes[path] = value
            if path.endswith(b'-request') and value:
                for answer in self.answers(value.decode().split()):
                    self.nodes[path.replace(b'request', b'ack')] = answer
                    self.send(client, 15, 0, self.watch + b'\0ack\0')


BASE = b'/local/domain/7/control/migrate-notify'


def test_xen(tmp):
    def guest(words):
        if words[0] == 'prepare':
            return [b'\xff\0nonsense', b'x' * 3000, b'ready 1 1', b'complete 9',
                    f'ready {words[1]} 0'.encode()]
        return [f'complete {words[1]} 3'.encode()]
    store = Xenstored(tmp + '/xenstored', guest)
    args = ('--xen', '7', '--xenstore', tmp + '/xenstored', '--op', '9')
    code, out, err = host('run', *args, '--vanish', 'aes', '--', 'echo', 'moved')
    assert code == 0 and 'op 9: ready, 0 late' in out and 'moved' in out, (code, out, err)
    assert [v for k, p, v in store.log if (k, p) == (11, BASE + b'-request')] == [
        b'', b'prepare 9 10000 -aes']
    perms = {p: v for k, p, v in store.log if k == 14}
    assert perms == {BASE + b'-ack': b'n0\0b7\0', BASE + b'-request': b'n0\0r7\0'}, perms
    # It stayed: it has to be told, and nothing is left behind.
    code, out, err = host('run', *args, '--', 'false')
    assert code == 1 and 'complete, failed' in out, (code, out, err)
    assert store.log[-1][0] == 13 and (11, BASE + b'-request', b'complete 9 failed') in store.log


def test_xen_trouble(tmp):
    def prepare(name, answers, *args):
        store = Xenstored(f'{tmp}/{name}', answers)
        return host('prepare', '--xen', '7', '--xenstore', f'{tmp}/{name}', *args) + (store,)
    code, _, err, _ = prepare('deaf', lambda words: [], '--deadline', '100')
    assert code == 4 and 'no answer in time' in err, (code, err)
    code, out, _, _ = prepare('late', lambda words: [f'timed-out {words[1]} 3 1'.encode()])
    assert code == 5 and 'timed out, 3 late, 1 refused' in out, (code, out)
    code, _, err, _ = prepare('busy', lambda words: [f'error {words[1]} 16'.encode()],
                              '--deadline', '300')
    assert code == 3 and 'busy' in err, (code, err)
    code, _, err, _ = prepare('again', lambda words: [
        f'error {words[1]} 114'.encode(), f'ready {words[1]} 0'.encode()])
    assert code == 0, (code, err)
    code, _, err = host('prepare', '--xen', '8', '--xenstore', tmp + '/again')
    assert code == 3 and 'nobody answers' in err, (code, err)
    code, _, err = host('prepare', '--xen', '7', '--xenstore', tmp + '/none')
    assert code == 3 and 'No such file' in err, (code, err)


def test_usage(_):
    for args in ((), ('frob',), ('run', '--port', 'x'), ('prepare',), ('run', '--', 'true'),
                 ('prepare', '--port', 'x', '--xen', '3'), ('prepare', '--xen', '0'),
                 ('complete', '--port', 'x', '--op', '1'), ('complete', '--port', 'x', '--status',
                 'success'), ('prepare', '--port', 'x', 'true'), ('run', '--deadline', '0'),
                 ('run', '--vanish', 'a;b'), ('run', '--status', 'x'), ('run', '--op', '-1')):
        code, out, err = host(*args)
        assert (code, out) == (2, '') and err, args
    assert host('--help')[0] == 0 and host('--version')[0] == 0


def main():
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_') and
             n[5:] in (os.environ.get('ONLY') or n[5:])]
    print(f'1..{len(tests)}')
    failed = False
    for number, (name, test) in enumerate(tests, 1):
        try:
            with tempfile.TemporaryDirectory() as tmp:
                test(tmp)
            print(f'ok {number} - host: {name[5:]}', flush=True)
        except Exception as error:      # pylint: disable=broad-except
            failed = True
            print(f'not ok {number} - host: {name[5:]}', flush=True)
            print('# ' + repr(error).replace('\n', '\n# '), flush=True)
    os._exit(failed)    # threads that wait for clients


if __name__ == '__main__':
    if 'MN_STANDIN' in os.environ:
        main()
    sys.exit(subprocess.call([HERE + '/standin.py', '--usable', 'aes,sse4.2', sys.argv[3],
                              sys.executable, os.path.abspath(__file__), *sys.argv[1:3]]))
