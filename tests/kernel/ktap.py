#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Judge the KTAP that KUnit suites left in a kernel log.

usage: ktap.py [LOG]        (standard input without LOG; dmesg or a console's log)

Counts leaves: test cases, and each parameter of a parameterised case. What is missing is
failed: no plan, fewer results than planned, a log that ends inside a suite, and anything
the kernel complains about once the suites have begun. Names what failed; the last line is
"N passed, N failed, N skipped", and the exit status 0 if none failed and some passed.
"""
import re
import sys

STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
VERSION = re.compile(r"^( *)KTAP version \d+$")
PLAN = re.compile(r"^( *)1\.\.(\d+)$")
SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
RESULT = re.compile(r"^( *)(not ok|ok) (\d+)(?: -)? ?(.*?)(?: # (SKIP)\b(.*))?$", re.I)
SPLAT = re.compile(r"^(?:BUG: |WARNING: |INFO: possible |INFO: task .* blocked|Oops: |"
                   r"general protection fault|kernel BUG at |Kernel panic|UBSAN: |"
                   r"KASAN: |INFO: rcu.* detected stall|rcu: INFO: .* detected)")


class Block:
    """One level of nesting: "KTAP version", perhaps a name and a plan, results."""

    def __init__(self, indent):
        self.indent = indent
        self.name = ""
        self.plan = None
        self.results = 0
        self.failed = 0         # leaves in and below it


class Judge:
    def __init__(self):
        self.passed = self.skipped = 0
        self.failures = []
        self.stack = []         # blocks that are open
        self.pending = None     # block that ended; its result line has to come next
        self.planned = False
        self.begun = False
        self.context = []       # lines since the last result: why it failed

    def fail(self, what, context=()):
        self.failures.append((what, list(context)))

    def path(self, *more):
        return ".".join([b.name for b in self.stack if b.name] + [m for m in more if m])

    def close(self):
        block = self.stack.pop()
        if block.plan is not None and block.results != block.plan:
            self.fail(f"{self.path(block.name) or 'log'}: planned {block.plan} results, "
                      f"got {block.results}")
            block.failed += 1
        if self.stack:
            self.stack[-1].failed += block.failed
        return block

    def unresolved(self):
        """A subtest that ended without a result line of its own."""
        if self.pending:
            self.fail(f"{self.path(self.pending.name)}: no result")
            self.pending = None

    def result(self, indent, ok, number, name, skip):
        child = None
        while self.stack and self.stack[-1].indent > indent:
            self.unresolved()
            self.pending = child = self.close()
        if not self.stack or self.stack[-1].indent != indent:
            return              # no block that it could belong to: not KTAP
        self.pending = None
        block = self.stack[-1]
        block.results += 1
        where = self.path(name)
        if number != block.results:
            self.fail(f"{where}: number {number} where {block.results} was due")
            block.failed += 1
            block.results = number
        if child and child.results:             # its leaves are counted already
            if not ok and not child.failed:
                self.fail(where, self.context)
                block.failed += 1
        elif not ok:
            self.fail(where, self.context)
            block.failed += 1
        elif skip:
            self.skipped += 1
        else:
            self.passed += 1
        self.context = []
        if block.indent == 0 and block.results == block.plan:
            self.close()        # the document is complete

    def line(self, text):
        text = STAMP.sub("", text.rstrip("\r\n"))
        if m := VERSION.match(text):
            indent = len(m[1])
            while self.stack and self.stack[-1].indent >= indent:
                self.unresolved()
                block = self.close()
                self.pending = block if self.stack else None
            self.unresolved()
            self.stack.append(Block(indent))
        elif (m := PLAN.match(text)) and self.stack and self.stack[-1].indent == len(m[1]):
            self.stack[-1].plan = int(m[2])
            if not self.stack[-1].plan:
                self.close()    # KUnit built in, with nothing to run
            else:
                self.planned = self.begun = True
        elif (m := SUBTEST.match(text)) and self.stack and self.stack[-1].indent == len(m[1]):
            self.stack[-1].name = m[2]
        elif m := RESULT.match(text):
            self.result(len(m[1]), m[2].lower() == "ok", int(m[3]), m[4].strip(), m[5])
        else:
            if self.begun and SPLAT.match(text.lstrip()):
                self.fail(f"{self.path() or 'kernel'}: {text.strip()}")
            self.context = self.context[-9:] + [text]

    def end(self):
        if self.stack:
            self.fail(f"the log ends in {self.path() or 'the plan'}", self.context)
        while self.stack:
            self.close()
        if not self.planned:
            self.fail("no KTAP plan in the log")


def judge(lines):
    j = Judge()
    for line in lines:
        j.line(line)
    j.end()
    return j


def main():
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and sys.argv[1].startswith("-")):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    if len(sys.argv) == 2:
        try:
            with open(sys.argv[1], errors="replace") as log:
                j = judge(log)
        except OSError as e:
            print(f"ktap.py: {e}", file=sys.stderr)
            return 2
    else:
        sys.stdin.reconfigure(errors="replace")
        j = judge(sys.stdin)
    for what, context in j.failures:
        print(f"FAIL {what}")
        for line in context:
            print(f"     {line}")
    print(f"{j.passed} passed, {len(j.failures)} failed, {j.skipped} skipped")
    return 0 if j.passed and not j.failures else 1


if __name__ == "__main__":
    sys.exit(main())
