// Real peers that we did not write, around one relay: sessions in both directions, transactions with identical bytes,
// reasons of disconnects, and sessions that hold past a minute.
import { secp256k1 } from 'ethereum-cryptography/secp256k1.js';
import { keccak256 } from 'ethereum-cryptography/keccak.js';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import {
  DISCONNECT_REASON, ETH, EthMessageCodes, Node, RLP, Relay, bytes, closeAll, common, genesis, hash, hex, pub, sleep,
  typeOf, until, vectors,
} from './harness.mjs';

const signed = vectors('tx_signing.json').valid;
const real = (type) => signed.filter((t) => t.type === type && t.name.startsWith('real mainnet')).map((t) => t.raw);
const blobless = signed.find((t) => t.type === 3).raw;

// A signed transaction of type 2 with n bytes of data: over 4 KiB it is announced and never sent in full.
function made(n) {
  const key = new Uint8Array(crypto.randomBytes(32));
  const fee = bytes('174876e800'), gas = bytes((60000 + 40 * n).toString(16).padStart(8, '0').replace(/^(00)+/, ''));
  const fields = [bytes('01'), new Uint8Array(), bytes('3b9aca00'), fee, gas, bytes('11'.repeat(20)), new Uint8Array(),
    new Uint8Array(crypto.randomBytes(n)), []];
  const sign = secp256k1.sign(keccak256(Buffer.concat([bytes('02'), RLP.encode(fields)])), key);
  const number = (v) => (v === 0n ? new Uint8Array() : bytes(v.toString(16).padStart(64, '0').replace(/^(00)+/, '')));
  return `02${hex(RLP.encode([...fields, number(BigInt(sign.recovery)), number(sign.r), number(sign.s)]))}`;
}

const arrives = (session, raw) => until(`a transaction of type ${typeOf(raw)} arrives`, () => {
  session.check();
  return session.has(raw);
});

// (a) and (b): what one sends in full, and what it announces only, reaches the other with identical bytes and nothing
// comes back.
async function passesOn(from, to) {
  const [full, announced] = [[0, 1, 2, 4].map((t) => real(t)[0]), [0, 1, 2].map((t) => real(t)[1])];
  announced.push(made(9000), made(300));
  from.send(full);
  for (const raw of full) await arrives(to, raw);
  from.announce(announced);
  for (const raw of announced) await arrives(to, raw);
  const large = to.bodies.find((b) => b.raw === announced[3]);
  assert.ok(large.asked, 'a transaction over 4 KiB is fetched, not pushed');
  await sleep(300);
  for (const raw of [...full, ...announced]) {
    const h = hash(bytes(raw));
    assert.equal(from.heardOf(raw), false, `${h} comes back to who sent it`);
    assert.equal(to.bodies.filter((b) => b.hash === h).length, 1, `${h} arrives once`);
    const seen = to.announced.filter((a) => a.hash === h);
    assert.ok(seen.length <= 1, `${h} is announced once`);
    for (const a of seen) assert.deepEqual([a.type, a.size], [typeOf(raw), raw.length / 2]);
  }
}

async function inboundPair(shards) {
  const relay = await Relay.start(['--shards', shards]);
  const a = new Node(), b = new Node({ capabilities: [ETH.eth68] });
  const [sa, sb] = await Promise.all([a.dial(relay), b.dial(relay)]);
  await Promise.all([sa.open(), sb.open()]);
  assert.equal(sa.eth.getVersion(), 68);
  assert.match(Buffer.from(sa.peer.getHelloMessage().clientId).toString(), /millrace/);
  await relay.counted('two peers', (s) => s.peers === 2 && s.status_ok === 2);
  await passesOn(sa, sb);
  await serves(sa);
  const stats = await relay.counted('nine accepted', (s) => s.tx_accepted === 9);
  assert.equal(stats.tx_in, 9);
  await poison(relay, sb);
  a.close();
  b.close();
  const end = await relay.stop();
  assert.equal(end.code, 0);
}

