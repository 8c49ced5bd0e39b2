// perf/compare on this build's programs, a few peers and messages, without geth; and what it makes of numbers.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { judge, median, notes, ratios, table } from '../../perf/compare_table.mjs'

assert.equal(median([3, null, 1, 2]), 2)
assert.equal(median([null]), null)
assert.deepEqual(ratios([10, 30, null, 12], [1, 2, 3, 0]), { ratio: 12.5, spread: [10, 15] }) // pairs that are whole only
assert.deepEqual(ratios([], []), { ratio: null, spread: null })
const row = (geth) => ({ handshake: { geth, details: { ours: [], geth: [] } } })
assert.equal(notes(row(800), ['handshake']).length, 0)
assert.match(notes(row(600), ['handshake'])[0], /over 15% off/)

const shares = (share) => ({ machine: { cpu: 'A', keccak: 'avx512' }, block_random: { share_of_floor: share } })
const stored = { machines: [{ cpu: 'A', keccak: 'avx512', rows: { block_random: { share: 0.9, spread: [0.85, 0.95] } } }] }
assert.equal(judge(shares(0.81), ['block_random'], stored).worse, false)
assert.equal(judge(shares(0.79), ['block_random'], stored).worse, true)
assert.match(judge(shares(0.79), ['block_random'], stored).lines[0], /explains 79%, stored 90%, at least 80%: WORSE/)
const other = judge({ ...shares(0.1), machine: { cpu: 'B', keccak: 'avx2' } }, ['block_random'], stored)
assert.equal(other.worse, false)
assert.match(other.lines[0], /not known.*block_random 10%/)

const compare = fileURLToPath(new URL('../../perf/compare', import.meta.url))
const program = (name) => join(process.env.MR_BUILD, name)
const folder = mkdtempSync(join(tmpdir(), 'millrace-compare-'))
const json = join(folder, 'c.json')
const run = (...args) => spawnSync(compare, ['--no-build', '--no-geth', '--hub', program('millrace-hub'), '--fan', program('millrace-fan'),
    '--limit', '/nowhere', '--peers', '8', '--reps', '1', '--json', json, ...args], { encoding: 'utf8' })
try {
    const done = run('--scale', '0.01', '--sleep')
    assert.equal(done.status, 0, done.stdout + done.stderr)
    const report = JSON.parse(readFileSync(json))
    for (const key of ['small_batched', 'small_single', 'block_txlike', 'block_random', 'handshake', 'idle_memory']) {
        assert.equal(typeof report[key].ours, 'number', key)
        for (const part of ['geth', 'floor', 'ratio', 'spread']) assert.equal(report[key][part], null)
        assert.equal(report[key].geth_not_measured, '--no-geth')
    }
    assert.equal(report.small_batched.details.ours[0].lost, 0)
    assert.match(done.stdout, /small_batched\n.*ours/)
    assert.match(table(report, ['handshake']), /geth not measured: --no-geth/)

    assert.equal(run('--only', 'nothing').status, 2)
    const broken = run('--only', 'small_single', '--fan', '/bin/false') // a driver that finds a fault
    assert.equal(broken.status, 1)
    assert.match(broken.stdout, /FAILED small_single, ours, repetition 1/)
    console.log('ok')
} finally {
    rmSync(folder, { recursive: true })
}
