// millrace-load with 20 peers against hub.mjs, which relays all, or errs as it is told: the figures must be exact.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startHub } from './hub_process.mjs'

const program = join(process.env.MR_BUILD, 'millrace-load')
const folder = mkdtempSync(join(tmpdir(), 'millrace-hub-'))
const peers = 20

// What the hub did wrong, the load's exit code and its report.
async function run(hubArgs, loadArgs = []) {
    const hub = await startHub(hubArgs)
    const json = join(folder, 'load.json')
    try {
        const load = spawn(program, ['--target', hub.enode, '--peers', peers, '--senders', 5, '--rate', 20, '--duration', 3,
            '--drain', 2, '--json', json, '--hgrm', join(folder, 'l.hgrm'), '--svg', join(folder, 'l.svg'), ...loadArgs],
            { stdio: ['ignore', 'pipe', 'inherit'] })
        let text = ''
        load.stdout.on('data', (d) => { text += d })
        const [code] = await once(load, 'close')
        hub.child.kill('SIGTERM')
        const done = JSON.parse((await hub.lines.next()).value)
        return { code, text, done, report: JSON.parse(readFileSync(json)) }
    } finally {
        hub.child.kill('SIGKILL')
    }
}

const expected = 60 * (peers - 1)
try {
    const { code, text, report: r } = await run([])
    assert.equal(code, 0, text)
    assert.equal(r.peers_connected, peers)
    assert.equal(r.sent, 60)
    assert.equal(r.expected, expected)
    assert.equal(r.delivered, expected)
    assert.equal(r.lost + r.duplicates_sent_by_relay + r.punishable, 0, text)
    for (const key of ['notice_us', 'body_us']) {
        assert.equal(r[key].count, expected)
        assert.ok(r[key].p50 > 0 && r[key].p50 <= r[key].p90 && r[key].p90 <= r[key].p99 && r[key].p99 <= r[key].p999)
        assert.ok(r[key].p999 <= r[key].max)
    }
    assert.ok(r.notice_us.p50 < r.body_us.p50, 'a body that is fetched comes behind its notice')
    assert.match(readFileSync(join(folder, 'l.hgrm'), 'latin1'), /#\[Max/)
    assert.match(readFileSync(join(folder, 'l.hlog'), 'latin1'), /Tag=body_us,.*\n.*Tag=notice_us,/)
    assert.match(readFileSync(join(folder, 'l.svg'), 'latin1'), /^<svg[^]*<polyline[^]*<polyline[^]*<\/svg>\n$/)

    for (const [name, figure] of [['drop', 'lost'], ['twice', 'duplicates_sent_by_relay'], ['back', 'duplicates_sent_by_relay'],
        ['lie', 'punishable']]) {
        const bad = await run([`${name}=${name === 'back' ? 7 : 50}`])
        assert.ok(bad.done[name] > 0)
        assert.equal(bad.report[figure], bad.done[name], `${name}: ${bad.text}`)
        assert.equal(bad.code, 1)
        if (name !== 'drop') assert.equal(bad.report.lost, 0)
    }

    const asserted = await run([], ['--assert', 'body_us.p99=1'])
    assert.equal(asserted.code, 1)
    assert.match(asserted.text, /FAILED: body_us.p99 is/)
    console.log('ok')
} finally {
    rmSync(folder, { recursive: true })
}
