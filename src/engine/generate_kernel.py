#!/usr/bin/env python3
"""Writes a search kernel in x86-64 assembly, its operations scheduled and its registers allocated.

A compiler keeps neither the interleaving of independent hashes nor the spills where the search
needs them (docs/performance.md has the figures), so three things are done here instead:

1. `Hash` writes one hash as operations on vectors: nothing that does not depend on the nonce, no
   message word that is zero, and of the last round only what the value needs.
2. `by_latency` or `by_blocks` brings the operations of several hashes ("streams") into one order.
3. `Registers` gives registers. When they run out, the value that is needed last goes to the stack,
   and comes back as the memory operand of the operation that needs it, which costs no instruction.

The function that results (System V calling convention):

    uint64_t NAME(const uint64_t constants[24], uint64_t start, uint64_t groups);

tries `groups` groups of consecutive nonces and returns how many groups came before the first one
with a hit; `groups` if there is none. `struct constants` in kernel_scheduled.c is what it reads.

Usage: generate_kernel.py NAME OUTPUT
"""
import heapq
import sys

# RFC 7693, 2.7: the order of the message words in each round.
MESSAGE_ORDER = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    (14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3),
    (11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4),
    (7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8),
    (9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13),
    (2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9),
    (12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11),
    (13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10),
    (6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5),
    (10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0),
)
COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
ROTATIONS = ((32, 24), (16, 63))  # of the two halves of the mixing function

# Places in the table of constants.
ROOT, STATE, FIRST_WORD, THRESHOLD, GROUP_SIZE, CONSTANTS = 0, 4, 20, 21, 22, 24


class Constant:
    """A word that is the same for all nonces."""

    def __init__(self, index):
        self.index = index


class Nonce:
    """The nonces of one stream."""

    def __init__(self, stream):
        self.stream = stream


class Operation:
    """One vector operation and its result."""

    def __init__(self, kind, inputs, stream, bits=0):
        self.kind = kind
        self.inputs = inputs
        self.stream = stream
        self.bits = bits
        self.users = []
        self.urgency = 0


class Hash:
    """The operations of one stream, in the order of the algorithm."""

    def __init__(self, stream, isa):
        self.stream = stream
        self.isa = isa
        self.operations = []
        self.words = {0: Nonce(stream)}
        self.words.update({1 + i: Constant(ROOT + i) for i in range(4)})

    def make(self, kind, *inputs, bits=0):
        operation = Operation(kind, inputs, self.stream, bits)
        self.operations.append(operation)
        return operation

    def rotate(self, value, bits):
        if self.isa.rotates:
            return self.make('rotate', value, bits=bits)
        if bits == 32:
            return self.make('swap', value)
        if bits in (24, 16):
            return self.make('bytes', value, bits=bits)
        return self.make('or', self.make('add', value, value), self.make('shift', value, bits=bits))

    def half(self, v, place, word, rotations):
        """Half of the mixing function: one message word, two rotations."""
        a, b, _, _ = place
        if word in self.words:
            v[a] = self.make('add', v[a], self.words[word])
        v[a] = self.make('add', v[a], v[b])
        self.after_sum(v, place, rotations)

    def after_sum(self, v, place, rotations):
        a, b, c, d = place
        v[d] = self.rotate(self.make('xor', v[d], v[a]), rotations[0])
        v[c] = self.make('add', v[c], v[d])
        v[b] = self.rotate(self.make('xor', v[b], v[c]), rotations[1])

    def first_round(self, v):
        """What is left of it: kernel_prepare() did columns 1 to 3 and the sums of constants."""
        v[0] = self.make('add', v[0], self.words[0])
        self.after_sum(v, COLUMNS[0], ROTATIONS[0])
        self.half(v, COLUMNS[0], 1, ROTATIONS[1])
        self.half(v, DIAGONALS[0], 8, ROTATIONS[0])
        self.after_sum(v, DIAGONALS[1], ROTATIONS[0])
        v[8] = self.make('add', v[8], v[13])
        v[7] = self.rotate(self.make('xor', v[7], v[8]), ROTATIONS[0][1])
        self.half(v, DIAGONALS[3], 14, ROTATIONS[0])
        for i, place in enumerate(DIAGONALS):
            self.half(v, place, 9 + 2 * i, ROTATIONS[1])

    def round(self, v, order, wide):
        """Wide: the four mixing functions of a half round side by side, not one after the other."""
        for base, places in ((0, COLUMNS), (8, DIAGONALS)):
            steps = [(i, h) for h in (0, 1) for i in range(4)]
            for i, h in steps if wide else sorted(steps):
                self.half(v, places[i], order[base + 2 * i + h], ROTATIONS[h])

    def build(self, wide):
        v = [Constant(STATE + i) for i in range(16)]
        self.first_round(v)
        for number in range(1, 12):
            self.round(v, MESSAGE_ORDER[number % 10], wide)
        value = self.make('xor', self.make('xor', v[0], v[8]), Constant(FIRST_WORD))
        return self.needed_for(self.make('hit', value))

    def needed_for(self, last):
        needed = set()
        pending = [last]
        while pending:
            operation = pending.pop()
            if operation in needed:
                continue
            needed.add(operation)
            pending += [x for x in operation.inputs if isinstance(x, Operation)]
        return [x for x in self.operations if x in needed]


