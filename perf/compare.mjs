// perf/compare: one workload, three programs, one driver: our hub, a hub on go-ethereum's p2p.Server, and the floor under
// both (millrace-limit). docs/performance.md, "Beside geth", says how to read it.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { judge, median, notes, ratios, table } from './compare_table.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const help = `perf/compare: millrace-hub beside a hub on go-ethereum's p2p.Server (where Go is) and beside the floor

  --json FILE         all figures (build/report/compare.json)
  --peers N           connections, one of which publishes (1000)
  --reps N            repetitions, each in the order ours, geth, floor or geth, ours, floor (5)
  --only ROW,...      of small_batched, small_single, block_txlike, block_random, handshake, idle_memory
  --scale X           so many times the messages of each run (1)
  --shards N          of our hub; it and geth's get as many CPUs (1)
  --hub PATH          instead of build/release/millrace-hub; --fan and --limit PATH likewise
  --hub-args "..."    further options of our hub
  --corpus FILE       transactions of block_txlike (../shared/data/corpora/mainnet_txs.bin, else generated)
  --sleep             the driver sleeps when nothing has come; waking it is then charged to the hubs
  --no-build          takes the programs as they are
  --no-geth           leaves geth out
  --baseline FILE     fails where the floor explains less of our cost than FILE says for this CPU and keccak variant, by
                      more than FILE's spread; a machine that FILE does not know is printed, not judged

