"""Attacks that use things up, or outlive what they were part of. Each is bounded, and says `breach` when it got there.

`HOLDING` is how long it must have what it wanted: in a sandbox far longer than the watchdog takes to look.
"""

from __future__ import annotations

from contracts.sandbox import Limits
from tests.sandbox.attacks import Attack

HOLDING = "import time; time.sleep(1 if 'PODIUM_BARE' in os.environ else 10); breach()"
_CROWD = Limits(processes=40, wall_s=20)
_DISK = Limits(disk_bytes=16 << 20, wall_s=20)

MEMORY = Attack(
    "memory of many processes",
    f"""
# Six of 30 MB each.
ready, go = os.pipe()
for child in range(5):
    if os.fork() == 0: break
else: child = None
x = bytearray(30 << 20); x[::4096] = b"x" * len(x[::4096])
if child is not None: os.write(go, b"!"); signal.pause()
for _ in range(5): os.read(ready, 1)
{HOLDING}
""",
    limits=Limits(memory_bytes=100 << 20, wall_s=20),
    ends=("memory",),
)
OUTPUT = Attack(
    "endless output",
    "print('first', flush=True)\nfor _ in range(256): os.write(1, b'x' * 65536)\nbreach()",
    limits=Limits(output_bytes=10_000, output_kill_bytes=4 << 20, wall_s=20),
    ends=("output",),
)
CHANNEL = Attack(
    "a flooded channel",
    "for _ in range(8000): tell('y' * 1000)\nbreach()",
    limits=Limits(channel_bytes=1 << 20, wall_s=20),
    ends=("output",),
)
CPU = Attack(
    "a busy loop",
    "import time\nwhile time.process_time() < 2: pass\nbreach()",
    limits=Limits(cpu_s=1, wall_s=50),
    ends=("cpu_time",),
)
TIME = Attack(
    "a long wait that ignores signals, among orphans and stopped children",
    """
for number in (1, 2, 15): signal.signal(number, signal.SIG_IGN)
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork(): os._exit(0)
        if os.fork() == 0: os.kill(os.getpid(), signal.SIGSTOP)
        signal.pause()
import time; time.sleep(2 if "PODIUM_BARE" in os.environ else 10); breach()
""",
    limits=Limits(wall_s=1),
    ends=("wall_time",),
)

BOMBS = (
    MEMORY,
    Attack("memory of one process", "bytearray(300 << 20); breach()", limits=Limits(memory_bytes=200 << 20)),
    Attack(
        "processes",
        f"""
for _ in range(400):
    if os.fork() == 0: signal.pause()
    os.sched_yield()
{HOLDING}
""",
        limits=_CROWD,
        ends=("processes", "exited"),
    ),
    Attack(
        "threads",
        f"""
import threading
stop = threading.Event()
for _ in range(400): threading.Thread(target=stop.wait, args=(25,), daemon=True).start()
{HOLDING}
""",
        limits=_CROWD,
        ends=("processes", "exited"),
    ),
    Attack(
        "file descriptors",
        """
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
for _ in range(5000): os.dup(0)
breach()
""",
        needs="a hard limit of more than 5,000 descriptors",
    ),
    Attack(
        "disk, in many files",
        f"for i in range(64): open(f'f{{i}}', 'wb').write(bytes(1 << 20))\n{HOLDING}",
        limits=_DISK,
        ends=("disk",),
    ),
    Attack(
        "disk, in files without a name",
        f"""
kept = []
for i in range(64):
    f = open("f", "wb"); kept.append(f); os.unlink("f"); f.write(bytes(1 << 20)); f.flush()
{HOLDING}
""",
        limits=_DISK,
        ends=("disk",),
    ),
    Attack(
        "disk, in one file", "open('big', 'wb').write(bytes(20 << 20)); breach()", limits=_DISK, ends=("exited", "disk")
    ),
    OUTPUT,
    CHANNEL,
    CPU,
    TIME,
    Attack(
        "a daemon that outlives the program",
        """
ready, go = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork(): os._exit(0)
    os.write(go, b"!")
    signal.pause()
os.read(ready, 1)
""",
    ),
    Attack(
        "a daemon with a parent of its own, whom no parent's death ends",
        """
ready, go = os.pipe()
if os.fork() == 0:
    libc.prctl(1, 0, 0, 0, 0); libc.prctl(36, 1, 0, 0, 0); os.setsid()
    if os.fork() == 0: os.setsid(); os.write(go, b"!")
    signal.pause()
os.read(ready, 1)
""",
    ),
)