def by_blocks(streams, size):
    """A block of each stream in turn; the processor's own reordering does the rest."""
    longest = max(len(stream) for stream in streams)
    return [operation for first in range(0, longest, size) for stream in streams
            for operation in stream[first:first + size]]


def by_latency(streams, width, rotates, latency, stagger):
    """The order in which a machine would begin them that begins up to `width` operations a cycle,
    up to `rotates` rotations among them, each result ready after `latency` cycles: always what has
    the longest way to the end; each stream is `stagger` cycles behind the one before it."""
    operations = [operation for stream in streams for operation in stream]
    for operation in reversed(operations):
        operation.users = []
    for operation in operations:
        for x in dict.fromkeys(x for x in operation.inputs if isinstance(x, Operation)):
            x.users.append(operation)
    for operation in reversed(operations):
        operation.urgency = latency + max((u.urgency for u in operation.users), default=0)
    rank = {x: (x.stream * stagger - x.urgency, n) for n, x in enumerate(operations)}
    missing = {x: len({i for i in x.inputs if isinstance(i, Operation)}) for x in operations}
    ready = [(rank[x], x) for x in operations if missing[x] == 0]
    heapq.heapify(ready)
    later = {}
    order = []
    cycle = 0
    while len(order) < len(operations):
        for x in later.pop(cycle, []):
            heapq.heappush(ready, (rank[x], x))
        begun = rotated = 0
        held = []
        while ready and begun < width:
            entry = heapq.heappop(ready)
            if entry[1].kind == 'rotate' and rotated == rotates:
                held.append(entry)
                continue
            begun += 1
            rotated += entry[1].kind == 'rotate'
            order.append(entry[1])
            for user in entry[1].users:
                missing[user] -= 1
                if missing[user] == 0:
                    later.setdefault(cycle + latency, []).append(user)
        for entry in held:
            heapq.heappush(ready, entry)
        cycle += 1
    return order


class Avx512:
    """Words in 512-bit vectors; constants are spread by the operand itself."""
    name, register, size, registers, rotates = 'AVX-512', 'zmm', 64, 32, True
    move, constant_size, masks = 'vmovdqa64', 8, 0
    names = {'add': 'vpaddq', 'xor': 'vpxorq'}
    spread = '{1to8}'


class Avx2:
    """Words in 256-bit vectors; no rotation, so shuffles of bytes, and a shift for 63 bits. One
    register stays free for the comparison."""
    name, register, size, registers, rotates = 'AVX2', 'ymm', 32, 15, False
    move, constant_size, masks = 'vmovdqa', 32, 64
    names = {'add': 'vpaddq', 'xor': 'vpxor', 'or': 'vpor'}
    spread = ''


class Frame:
    """The stack frame: nonces, constants, shuffle masks, spilled values, all within one page, so
    that no load waits for a store that only looks like its own."""

    def __init__(self, isa, streams):
        self.isa = isa
        self.constants = streams * isa.size
        self.masks = self.constants + CONSTANTS * isa.constant_size
        self.spills = self.masks + isa.masks

    def nonce(self, stream):
        return f'{stream * self.isa.size}(%rsp)'

    def constant(self, index):
        return f'{self.constants + index * self.isa.constant_size}(%rsp){self.isa.spread}'

    def mask(self, bits):
        return f'{self.masks + (32 if bits == 16 else 0)}(%rsp)'

    def spill(self, slot):
        return f'{self.spills + slot * self.isa.size}(%rsp)'