Exit code 1: a run lost, doubled or damaged a message, could not be carried through, or was worse than the baseline;
2: it could not run.`

const { values: option } = parseArgs({
    options: {
        json: { type: 'string', default: join(root, 'build/report/compare.json') },
        peers: { type: 'string', default: '1000' },
        reps: { type: 'string', default: '5' },
        only: { type: 'string' },
        scale: { type: 'string', default: '1' },
        shards: { type: 'string', default: '1' },
        hub: { type: 'string', default: join(root, 'build/release/millrace-hub') },
        fan: { type: 'string', default: join(root, 'build/release/millrace-fan') },
        limit: { type: 'string', default: join(root, 'build/release/millrace-limit') },
        'hub-args': { type: 'string', default: '' },
        corpus: { type: 'string', default: join(root, '../shared/data/corpora/mainnet_txs.bin') },
        sleep: { type: 'boolean', default: false },
        'no-build': { type: 'boolean', default: false },
        'no-geth': { type: 'boolean', default: false },
        baseline: { type: 'string' },
        help: { type: 'boolean', default: false },
    },
})
const peers = Number(option.peers), reps = Number(option.reps), scale = Number(option.scale), shards = Number(option.shards)
const runLimitMs = 600_000
const gethHub = join(root, 'build/release/geth-hub')

// limits.md 3.2. Our hub gets more messages, so that its runs are not much shorter than geth's.
const tx = existsSync(option.corpus) ? ['--payload', 'tx', '--corpus', option.corpus] : ['--payload', 'tx']
const workloads = {
    small_batched: { fan: ['--bytes', 200, '--window', 16], messages: { ours: 3000, geth: 400 } },
    small_single: { fan: ['--bytes', 200, '--window', 1], messages: { ours: 1000, geth: 250 } },
    block_txlike: { fan: ['--bytes', 131072, '--window', 1, ...tx], messages: { ours: 60, geth: 10 } },
    block_random: { fan: ['--bytes', 131072, '--window', 1], messages: { ours: 40, geth: 10 } },
    connections: { fan: ['--window', 1], messages: { ours: 0, geth: 0 } }, // the rows handshake and idle_memory
}
// Of which workload a row is, and which figure it compares.
const rows = {
    small_batched: { of: 'small_batched', figure: 'hub_us_per_delivery' },
    small_single: { of: 'small_single', figure: 'hub_us_per_delivery' },
    block_txlike: { of: 'block_txlike', figure: 'hub_us_per_delivery' },
    block_random: { of: 'block_random', figure: 'hub_us_per_delivery' },
    handshake: { of: 'connections', figure: 'handshake_cpu_us' },
    idle_memory: { of: 'connections', figure: 'idle_rss_per_peer_bytes' },
}

function fail(sentence, code = 2) {
    console.error(`compare: ${sentence}`)
    process.exit(code)
}

// ---- the machine ----

function allowedCpus() {
    const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]
    return list.split(',').flatMap((part) => {
        const [first, last = first] = part.split('-').map(Number)
        return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    })
}

const said = (command, ...args) => {
    const r = spawnSync(command, args, { encoding: 'utf8' })
    return r.status === 0 ? r.stdout.trim() : null
}

// The hubs on the first CPUs, one a shard; the driver on the next. With one CPU only, all on that.
const allowed = allowedCpus()
const hubCpus = allowed.slice(0, Math.max(1, Math.min(shards, allowed.length - 1)))
const driverCpus = allowed.length > 1 ? allowed.slice(hubCpus.length, hubCpus.length + 1) : allowed

// ---- building ----

function build() {
    const targets = ['millrace-hub', 'millrace-fan', 'millrace-limit']
    const r = spawnSync(join(root, 'scripts/build'), ['release', ...targets], { cwd: root, encoding: 'utf8' })
    if (r.status !== 0) fail(`scripts/build release ${targets.join(' ')} failed:\n${r.stdout.slice(-3000)}${r.stderr}`)
}

// Why geth's hub is not there, or null.
function buildGeth() {
    if (option['no-geth']) return '--no-geth'
    if (option['no-build']) return existsSync(gethHub) ? null : 'no program'
    const go = [process.env.GO, 'go', '/usr/local/go/bin/go'].find((path) => path && said(path, 'version'))
    if (!go) return 'Go is not installed'
    const [, major, minor] = /go(\d+)\.(\d+)/.exec(said(go, 'version'))
    if (Number(major) === 1 && Number(minor) < 24) return `Go is ${major}.${minor}, and 1.24 is needed`
    const r = spawnSync(go, ['build', '-o', gethHub, '.'], { cwd: join(root, 'perf/geth-hub'), encoding: 'utf8' })
    return r.status === 0 ? null : `go build failed: ${r.stderr.trim().split('\n').at(-1)}`
}

// ---- running ----

const running = new Set()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143]]) process.on(signal, () => process.exit(code))

// A program on its CPUs; lines is what it has written, ended its exit code.
function start(on, program, args) {
    const child = spawn('taskset', ['-c', on.join(','), program, ...args.map(String)], { stdio: ['ignore', 'pipe', 'pipe'] })
    const p = { child, lines: [], errors: '' }
    const timer = setTimeout(() => child.kill('SIGKILL'), runLimitMs)
    running.add(child)
    p.reader = createInterface({ input: child.stdout }).on('line', (line) => p.lines.push(line))
    child.stderr.on('data', (data) => { p.errors += data })
    p.ended = new Promise((done) => child.on('close', (code) => {
        clearTimeout(timer)
        running.delete(child)
        done(code)
    }))
    return p
}

async function startHub(which) {
    const args = which === 'geth' ? [] : ['--shards', shards, '--maxpeers', peers, ...option['hub-args'].split(' ').filter(Boolean)]
    const hub = start(hubCpus, which === 'geth' ? gethHub : option.hub, ['--port', 0, ...args])
    const ready = new Promise((done) => hub.reader.on('line', (line) => line.startsWith('enode://') && done(line)))
    hub.enode = await Promise.race([ready, hub.ended.then(() => null)])
    if (!hub.enode) fail(`the hub (${which}) did not start: ${hub.errors}`)
    return hub
}

// One hub, one run of the driver: its figures, and what the hub said at its end.
async function runHub(which, name) {
    const workload = workloads[name], messages = Math.ceil(workload.messages[which] * scale)
    const hub = await startHub(which)
    const args = ['--target', hub.enode, '--hub-pid', hub.child.pid, '--peers', peers, '--json', '-', ...workload.fan]
    const driver = start(driverCpus, option.fan, [...args, '--messages', messages, ...(option.sleep ? [] : ['--spin'])])
    const code = await driver.ended
    hub.child.kill('SIGTERM')
    const hubCode = await hub.ended
    if (code !== 0) return { failure: driver.errors.trim().split('\n').at(-1) || `exit code ${code}` }
    if (hubCode !== 0) return { failure: `the hub ended with ${hubCode}: ${hub.errors.trim()}` }
    const figures = JSON.parse(driver.lines.join('\n'))
    const totals = hub.lines.at(-1)?.startsWith('{') ? JSON.parse(hub.lines.at(-1)) : null
    figures.messages_per_send = totals?.sends > 0 ? totals.deliveries / totals.sends : null
    return { figures, totals, said: hub.lines[0] }
}

// The floor of what our hub did: as many bytes a message, as many messages a send.
async function runFloor(name, ours) {
    const together = Math.max(1, Math.round(ours.messages_per_send ?? ours.messages_per_receive))
    const path = name === 'connections' ? ['--handshake']
        : ['--peers', peers - 1, '--frame-bytes', Math.round(ours.frame_bytes), '--coalesce', together]
    const limit = start(allowed, option.limit, [...path, '--seconds', 0.5, '--cpu', hubCpus[0], '--sink-cpu', driverCpus[0],
        '--json', '-'])
    const code = await limit.ended
    return code === 0 ? { figures: JSON.parse(limit.lines.join('\n')) } : { failure: limit.errors.trim() }
}

const results = {} // by workload: lists of runs, in pairs
const failures = []
async function runAll(names, withGeth, withFloor) {
    for (let rep = 0; rep < reps; rep++)
        for (const name of names) {
            const runs = (results[name] ??= { ours: [], geth: [], floor: [] })
            for (const which of rep % 2 ? ['geth', 'ours'] : ['ours', 'geth']) {
                if (which === 'geth' && !withGeth) continue
                process.stderr.write(`\r\x1b[K${rep + 1}/${reps} ${name}: ${which}`)
                runs[which].push(await runHub(which, name))
            }
            if (!withFloor) continue
            process.stderr.write(`\r\x1b[K${rep + 1}/${reps} ${name}: floor`)
            const ours = runs.ours.at(-1).figures
            runs.floor.push(ours ? await runFloor(name, ours) : { failure: 'ours failed' })
        }
    process.stderr.write('\r\x1b[K')
    for (const [name, runs] of Object.entries(results))
        for (const [which, list] of Object.entries(runs))
            list.forEach((run, i) => run.failure && failures.push(`${name}, ${which}, repetition ${i + 1}: ${run.failure}`))
}

// ---- what comes out ----

const floorFigure = (name) => (name === 'handshake' ? 'handshake_us' : 'cpu_us_per_delivery')

function rowOf(name, gethMissing) {
    const { of, figure } = rows[name], runs = results[of]
    const all = (which, key) => runs[which].map((run) => run.figures?.[key] ?? null)
    const ours = all('ours', figure), geth = all('geth', figure)
    const floor = name === 'idle_memory' ? [] : all('floor', floorFigure(name))
    return {
        ours: median(ours), geth: median(geth), floor: median(floor), ...ratios(geth, ours),
        share_of_floor: ratios(floor, ours).ratio, share_spread: ratios(floor, ours).spread,
        unit: name === 'idle_memory' ? 'bytes a peer' : name === 'handshake' ? 'us of CPU' : 'us of CPU a delivery',
        ...(gethMissing ? { geth_not_measured: gethMissing } : {}),
        details: Object.fromEntries(Object.entries(runs).map(([which, list]) => [which, list.map((run) => ({
            ...run.figures, ...(run.totals ? { hub_totals: run.totals } : {}), ...(run.failure ? { failure: run.failure } : {}),
        }))])),
    }
}

function machine(gethMissing) {
    const firstLine = (which) => Object.values(results).flatMap((runs) => runs[which]).find((run) => run.said)?.said ?? null
    return {
        cpu: cpus()[0].model.trim(), cpus_allowed: allowed, hub_cpus: hubCpus, driver_cpus: driverCpus,
        kernel: release(), keccak: /keccak (\w+)/.exec(firstLine('ours') ?? '')?.[1] ?? null,
        millrace: firstLine('ours'), geth: gethMissing ? `not measured: ${gethMissing}` : firstLine('geth'),
        commit: said('git', '-C', root, 'rev-parse', '--short', 'HEAD'), compiler: said('cc', '--version')?.split('\n')[0] ?? null,
        secp256k1: said('pkg-config', '--modversion', 'libsecp256k1'), node: process.version,
    }
}

async function main() {
    const chosen = option.only ? option.only.split(',') : Object.keys(rows)
    for (const name of chosen) if (!rows[name]) fail(`there is no row ${name}`)
    if (!(peers >= 2 && reps >= 1 && scale > 0 && shards >= 1)) fail('--peers wants 2 or more, --reps, --scale and --shards more than 0')
    if (!option['no-build']) build()
    const gethMissing = buildGeth(), withFloor = existsSync(option.limit)
    for (const path of [option.hub, option.fan]) if (!existsSync(path)) fail(`there is no ${path}`)
    await runAll([...new Set(chosen.map((name) => rows[name].of))], !gethMissing, withFloor)

    const report = { machine: machine(gethMissing), options: { peers, reps, scale, shards, spin: !option.sleep } }
    for (const name of chosen) report[name] = rowOf(name, gethMissing)
    report.notes = notes(report, chosen)
    report.failures = failures
    mkdirSync(dirname(option.json), { recursive: true })
    writeFileSync(option.json, `${JSON.stringify(report, null, 2)}\n`)
    console.log(table(report, chosen))
    const verdict = option.baseline ? judge(report, chosen, JSON.parse(readFileSync(option.baseline, 'utf8'))) : { lines: [] }
    if (verdict.lines.length > 0) console.log(`\n${verdict.lines.join('\n')}`)
    process.exit(failures.length > 0 || verdict.worse ? 1 : 0)
}

if (option.help) console.log(help)
else await main()
