// What perf/compare makes of its runs: medians, ratios of pairs, a table. No processes, no files.

const numbers = (list) => list.filter((v) => typeof v === 'number' && Number.isFinite(v))

export function median(list) {
    const sorted = numbers(list).sort((a, b) => a - b), n = sorted.length
    return n === 0 ? null : n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2
}

// Of pairs measured one behind the other: the median of their ratios, and the least and the greatest.
export function ratios(above, below) {
    const pairs = numbers(above.map((v, i) => (v !== null && below[i] > 0 ? v / below[i] : null)))
    return { ratio: median(pairs), spread: pairs.length ? [Math.min(...pairs), Math.max(...pairs)] : null }
}

// What geth's hub cost where ../shared/limits.md was measured: us, or bytes.
const gethRanges = {
    small_batched: [12.6, 14.8], small_single: [18.1, 20.3], block_txlike: [617, 640], block_random: [651, 660],
    handshake: [765, 860], idle_memory: [132 * 1024, 137 * 1024],
}
const tolerance = 0.15

export function notes(report, names) {
    const out = []
    for (const name of names) {
        const { geth, details } = report[name], [low, high] = gethRanges[name]
        if (geth !== null && (geth < low * (1 - tolerance) || geth > high * (1 + tolerance)))
            out.push(`${name}: geth's ${geth.toPrecision(4)} is over 15% off the ${low} to ${high} of the limits: the share of the floor decides`)
        for (const which of ['ours', 'geth']) {
            const waits = median(details[which].map((run) => run.hub_wait_s / run.measured_s))
            if (waits > 0.1) out.push(`${name}, ${which}: the hub waited for its CPU ${(100 * waits).toFixed(0)}% of the time: others ran too`)
        }
    }
    return out
}

// ---- the table ----

const short = (v, digits = 3) => (v === null || v === undefined ? '-' : v >= 1000 ? Math.round(v).toString() : Number(v.toPrecision(digits)).toString())
const ms = (us) => (us === null ? '-' : `${short(us / 1000)}`)
const pad = (cells, widths) => cells.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]))).join('  ')

const of = (runs, path) => median(runs.map((run) => path.split('.').reduce((v, key) => v?.[key], run) ?? null))
const columns = [
    ['CPU us', 'hub_us_per_delivery', short], ['user', 'hub_user_us_per_delivery', short], ['sys', 'hub_sys_us_per_delivery', short],
    ['cores', 'hub_cores', short], ['per s', 'deliveries_per_s', short], ['a send', 'messages_per_send', short],
    ['p50 ms', 'latency_us.p50', ms], ['p99 ms', 'latency_us.p99', ms], ['p99.9 ms', 'latency_us.p999', ms], ['last p50', 'last_us.p50', ms],
    ['RSS MiB', 'hub_rss_bytes', (v) => (v === null ? '-' : short(v / 2 ** 20))], ['driver us', 'driver_us_per_delivery', short],
]
const widths = [22, ...columns.map(([title]) => Math.max(8, title.length))]

function ratioText({ ratio, spread }, digits = 3) {
    return ratio === null ? '-' : `${short(ratio, digits)} (${short(spread[0], digits)} to ${short(spread[1], digits)})`
}

function fanRow(name, row) {
    const lines = [name]
    for (const which of ['ours', 'geth']) {
        const runs = row.details[which]
        lines.push(which === 'geth' && runs.length === 0 ? `  geth: not measured: ${row.geth_not_measured}`
            : pad([`  ${which}`, ...columns.map(([, path, text]) => text(of(runs, path)))], widths))
    }
    const floor = row.details.floor
    if (row.floor !== null)
        lines.push(pad(['  floor', short(row.floor), short(of(floor, 'user_us')), short(of(floor, 'sys_us')), '', '', of(floor, 'coalesce')], widths) +
            `   AES ${short(of(floor, 'aes_us'))}, Keccak ${short(of(floor, 'keccak_us'))}, kernel ${short(of(floor, 'kernel_us'))}`)
    const latency = (path) => ratioText(ratios(...['geth', 'ours'].map((w) => row.details[w].map((run) => of([run], path)))))
    lines.push(`  geth over ours        CPU ${ratioText(row)}, p50 ${latency('latency_us.p50')}, p99 ${latency('latency_us.p99')}`)
    lines.push(`  the floor explains    ${row.share_of_floor === null ? '-' : `${(100 * row.share_of_floor).toFixed(0)}% (${row.share_spread.map((v) => (100 * v).toFixed(0)).join(' to ')})`} of ours`)
    return lines
}

function connectionRow(name, row) {
    const unit = name === 'idle_memory' ? (v) => (v === null ? '-' : `${short(v / 1024)} KiB a peer`) : (v) => (v === null ? '-' : `${short(v)} us`)
    const geth = row.geth_not_measured ? `not measured: ${row.geth_not_measured}` : unit(row.geth)
    const share = row.share_of_floor === null ? '' : `, which explains ${(100 * row.share_of_floor).toFixed(0)}%`
    return [name, `  ours ${unit(row.ours)}   geth ${geth}   floor ${unit(row.floor)}${share}   geth over ours ${ratioText(row)}`]
}

export function table(report, names) {
    const m = report.machine
    const lines = [
        `${m.millrace ?? 'millrace-hub'} (${m.commit}), ${m.geth}, secp256k1 ${m.secp256k1}`,
        `${m.cpu}, Linux ${m.kernel}; hub on CPU ${m.hub_cpus}, driver on CPU ${m.driver_cpus}${report.options.spin ? ', spinning' : ''}`,
        `${report.options.peers} peers, ${report.options.reps} repetitions: medians; ratios of pairs with their least and greatest`, '',
    ]
    const isFan = (name) => !['handshake', 'idle_memory'].includes(name)
    if (names.some(isFan)) lines.push(pad(['', ...columns.map(([title]) => title)], widths))
    for (const name of names) lines.push(...(isFan(name) ? fanRow : connectionRow)(name, report[name]))
    if (report.notes.length > 0) lines.push('', ...report.notes)
    if (report.failures.length > 0) lines.push('', ...report.failures.map((f) => `FAILED ${f}`))
    return lines.join('\n')
}

// ---- the baseline ----

// The share that the floor explains against a stored one of the same CPU and keccak variant: shares hardly depend on how
// busy a machine is, absolute times do.
export function judge(report, names, baseline) {
    const { cpu, keccak } = report.machine
    const known = baseline.machines.find((m) => m.cpu === cpu && m.keccak === keccak)
    const text = (v) => `${(100 * v).toFixed(0)}%`
    if (!known) {
        const shares = names.filter((name) => report[name].share_of_floor !== null)
            .map((name) => `${name} ${text(report[name].share_of_floor)}`)
        return { lines: [`baseline: "${cpu}" with ${keccak} is not known, so nothing is judged: ${shares.join(', ')}`], worse: false }
    }
    const lines = []
    let worse = false
    for (const name of names) {
        const now = report[name].share_of_floor, row = known.rows[name]
        if (!row || now === null) continue
        const least = row.share - (row.spread[1] - row.spread[0]), bad = now < least
        worse ||= bad
        lines.push(`baseline ${name}: the floor explains ${text(now)}, stored ${text(row.share)}, at least ${text(least)}${bad ? ': WORSE' : ''}`)
    }
    return { lines, worse }
}