class Registers:
    """Where each value is, while the operations are written out in their order."""

    def __init__(self, isa, frame, order):
        self.isa = isa
        self.frame = frame
        self.order = order
        self.lines = []
        self.free = list(range(isa.registers))
        self.register = {}  # of a value
        self.slot = {}      # of a value that was spilled
        self.free_slots = []
        self.slots = 0
        self.stores = 0
        self.uses = {}
        for time, operation in enumerate(order):
            for x in operation.inputs:
                self.uses.setdefault(x, []).append(time)

    def write_all(self):
        for time, operation in enumerate(self.order):
            self.write(time, operation)
        return self.lines

    def emit(self, *parts):
        self.lines.append(parts[0] + ' ' + ', '.join(parts[1:]))

    def text(self, number):
        return f'%{self.isa.register}{number}'

    def next_use(self, value, time):
        return next((use for use in self.uses.get(value, ()) if use >= time), None)

    def memory(self, value):
        if isinstance(value, Constant):
            return self.frame.constant(value.index)
        if isinstance(value, Nonce):
            return self.frame.nonce(value.stream)
        return self.frame.spill(self.slot[value])

    def operand(self, value):
        return self.text(self.register[value]) if value in self.register else self.memory(value)

    def take(self, time, keep=()):
        """A free register; if there is none, that of the value that is needed last."""
        if self.free:
            return self.free.pop(0)
        value = max((x for x in self.register if x not in keep), key=lambda x: self.next_use(x, time))
        number = self.register.pop(value)
        if value not in self.slot:
            if not self.free_slots:
                self.free_slots.append(self.slots)
                self.slots += 1
            self.slot[value] = self.free_slots.pop()
            self.emit(self.isa.move, self.text(number), self.memory(value))
            self.stores += 1
        return number

    def load(self, value, time, keep):
        """Brings a value into a register. What is not an operation's result does not stay there."""
        number = self.take(time, keep)
        spread = isinstance(value, Constant) and self.isa.spread
        self.emit('vpbroadcastq' if spread else self.isa.move,
                  self.memory(value).removesuffix(self.isa.spread), self.text(number))
        if isinstance(value, Operation):
            self.register[value] = number
        else:
            self.free.insert(0, number)
        return self.text(number)

    def in_register(self, value, time, keep):
        if value in self.register:
            return self.text(self.register[value])
        return self.load(value, time, keep)

    def end_inputs(self, time, operation):
        """Frees what is not needed after this operation; its slots are free from the next one on."""
        slots = []
        for value in dict.fromkeys(operation.inputs):
            if not isinstance(value, Operation) or self.next_use(value, time + 1) is not None:
                continue
            if value in self.register:
                self.free.append(self.register.pop(value))
            if value in self.slot:
                slots.append(self.slot.pop(value))
        return slots

    def write(self, time, operation):
        inputs = operation.inputs
        if operation.kind in self.isa.names:
            first, second = inputs
            if first not in self.register:
                first, second = second, first
            sources = (self.in_register(first, time, inputs),)
            sources = (self.operand(second), *sources)
        elif operation.kind in ('rotate', 'swap'):
            sources = (self.operand(inputs[0]),)
        else:
            sources = (self.in_register(inputs[0], time, inputs),)
        slots = self.end_inputs(time, operation)
        if operation.kind == 'hit':
            self.write_hit(operation.stream, sources[0])
        else:
            number = self.take(time + 1)
            self.register[operation] = number
            self.write_operation(operation, sources, self.text(number))
        self.free_slots += slots

    def write_operation(self, operation, sources, target):
        bits = operation.bits
        if operation.kind in self.isa.names:
            self.emit(self.isa.names[operation.kind], *sources, target)
        elif operation.kind == 'rotate':
            self.emit('vprorq', f'${bits}', *sources, target)
        elif operation.kind == 'swap':
            self.emit('vpshufd', '$0xb1', *sources, target)
        elif operation.kind == 'bytes':
            self.emit('vpshufb', self.frame.mask(bits), *sources, target)
        else:
            self.emit('vpsrlq', f'${bits}', *sources, target)

    def write_hit(self, stream, value):
        """A bit for each hit (AVX-512, in mask 1 + stream) or miss (AVX2; eax, then edx)."""
        threshold = self.frame.constant(THRESHOLD)
        if self.isa is Avx512:
            self.emit('vpcmpnltuq', threshold, value, f'%k{1 + stream}')
            return
        spare = self.text(self.isa.registers)
        self.emit('vmovdqa', threshold, spare)
        self.emit('vpcmpgtq', value, spare, spare)
        self.emit('vmovmskpd', spare, '%eax' if stream == 0 else '%edx')


