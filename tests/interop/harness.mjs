// What the tests of this folder share: a relay as a child process, and ethereumjs nodes beside it. Loopback only; every
// process that is started here is ended by its pid, at the latest when node exits.
import { Common, Holesky, Hoodi, Mainnet, Sepolia } from '@ethereumjs/common';
import { DISCONNECT_REASON, ETH, EthMessageCodes, Peer, RLPx } from '@ethereumjs/devp2p';
import { RLP } from '@ethereumjs/rlp';
import { keccak256 } from 'ethereum-cryptography/keccak.js';
import { secp256k1 } from 'ethereum-cryptography/secp256k1.js';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export { DISCONNECT_REASON, ETH, EthMessageCodes, RLP };

const tests = path.resolve(path.dirname(new URL(import.meta.url).pathname), '..');
export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const bytes = (text) => new Uint8Array(Buffer.from(text.replace(/^0x/, ''), 'hex'));
export const hash = (data) => hex(keccak256(data));
export const vectors = (name) => JSON.parse(fs.readFileSync(path.join(tests, 'vectors', name), 'utf8'));
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// Calls what() until it is true; fails with the sentence after some seconds.
export async function until(sentence, what, ms = 8000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await what();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${sentence}`);
    await sleep(20);
  }
}

const chains = { mainnet: Mainnet, sepolia: Sepolia, hoodi: Hoodi, holesky: Holesky };
// Total difficulties that eth/68 of merged networks states; ethereumjs compares none.
const difficulties = { mainnet: 58750003716598352816469n, sepolia: 17000018015853232n };

export const common = (network, hardfork = 'bpo2') => new Common({ chain: chains[network], hardfork });
export const genesis = (network) => bytes(vectors(`networks/${network}.json`).genesis_hash);

const bigBytes = (n) => bytes(n.toString(16).length % 2 ? `0${n.toString(16)}` : n.toString(16));

// ---- the relay -----------------------------------------------------------------------------------

const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });

export class Relay {
  // args: of `millrace run`, besides address, port, datadir and stats.
  static async start(args = [], { key } = {}) {
    const relay = new Relay();
    relay.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mr_interop_'));
    relay.statsFile = path.join(relay.dir, 'stats.json');
    relay.logFile = path.join(relay.dir, 'log');
    relay.text = '';
    if (key) fs.writeFileSync(path.join(relay.dir, 'key'), `${hex(key)}\n`, { mode: 0o600 });
    relay.child = spawn(path.join(process.env.MR_BUILD, 'millrace'),
      ['run', '--addr', '127.0.0.1', '--port', '0', '--datadir', path.join(relay.dir, 'data'), '--stats',
        relay.statsFile, '--log.file', relay.logFile, ...(key ? ['--nodekey', path.join(relay.dir, 'key')] : []),
        ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(relay.child);
    relay.exited = once(relay.child, 'exit').then(([code, signal]) => {
      running.delete(relay.child);
      relay.code = code ?? signal;
      return relay.code;
    });
    for (const stream of [relay.child.stdout, relay.child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (data) => { relay.text += data; });
    }
    const url = await until('the relay prints its enode URL', () => {
      if (relay.code !== undefined) throw new Error(`the relay ended with ${relay.code}: ${relay.text}`);
      return relay.text.match(/enode:\/\/([0-9a-f]{128})@([0-9.]+):(\d+)/);
    });
    relay.url = url[0];
    relay.id = bytes(url[1]);
    relay.port = Number(url[3]);
    return relay;
  }

  stats() { return JSON.parse(fs.readFileSync(this.statsFile, 'utf8')); }

  log() { return this.text + (fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : ''); }

  // Waits until the counters, which are written once a second, satisfy what().
  async counted(sentence, what, ms) {
    let last;
    try {
      return await until(sentence, () => {
        if (!fs.existsSync(this.statsFile)) return null;
        last = this.stats();
        return what(last) ? last : null;
      }, ms);
    } catch (e) {
      e.message += `\n${JSON.stringify(last)}\n${this.log()}`;
      throw e;
    }
  }

  async stop() {
    const from = Date.now();
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), 10000);
    const code = await this.exited;
    clearTimeout(timer);
    const result = { code, ms: Date.now() - from, stats: fs.existsSync(this.statsFile) ? this.stats() : null };
    fs.rmSync(this.dir, { recursive: true, force: true });
    return result;
  }
}

// ---- ethereumjs ----------------------------------------------------------------------------------

// ethereumjs tells of a connection and of a Disconnect only when Hello was exchanged before: note each one.
const handleDisconnect = Peer.prototype._handleDisconnect, onSocketData = Peer.prototype._onSocketData;
const owners = new WeakMap(); // socket -> Node, until its first byte
Peer.prototype._handleDisconnect = function noted(payload) {
  handleDisconnect.call(this, payload);
  this.events.emit('mr:disconnect', this._disconnectReason);
};
Peer.prototype._onSocketData = function attached(data) {
  const node = owners.get(this._socket);
  if (node) {
    owners.delete(this._socket);
    node.sessions.push(new Session(node, this));
  }
  onSocketData.call(this, data);
};

const nodes = new Set();

// One connection, as ethereumjs sees it.
export class Session {
  constructor(node, peer) {
    this.node = node;
    this.peer = peer;
    this.status = null;      // the remote's, once ethereumjs agreed with it
    this.reason = undefined; // of the Disconnect received
    this.closed = false;
    this.errors = [];
    this.bodies = [];        // [{hash, raw, asked}] of Transactions and PooledTransactions
    this.announced = [];     // [{hash, type, size}]
    this.answers = new Map(); // request id -> payload
    this.pings = 0;
    this.pongs = 0;
    const ping = peer._handlePing.bind(peer), pong = peer._handlePong.bind(peer);
    peer._handlePing = () => { this.pings++; ping(); };
    peer._handlePong = () => { this.pongs++; pong(); };
    peer.events.on('mr:disconnect', (reason) => { this.reason = reason; });
    peer.events.on('error', (e) => this.errors.push(e));
    peer._socket.once('close', () => { this.closed = true; });
    peer._socket.on('error', () => {});
    if (node.options.lenient) peer.disconnect = () => {};
    peer.events.once('connect', () => this.begin());
  }

  begin() {
    const { options } = this.node;
    this.eth = this.peer.getProtocols().find((p) => p.constructor === ETH);
    if (!this.eth) return;
    this.eth.events.on('status', (status) => { this.status = status; });
    this.eth.events.on('message', (code, payload) => this.onMessage(code, payload));
    if (options.lenient) {
      this.eth._handleStatus = () => { if (this.eth._peerStatus) this.status = this.eth._peerStatus; clearTimeout(this.eth._statusTimeoutId); };
    }
    if (options.silent) return;
    this.eth.sendStatus({
      td: bigBytes(difficulties[options.network] ?? 1n),
      bestHash: options.genesis,
      genesisHash: options.genesis,
    });
  }

  take(item, asked) {
    const raw = item instanceof Uint8Array ? item : RLP.encode(item);
    this.bodies.push({ hash: hash(raw), raw: hex(raw), asked });
  }

  onMessage(code, payload) {
    if (code === EthMessageCodes.TX) {
      for (const item of payload) this.take(item, false);
    } else if (code === EthMessageCodes.NEW_POOLED_TRANSACTION_HASHES) {
      const [types, sizes, hashes] = payload;
      const lacking = [];
      hashes.forEach((h, i) => {
        this.announced.push({ hash: hex(h), type: types[i], size: Number(`0x${hex(sizes[i])}`) });
        if (!this.bodies.some((b) => b.hash === hex(h))) lacking.push(h);
      });
      if (lacking.length) this.request(EthMessageCodes.GET_POOLED_TRANSACTIONS, lacking);
    } else if (code === EthMessageCodes.GET_POOLED_TRANSACTIONS) {
      const found = payload[1].map((h) => this.node.pool.get(hex(h))).filter((item) => item !== undefined);
      this.eth.sendMessage(EthMessageCodes.POOLED_TRANSACTIONS, [payload[0], found]);
    } else if (code === EthMessageCodes.POOLED_TRANSACTIONS) {
      for (const item of payload[1]) this.take(item, true);
      this.answers.set(hex(payload[0]), payload[1]);
    } else if (code === EthMessageCodes.GET_BLOCK_HEADERS) {
      if (!this.node.options.headless) this.eth.sendMessage(EthMessageCodes.BLOCK_HEADERS, [payload[0], []]);
    } else if ([EthMessageCodes.BLOCK_HEADERS, EthMessageCodes.BLOCK_BODIES, EthMessageCodes.RECEIPTS].includes(code)) {
      this.answers.set(hex(payload[0]), payload[1]);
    }
  }

  // Sends [request id, body]; gives the id.
  request(code, body) {
    const id = crypto.randomBytes(4);
    id[0] |= 0x80;
    this.eth.sendMessage(code, [new Uint8Array(id), body]);
    return hex(id);
  }

  async ask(code, body) {
    const id = this.request(code, body);
    await until(`an answer to request ${code}`, () => this.answers.has(id));
    return this.answers.get(id);
  }

  send(raws) { this.eth.sendMessage(EthMessageCodes.TX, raws.map(item)); }

  // Announces them as eth/68 does and answers for them when asked.
  announce(raws) {
    for (const raw of raws) this.node.pool.set(hash(bytes(raw)), item(raw));
    this.eth.sendMessage(EthMessageCodes.NEW_POOLED_TRANSACTION_HASHES, [
      Uint8Array.from(raws.map(typeOf)),
      raws.map((raw) => bigBytes(BigInt(raw.length / 2))),
      raws.map((raw) => keccak256(bytes(raw))),
    ]);
  }

  has(raw) { return this.bodies.some((b) => b.raw === raw); }

  // Anything at all that names this transaction.
  heardOf(raw) {
    const h = hash(bytes(raw));
    return this.bodies.some((b) => b.hash === h) || this.announced.some((a) => a.hash === h);
  }

  open() { return until('both Status agree', () => { this.check(); return this.status; }); }

  check() {
    if (this.closed) throw new Error(`closed: reason ${this.reason}, ${this.errors.join('; ')}`);
  }

  ended() { return until('the connection ends', () => this.closed); }
}

// As in Transactions: typed ones as bytes, legacy ones as lists.
const item = (raw) => (typeOf(raw) === 0 ? RLP.decode(bytes(raw)) : bytes(raw));
export const typeOf = (raw) => (parseInt(raw.slice(0, 2), 16) >= 0xc0 ? 0 : parseInt(raw.slice(0, 2), 16));

export class Node {
  // options: network, hardfork, genesis, capabilities, maxPeers, key, common, lenient (forgives all and ends nothing),
  // silent (sends no Status), headless (answers no GetBlockHeaders).
  constructor(options = {}) {
    this.options = { network: 'mainnet', maxPeers: 50, ...options };
    this.options.genesis ??= genesis(this.options.network);
    this.key = this.options.key ?? new Uint8Array(crypto.randomBytes(32));
    this.pool = new Map();
    this.sessions = [];
    this.rlpx = new RLPx(this.key, {
      capabilities: this.options.capabilities ?? [ETH.eth66, ETH.eth67, ETH.eth68],
      common: this.options.common ?? common(this.options.network, this.options.hardfork),
      maxPeers: this.options.maxPeers,
      listenPort: null,
    });
    this.rlpx.events.on('peer:error', () => {});
    this.rlpx.events.on('error', () => {});
    const connected = this.rlpx._onConnect.bind(this.rlpx);
    this.rlpx._onConnect = (socket, id) => {
      owners.set(socket, this);
      socket.once('close', () => {
        if (owners.has(socket)) this.sessions.push({ closed: true, reason: undefined, peer: { _socket: socket } });
      });
      connected(socket, id);
    };
    nodes.add(this);
  }

  async listen() {
    this.rlpx.listen(0, '127.0.0.1');
    await once(this.rlpx._server, 'listening');
    this.url = `enode://${hex(this.rlpx.id)}@127.0.0.1:${this.rlpx._server.address().port}`;
    return this.url;
  }

  // A connection to the relay, from TCP on; wait for session.open() or session.ended().
  async dial(relay) {
    const before = this.sessions.length;
    await this.rlpx.connect({ id: relay.id, address: '127.0.0.1', tcpPort: relay.port, udpPort: relay.port });
    return until('a connection', () => this.sessions[before]);
  }

  // The next connection that somebody makes to us.
  async dialled() {
    const before = this.sessions.length;
    return until('somebody dials us', () => this.sessions[before], 20000);
  }

  close() {
    nodes.delete(this);
    for (const session of this.sessions) {
      clearTimeout(session.eth?._statusTimeoutId);
      session.peer._socket.destroy();
    }
    if (this.rlpx._server) this.rlpx.destroy();
  }
}

export function closeAll() { for (const node of [...nodes]) node.close(); }

export const pub = (key) => secp256k1.getPublicKey(key, false).slice(1);
