// A relay of ethereumjs, for the load generator to be tried on: every transaction goes on to all other peers, to
// some in full, to the others as an announcement. And a hub of bench/1, for the fan-out driver: every message goes on to
// all other peers. Prints its enode URL, and at its end what it did wrong on purpose.
//   hub.mjs [drop=N] [twice=N] [back=N] [lie=N]
// leaves out, repeats, sends back, or announces (bench/1: sends) with a wrong size one delivery in N
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const interop = createRequire(new URL('../interop/package.json', import.meta.url))
const load = (name) => import(pathToFileURL(interop.resolve(name)).href)
const { RLPx, ETH, EthMessageCodes } = await load('@ethereumjs/devp2p')
const { Common, Mainnet } = await load('@ethereumjs/common')
const { RLP } = await load('@ethereumjs/rlp')
const { compress } = await load('snappyjs')
const { keccak256 } = await load('ethereum-cryptography/keccak.js')
const { bytesToHex, hexToBytes, utf8ToBytes } = await load('@ethereumjs/util')

const option = Object.fromEntries(process.argv.slice(2).map((a) => a.split('=')))
const done = { drop: 0, twice: 0, back: 0, lie: 0 }
const due = (name, n) => option[name] && n % Number(option[name]) === 0 && ++done[name] > 0
const common = new Common({ chain: Mainnet, hardfork: 'bpo2' })
const genesis = hexToBytes('0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3')
const members = new Set()

class Bench {
    constructor(version, peer, send) {
        this.deliver = (payload) => send(0, compress(payload))
    }

    _handleMessage(code, payload) {
        for (const member of members) {
            if (member === this && !due('back', ++rounds)) continue
            const n = ++deliveries
            if (due('drop', n)) continue
            member.deliver(due('lie', n) ? payload.subarray(1) : payload)
            if (due('twice', n)) member.deliver(payload)
        }
    }
}

const bench = { name: 'bench', version: 1, length: 4, constructor: Bench }
const key = crypto.getRandomValues(new Uint8Array(32))
const rlpx = new RLPx(key, { capabilities: [ETH.eth68, bench], common, maxPeers: 1000, listenPort: null, clientId: utf8ToBytes('hub') })
const peers = new Set()
const pool = new Map()
let deliveries = 0
let rounds = 0

function deliver(eth, tx, n) {
    const size = tx.size + (due('lie', n) ? 9 : 0)
    if (n % 4 === 1) eth.sendMessage(EthMessageCodes.TX, [tx.body])
    else eth.sendMessage(EthMessageCodes.NEW_POOLED_TRANSACTION_HASHES, [Uint8Array.of(tx.type), [size], [tx.hash]])
}

function relay(from, body) {
    const raw = Array.isArray(body) ? RLP.encode(body) : body
    const hash = keccak256(raw)
    const tx = { body, hash, size: raw.length, type: raw[0] >= 0xc0 ? 0 : raw[0] }
    if (pool.has(bytesToHex(hash))) return
    pool.set(bytesToHex(hash), tx)
    for (const eth of peers) {
        if (eth === from && !due('back', pool.size)) continue
        const n = ++deliveries
        if (due('drop', n)) continue
        deliver(eth, tx, n)
        if (due('twice', n)) deliver(eth, tx, n)
    }
}

rlpx.events.on('peer:added', (peer) => {
    const eth = peer.getProtocols()[0]
    if (eth instanceof Bench) {
        members.add(eth)
        return
    }
    eth.sendStatus({ td: Uint8Array.of(1), bestHash: genesis, genesisHash: genesis })
    eth.events.on('status', () => peers.add(eth))
    eth.events.on('message', (code, payload) => {
        if (code === EthMessageCodes.TX) payload.forEach((body) => relay(eth, body))
        if (code === EthMessageCodes.GET_POOLED_TRANSACTIONS) {
            const held = payload[1].map((hash) => pool.get(bytesToHex(hash))).filter((tx) => tx)
            eth.sendMessage(EthMessageCodes.POOLED_TRANSACTIONS, [payload[0], held.map((tx) => tx.body)])
        }
    })
})
rlpx.events.on('peer:removed', (peer) => {
    peers.delete(peer.getProtocols()[0])
    members.delete(peer.getProtocols()[0])
})
rlpx.events.on('peer:error', (_, error) => console.error('hub:', error.message))
rlpx['_server'].once('listening', () => {
    console.log(`enode://${bytesToHex(rlpx.id).slice(2)}@127.0.0.1:${rlpx['_server'].address().port}`)
})
rlpx.listen(0, '127.0.0.1')
process.once('SIGTERM', () => {
    console.log(JSON.stringify(done))
    process.exit(0)
})
