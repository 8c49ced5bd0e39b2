// hub.mjs in a process of its own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('hub.mjs', import.meta.url))

export async function startHub(args) {
    const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const enode = (await lines.next()).value
    assert.match(enode ?? '', /^enode:/, 'the hub started')
    return { child, enode, lines }
}