class Kernel:
    """One function."""

    def __init__(self, name, isa, streams, wide, arrange):
        self.name = name
        self.isa = isa
        self.streams = streams
        self.lanes = isa.size // 8
        hashes = [Hash(stream, isa).build(wide) for stream in range(streams)]
        self.operations = len(hashes[0])
        self.frame = Frame(isa, streams)
        self.registers = Registers(isa, self.frame, arrange(hashes))
        self.body = self.registers.write_all()
        size = self.frame.spills + self.registers.slots * isa.size
        self.frame_size = -(-size // 64) * 64

    def text(self):
        lines = [
            f'/* Made by generate_kernel.py: {self.streams} streams of {self.operations} vector '
            f'operations in {self.isa.name}; {self.registers.stores} stores of spilled values. */',
            '.text', '.p2align 6', f'.globl {self.name}', f'.type {self.name}, @function',
            f'{self.name}:', '.cfi_startproc',
            'push %rbp', '.cfi_def_cfa_offset 16', '.cfi_offset %rbp, -16',
            'mov %rsp, %rbp', '.cfi_def_cfa_register %rbp',
            f'sub ${self.frame_size}, %rsp', 'and $-64, %rsp',
            *self.fill_frame(),
            'mov %rdx, %rcx', 'mov %rdx, %rsi', '.p2align 6', '1:',
            *self.body, *self.advance(), *self.leave_on_hit(),
            'dec %rcx', 'jnz 1b',
            '2:', 'mov %rsi, %rax', 'sub %rcx, %rax', 'vzeroupper',
            'leave', '.cfi_def_cfa %rsp, 8', 'ret', '.cfi_endproc',
            f'.size {self.name}, .-{self.name}',
            *self.tables(),
            '.section .note.GNU-stack,"",@progbits',
        ]
        return '\n'.join(lines) + '\n'

    def fill_frame(self):
        r, move = self.isa.register, self.isa.move
        lines = []
        step = self.isa.size // self.isa.constant_size
        load = 'vmovdqu64' if self.isa is Avx512 else 'vpbroadcastq'
        for i in range(0, CONSTANTS, step):
            place = f'{self.frame.constants + i * self.isa.constant_size}(%rsp)'
            lines += [f'{load} {8 * i}(%rdi), %{r}1', f'{move} %{r}1, {place}']
        for bits in (24, 16) if self.isa.masks else ():
            lines += [f'vmovdqa .Lbytes{bits}(%rip), %ymm1', f'vmovdqa %ymm1, {self.frame.mask(bits)}']
        lines += ['vmovq %rsi, %xmm0', f'vpbroadcastq %xmm0, %{r}0']
        for stream in range(self.streams):
            lines += [f'vpaddq .Llanes+{stream * self.isa.size}(%rip), %{r}0, %{r}1',
                      f'{move} %{r}1, {self.frame.nonce(stream)}']
        return lines

    def advance(self):
        r, move = self.isa.register, self.isa.move
        lines = []
        for stream in range(self.streams):
            nonce = self.frame.nonce(stream)
            lines += [f'{move} {nonce}, %{r}{stream}',
                      f'vpaddq {self.frame.constant(GROUP_SIZE)}, %{r}{stream}, %{r}{stream}',
                      f'{move} %{r}{stream}, {nonce}']
        return lines

    def leave_on_hit(self):
        if self.isa is Avx2:
            return ['and %edx, %eax', 'cmp $15, %eax', 'jne 2f']
        more = [f'korw %k{1 + stream}, %k1, %k1' for stream in range(2, self.streams)]
        return more + ['kortestw %k2, %k1', 'jnz 2f']

    def tables(self):
        lanes = ', '.join(str(i) for i in range(self.streams * self.lanes))
        lines = ['.section .rodata', '.p2align 6', '.Llanes:', f'.quad {lanes}']
        for bits in (24, 16) if self.isa.masks else ():
            places = ((i + bits // 8) % 8 + 8 * half for _ in range(2) for half in range(2)
                      for i in range(8))
            lines += ['.p2align 5', f'.Lbytes{bits}:', '.byte ' + ', '.join(map(str, places))]
        return lines


# What each kernel is made of; why these is in docs/performance.md.
KERNELS = {
    'kernel_avx512_2': lambda name: Kernel(
        name, Avx512, 2, True, lambda hashes: by_latency(hashes, 4, 2, 2, 0)),
    'kernel_avx512_3': lambda name: Kernel(
        name, Avx512, 3, True, lambda hashes: by_latency(hashes, 4, 2, 2, 24)),
    'kernel_avx2_2': lambda name: Kernel(
        name, Avx2, 2, False, lambda hashes: by_blocks(hashes, 1)),
}


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in KERNELS:
        sys.exit(f'usage: generate_kernel.py {"|".join(KERNELS)} OUTPUT')
    with open(sys.argv[2], 'w', encoding='ascii') as output:
        output.write(KERNELS[sys.argv[1]](sys.argv[1] + '_groups').text())


if __name__ == '__main__':
    main()
