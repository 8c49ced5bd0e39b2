// millrace-fan with 12 peers against hub.mjs, which delivers all, or errs as it is told: the figures must be exact.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { startHub } from './hub_process.mjs'

const program = join(process.env.MR_BUILD, 'millrace-fan')
const peers = 12
const messages = 60 // and 3 of warm-up

// What the hub did wrong, the driver's exit code and its report.
async function run(hubArgs, fanArgs) {
    const hub = await startHub(hubArgs)
    try {
        const fan = spawn(program, ['--target', hub.enode, '--hub-pid', hub.child.pid, '--peers', peers,
            '--messages', messages, '--stall', 3, '--json', '-', ...fanArgs],
            { stdio: ['ignore', 'pipe', 'pipe'] })
        let json = '', text = ''
        fan.stdout.on('data', (d) => { json += d })
        fan.stderr.on('data', (d) => { text += d })
        const [code] = await once(fan, 'close')
        hub.child.kill('SIGTERM')
        const done = JSON.parse((await hub.lines.next()).value)
        assert.match(json, /^{/, text)
        return { code, text, done, report: JSON.parse(json) }
    } finally {
        hub.child.kill('SIGKILL')
    }
}

const expected = (messages + 3) * (peers - 1)
for (const args of [['--bytes', 200, '--window', 4, '--check', 5], ['--bytes', 200, '--rate', 50],
    ['--bytes', 131072, '--payload', 'tx', '--check', 3, '--one-address']]) {
    const { code, text, report: r } = await run([], args)
    assert.equal(code, 0, text)
    assert.equal(r.connected, peers)
    assert.equal(r.expected, expected)
    assert.equal(r.delivered, expected)
    assert.equal(r.payload_bytes, expected * args[1])
    assert.equal(r.lost + r.doubled + r.damaged + r.returned, 0, text)
    assert.equal(r.latency_us.count, messages * (peers - 1))
    assert.equal(r.last_us.count, messages)
    assert.ok(r.latency_us.p50 > 0 && r.latency_us.p50 <= r.latency_us.p99 && r.latency_us.p99 <= r.latency_us.max)
    assert.ok(r.latency_us.p50 <= r.last_us.p50)
    assert.ok(r.hub_us_per_delivery > 0 && r.handshake_cpu_us > 0)
    if (args.includes('tx')) assert.ok(Math.abs(r.snappy_ratio - 0.62) <= 0.01, `ratio ${r.snappy_ratio}`)
}

for (const [name, figure] of [['drop', 'lost'], ['twice', 'doubled'], ['back', 'returned'], ['lie', 'damaged']]) {
    const bad = await run([`${name}=${name === 'back' ? 9 : 50}`], ['--window', 4])
    assert.ok(bad.done[name] > 0)
    assert.equal(bad.report[figure], bad.done[name], `${name}: ${bad.text}`)
    assert.equal(bad.code, 1)
    for (const other of ['doubled', 'returned', 'damaged']) if (other !== figure) assert.equal(bad.report[other], 0)
}
console.log('ok')