// What a node asks a new peer for. The header of our own Status must be there; the rest is empty and well-formed.
async function serves(session) {
  const best = genesis('mainnet');
  const headers = await session.ask(EthMessageCodes.GET_BLOCK_HEADERS, [best, bytes('01'), new Uint8Array(), new Uint8Array()]);
  assert.equal(headers.length, 1);
  assert.equal(hash(RLP.encode(headers[0])), hex(best));
  for (const code of [EthMessageCodes.GET_BLOCK_BODIES, EthMessageCodes.GET_RECEIPTS, EthMessageCodes.GET_POOLED_TRANSACTIONS]) {
    assert.deepEqual(await session.ask(code, [new Uint8Array(32).fill(7)]), []);
  }
}

// A blob transaction in Transactions: its sender goes, and nobody hears of it.
async function poison(relay, other) {
  const node = new Node({ lenient: true }), session = await node.dial(relay);
  await session.open();
  session.send([blobless]);
  await session.ended();
  assert.equal(session.reason, DISCONNECT_REASON.SUBPROTOCOL_ERROR);
  await sleep(200);
  assert.equal(other.heardOf(blobless), false);
  other.check();
  node.close();
}

// (b) We dial both.
async function outboundPair(shards) {
  const a = new Node(), b = new Node();
  const list = [await a.listen(), await b.listen()];
  const dialled = [a.dialled(), b.dialled()];
  const relay = await Relay.start(['--static', list.join(','), '--shards', shards]);
  const [sa, sb] = await Promise.all(dialled);
  await Promise.all([sa.open(), sb.open()]);
  await passesOn(sa, sb);
  const end = relay.stop();
  await Promise.all([sa.ended(), sb.ended()]);
  assert.equal(sa.reason, DISCONNECT_REASON.CLIENT_QUITTING);
  assert.equal(sb.reason, DISCONNECT_REASON.CLIENT_QUITTING);
  const { code, ms } = await end;
  assert.equal(code, 0);
  assert.ok(ms < 2000, `ended after ${ms} ms`);
  a.close();
  b.close();
}

// (c) One peer pings us every 15 s; another says nothing at all, so that we have to.
async function holds(shards) {
  const relay = await Relay.start(['--shards', shards]);
  const a = new Node(), quiet = new Node({ headless: true });
  const [sa, sq] = await Promise.all([a.dial(relay), quiet.dial(relay)]);
  await Promise.all([sa.open(), sq.open()]);
  clearInterval(sq.peer._pingIntervalId);
  await sleep(63000);
  sa.check();
  sq.check();
  assert.ok(sa.pongs >= 3, `pongs for its pings: ${sa.pongs}`);
  assert.ok(sq.pings >= 3, `pings of ours: ${sq.pings}`);
  sq.send([real(2)[2]]);
  await arrives(sa, real(2)[2]);
  await relay.counted('both peers are still there', (s) => s.peers === 2 && s.peers_closed === 0);
  a.close();
  quiet.close();
  await relay.stop();
}

