#!/usr/bin/env python3
"""Writes the search kernel for OpenCL or CUDA.

The template, kernel_opencl.cl or kernel_cuda.cu, has what the language needs; a line of it that says
@VALUE@ is replaced by the statements that make `value` out of `nonce` and `task->words`: the same
operations as generate_kernel.py schedules for the CPU, one statement each, nothing left to unroll or
to fold.

Usage: generate_gpu_kernel.py TEMPLATE NAME SOURCE_OUTPUT C_OUTPUT
The second output is C: the source as `const char NAME[]`, for the program to hand to the driver.
"""
import sys

from generate_kernel import Constant, Hash, Nonce


class Gpu:
    """Whatever the template's rotate functions are made of."""
    rotates = True


def statements():
    operations = Hash(0, Gpu).build(True)
    names = {}

    def text(value):
        if isinstance(value, Constant):
            return f'task->words[{value.index}]'
        return 'nonce' if isinstance(value, Nonce) else names[value]

    lines = []
    for number, operation in enumerate(operations):
        inputs = [text(x) for x in operation.inputs]
        if operation.kind == 'hit':
            lines.append(f'    const word value = {inputs[0]};')
            break
        names[operation] = f'x{number}'
        expressions = {
            'add': lambda: f'{inputs[0]} + {inputs[1]}',
            'xor': lambda: f'{inputs[0]} ^ {inputs[1]}',
            'rotate': lambda: f'rotate{operation.bits}({inputs[0]})',
        }
        lines.append(f'    const word x{number} = {expressions[operation.kind]()};')
    return '\n'.join(lines) + '\n'


def c_array(name, text):
    numbers = [str(byte) for byte in text.encode('ascii')] + ['0']
    rows = [', '.join(numbers[i:i + 24]) for i in range(0, len(numbers), 24)]
    return f'extern const char {name}[];\nconst char {name}[] = {{\n' + ',\n'.join(rows) + '\n};\n'


def main():
    if len(sys.argv) != 5:
        sys.exit('usage: generate_gpu_kernel.py TEMPLATE NAME SOURCE_OUTPUT C_OUTPUT')
    template, name, source_output, c_output = sys.argv[1:]
    with open(template, encoding='ascii') as file:
        source = file.read().replace('@VALUE@\n', statements())
    with open(source_output, 'w', encoding='ascii') as file:
        file.write(source)
    with open(c_output, 'w', encoding='ascii') as file:
        file.write(c_array(name, source))


if __name__ == '__main__':
    main()