// (d) Ours, as ethereumjs reads them.
async function ourReasons(shards) {
  const own = new Uint8Array(crypto.randomBytes(32));
  const relay = await Relay.start(['--shards', shards], { key: own });
  assert.equal(hex(relay.id), hex(pub(own)));
  const expectReason = async (name, options, reason, counter) => {
    const node = new Node({ lenient: true, ...options }), session = await node.dial(relay);
    await session.ended();
    assert.equal(session.reason, reason, name);
    await relay.counted(`${counter} counts: ${name}`, (s) => s[counter] === 1);
    node.close();
  };
  const custom = (fields) => common('mainnet').constructor && Object.assign(common('mainnet'), fields);
  await expectReason('no shared capability', { capabilities: [ETH.eth66] }, DISCONNECT_REASON.USELESS_PEER, 'end_useless');
  await expectReason('our own id', { key: own }, DISCONNECT_REASON.SAME_IDENTITY, 'end_own_id');
  await expectReason('another network', { common: custom({ chainId: () => 5n }) }, DISCONNECT_REASON.SUBPROTOCOL_ERROR, 'status_bad_network');
  await expectReason('another genesis', { genesis: genesis('sepolia') }, DISCONNECT_REASON.SUBPROTOCOL_ERROR, 'status_bad_genesis');
  await expectReason('another fork', { common: custom({ forkHash: () => '0xdeadbeef' }) }, DISCONNECT_REASON.SUBPROTOCOL_ERROR, 'status_bad_fork');
  await expectReason('no Status', { silent: true }, DISCONNECT_REASON.TIMEOUT, 'status_late');

  const first = new Node(), key = first.key, sf = await first.dial(relay);
  await sf.open();
  const second = new Node({ key }), ss = await second.dial(relay);
  await ss.ended();
  assert.equal(ss.reason, DISCONNECT_REASON.ALREADY_CONNECTED, 'one identity twice');
  await relay.counted('the first session stays', (s) => s.peers === 1);
  sf.check();
  first.close();
  second.close();
  await relay.stop();

  const full = await Relay.start(['--maxpeers', '0', '--shards', shards]);
  const node = new Node(), session = await node.dial(full);
  await session.ended();
  assert.equal(session.reason, DISCONNECT_REASON.TOO_MANY_PEERS);
  node.close();
  await full.stop();

  const trusted = new Node(); // nobody listens there, so that it is not dialled at the same time
  const exempt = await Relay.start(['--maxpeers', '0', '--shards', shards, '--trusted',
    `enode://${hex(trusted.rlpx.id)}@127.0.0.1:1`]);
  const st = await trusted.dial(exempt);
  await st.open();
  trusted.close();
  await exempt.stop();
}

// (d) Those of ethereumjs, as we read them. It sends a bare byte, uncompressed even after Hello.
async function theirReasons(shards) {
  const relay = await Relay.start(['--verbosity', '5', '--shards', shards]);
  let count = 0;
  for (const reason of Object.values(DISCONNECT_REASON)) {
    const node = new Node(), session = await node.dial(relay);
    await session.open();
    session.peer.disconnect(reason);
    await session.ended();
    node.close();
    count++;
  }
  const stats = await relay.counted('every Disconnect was read', (s) => s.peers_closed === count);
  assert.equal(stats.disconnect_in, count);
  assert.equal(stats.message_malformed, 0);
  assert.equal(stats.snappy_bad, 0);
  await relay.stop();

  // A node that is full says so to whom it was dialled by, after Hello.
  const full = new Node({ maxPeers: 0 }), url = await full.listen();
  const dialler = await Relay.start(['--static', url, '--shards', shards]);
  await until('we dial it', () => full.sessions.length > 0);
  await dialler.counted('its reason was read', (s) => s.sessions === 0 && s.disconnect_in + s.end_disconnected >= 1);
  await sleep(1500);
  assert.equal(full.sessions.length, 1, 'no second dial before its time');
  full.close();
  await dialler.stop();
}

// (e)
async function networks() {
  await Promise.all(['mainnet', 'sepolia', 'hoodi', 'holesky'].map(async (network) => {
    const relay = await Relay.start(['--network', network]);
    const node = new Node({ network }), session = await node.dial(relay);
    await session.open();
    assert.equal(hex(session.status.genesisHash), hex(genesis(network)));
    assert.equal(`0x${hex(session.status.forkId[0])}`, node.options.common ?? common(network).forkHash('bpo2'));
    await relay.counted(`Status of ${network} agrees`, (s) => s.status_ok === 1 && s.peers === 1);
    node.close();
    await relay.stop();
  }));
}

// With one shard and with three, but for what a network's name decides.
const parts = { inboundPair, outboundPair, ourReasons, theirReasons, networks, holds };
const wanted = process.argv.slice(2).length ? process.argv.slice(2) : Object.keys(parts);
const runs = wanted.flatMap((name) => (name === 'networks' ? ['1'] : ['1', '3']).map((shards) => [name, shards]));
const results = await Promise.allSettled(runs.map(async ([name, shards]) => {
  const from = Date.now();
  await parts[name](shards);
  console.log(`${name}, ${shards} shards: ok, ${((Date.now() - from) / 1000).toFixed(1)} s`);
}));
results.forEach((r, i) => { if (r.status === 'rejected') console.error(`${runs[i].join(', ')} shards: ${r.reason.stack}`); });
closeAll();
process.exit(results.every((r) => r.status === 'fulfilled') ? 0 : 1);
